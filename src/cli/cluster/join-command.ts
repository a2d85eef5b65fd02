// `codexlb cluster join`: makes an empty root a replica of a pool.

import { defineCommand } from "citty";
import { createReplicaFile, newId } from "../../cluster/replica-file.ts";
import { CodexlbError } from "../../errors.ts";
import { print } from "../../print.ts";
import { effectiveConfig, readConfigFile } from "../../state/config-source.ts";
import type { Layout } from "../../state/layout.ts";
import { ROOT_FLAG } from "../common-flags.ts";
import { type CommandContext, contextOf } from "../context.ts";
import { type LockedRoot, withLockedRoot } from "./locked-root.ts";
import { refuseReplica } from "./membership.ts";
import { type OpenPool, openPool } from "./open-pool.ts";
import { compareOnce, contentOf, contentWords } from "./pool-content.ts";

export default defineCommand({
  meta: {
    name: "codexlb cluster join",
    description: "Make this root, which has no accounts yet, a replica of the pool",
  },
  args: { ...ROOT_FLAG },
  run: async ({ args }) => {
    const context = contextOf(args.root, { createsRoot: true });
    const { deps, layout } = context;
    refuseReplica(layout);
    await withLockedRoot(context, async (root) => {
      refuseOwn(layout, root);
      using pool = await openPool(context);
      const poolId = await pool.records.find();
      if (poolId === undefined)
        throw new CodexlbError("not_found", `there is no pool ${pool.pool} on ${pool.engine}`, {
          next: `if the server has lost the pool, start a replica, which restores it; otherwise correct [cluster] in ${layout.config}, or create the pool from the root that has the accounts`,
        });
      const file = createReplicaFile(layout.cluster, newId(deps), pool.pool, poolId);
      await compareOnce(pool, file, root.facts, deps.log);
      await warnOfSameName(context, pool);
      print(`joined the pool ${pool.pool} with ${contentWords(await contentOf(pool))} on ${pool.engine}\n`);
    });
  },
});

// --- internal ---

/** Refuses a root with accounts or keys: those of the pool with the same name would replace them. */
function refuseOwn({ root }: Layout, { store, keyNames }: LockedRoot): void {
  const aliases = store.state.accounts.map(({ alias }) => alias);
  if (aliases.length + keyNames.length === 0) return;
  const what = [
    aliases.length === 0 ? "" : `accounts (${aliases.join(", ")})`,
    keyNames.length === 0 ? "" : `keys (${keyNames.join(", ")})`,
  ];
  throw new CodexlbError(
    "cluster_refused",
    `${root} has its own ${what.filter((one) => one !== "").join(" and ")}`,
    { next: "join with another --root, and add them there afterwards; or remove them first" },
  );
}

/** Lists and the log could not tell two replicas with one name apart. A copied root has the name of the original. */
async function warnOfSameName({ layout, deps }: CommandContext, { records }: OpenPool): Promise<void> {
  const { name } = effectiveConfig(readConfigFile(layout), {}, deps.env).config.proxy;
  if (!(await records.members()).some(({ about }) => about.name === name)) return;
  deps.log.warn(`another replica is called ${name}, too; set another proxy.name in ${layout.config}`);
}
