// `codexlb cluster leave`: removes what a replica has from its root. The pool and its other replicas keep everything.

import { rmSync } from "node:fs";
import { defineCommand } from "citty";
import { advised } from "../../advice.ts";
import { subjectOf } from "../../cluster/facts.ts";
import type { LocalFacts } from "../../cluster/local-facts.ts";
import type { ReplicaFile } from "../../cluster/replica-file.ts";
import { CodexlbError, type ErrorCode } from "../../errors.ts";
import { print } from "../../print.ts";
import { ROOT_FLAG } from "../common-flags.ts";
import { type CommandContext, contextOf, requireRoot } from "../context.ts";
import { withLockedRoot } from "./locked-root.ts";
import { requireReplica } from "./membership.ts";
import { openPool, requireJoinedPool } from "./open-pool.ts";
import { compareOnce } from "./pool-content.ts";

export default defineCommand({
  meta: {
    name: "codexlb cluster leave",
    description: "Leave the pool, and remove its accounts and keys from this root",
  },
  args: {
    ...ROOT_FLAG,
    force: { type: "boolean", description: "Leave without the server; what this root has not sent is lost" },
  },
  run: async ({ args }) => {
    const context = contextOf(args.root);
    requireRoot(context);
    const { deps, layout } = context;
    const file = requireReplica(layout);
    await withLockedRoot(context, async ({ facts }) => {
      if (!args.force) await sendAndLeave(context, file, facts);
      for (const name of facts.read().keys())
        if (["login", "key", "pin"].includes(subjectOf(name)?.kind ?? "")) facts.apply(name, null);
      facts.flush();
      rmSync(layout.signingKey, { force: true });
      // The last step: a root that is left half-way is still a replica, and can leave again.
      rmSync(layout.cluster);
      if (args.force)
        deps.log.warn(
          `the server was not contacted: changes that ${layout.root} had not sent are lost, and the pool may list this replica for seven more days`,
        );
      print(`left the pool ${file.pool}; its accounts and keys were removed from ${layout.root}\n`);
    });
  },
});

// --- internal ---

/** Sends what only this root has to the pool, and leaves it. An error says how to leave without the server. */
async function sendAndLeave(context: CommandContext, file: ReplicaFile, facts: LocalFacts): Promise<void> {
  try {
    // The settings may name another pool now.
    using pool = await openPool(context, file.pool);
    await requireJoinedPool(pool, file);
    // A login that was renewed while the engine could not be reached may exist only here.
    await compareOnce(pool, file, facts, context.deps.log);
    await pool.records.leave(file.replica);
  } catch (error) {
    if (!(error instanceof CodexlbError) || !OF_SERVER.has(error.code)) throw error;
    const { code, message, next } = error;
    const force = advised("cluster leave", "--force");
    throw new CodexlbError(code, message, {
      next: `${next}; if the server or the pool is lost for good, remove the accounts and keys from this root only: ${force}`,
      cause: error,
    });
  }
}

/** Errors because of which this root may never reach its pool again. */
const OF_SERVER: ReadonlySet<ErrorCode> = new Set([
  "invalid_config",
  "cluster_unreachable",
  "cluster_refused",
]);
