// `codexlb cluster init`: creates a pool from the accounts of this root.

import { defineCommand } from "citty";
import { advised } from "../../advice.ts";
import { secretFile } from "../../auth/secrets.ts";
import { createPoolKey, keyPlaceOf } from "../../cluster/key.ts";
import { CodexlbError } from "../../errors.ts";
import { print } from "../../print.ts";
import type { Layout } from "../../state/layout.ts";
import { ROOT_FLAG } from "../common-flags.ts";
import { contextOf } from "../context.ts";
import { createSharedPool } from "./create-shared-pool.ts";
import { type LockedRoot, withLockedRoot } from "./locked-root.ts";
import { refuseReplica } from "./membership.ts";
import { clusterSettings, openPool } from "./open-pool.ts";
import { compareOnce, contentOf, contentWords } from "./pool-content.ts";

export default defineCommand({
  meta: {
    name: "codexlb cluster init",
    description: "Create a pool from the accounts and keys of this root",
  },
  args: {
    ...ROOT_FLAG,
    empty: { type: "boolean", description: "Create the pool even if this root has no accounts and no keys" },
  },
  run: async ({ args }) => {
    const context = contextOf(args.root, { createsRoot: true });
    const { deps, layout } = context;
    refuseReplica(layout);
    const keyPlace = keyPlaceOf(layout, clusterSettings(context), deps.env);
    await withLockedRoot(context, async (root) => {
      if (!args.empty) refuseEmpty(layout, root);
      const newKey = createPoolKey(keyPlace, deps.random);
      if (newKey !== undefined) deps.log.info(`created the key ${newKey}; every replica needs a copy of it`);
      using pool = await openPool(context);
      const file = await createSharedPool(pool, layout, deps);
      secretFile(layout.signingKey, deps.random);
      await compareOnce(pool, file, root.facts, deps.log);
      print(`created the pool ${pool.pool} with ${contentWords(await contentOf(pool))} on ${pool.engine}\n`);
    });
  },
});

// --- internal ---

/**
 * Refuses a root without accounts and keys. A replica restores a pool that the server has lost, but not if there is an
 * empty one of the same name.
 */
function refuseEmpty({ root }: Layout, { store, keyNames }: LockedRoot): void {
  if (store.state.accounts.length + keyNames.length > 0) return;
  throw new CodexlbError("cluster_refused", `${root} has no accounts and no keys`, {
    next: `join an existing pool with: ${advised("cluster join")}; or add an account first; or create an empty pool with: ${advised("cluster init", "--empty")}`,
  });
}
