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
import { type OpenPool, openPool, requireJoinedPool } from "./open-pool.ts";
import { compareOnce, contentOf, contentWords, type PoolContent } from "./pool-content.ts";

export default defineCommand({
  meta: {
    name: "codexlb cluster leave",
    description: "Leave the pool, and remove its accounts and keys from this root",
  },
  args: {
    ...ROOT_FLAG,
    force: { type: "boolean", description: "Leave without the server; what this root has not sent is lost" },
    last: {
      type: "boolean",
      description: "Leave even as the last replica; only the server then has the accounts and keys",
    },
  },
  run: async ({ args }) => {
    const context = contextOf(args.root);
    requireRoot(context);
    const { deps, layout } = context;
    const file = requireReplica(layout);
    await withLockedRoot(context, async ({ facts }) => {
      if (!args.force) await sendAndLeave(context, { file, facts, mayBeLast: args.last ?? false });
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

interface Leaving {
  readonly file: ReplicaFile;
  readonly facts: LocalFacts;
  /** If false, the last replica of a pool with accounts or keys does not leave. */
  readonly mayBeLast: boolean;
}

/**
 * Sends what only this root has to the pool, and leaves it. An error says how to leave without the server. Throws
 * `last_replica` if only the server would then have the pool's accounts and keys.
 */
async function sendAndLeave(context: CommandContext, leaving: Leaving): Promise<void> {
  const { file, facts, mayBeLast } = leaving;
  try {
    // The settings may name another pool now.
    using pool = await openPool(context, file.pool);
    await requireJoinedPool(pool, file);
    // A login that was renewed while the engine could not be reached may exist only here.
    await compareOnce(pool, file, facts, context.deps.log);
    const content = await contentOf(pool);
    const isEmpty = content.accounts + content.keys === 0;
    if ((await pool.records.leave(file.replica, mayBeLast || isEmpty)) === "last")
      throw lastReplica(pool, content);
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

function lastReplica({ pool, engine }: OpenPool, content: PoolContent): CodexlbError {
  return new CodexlbError(
    "last_replica",
    `this is the last replica of the pool ${pool}: after it leaves, only ${engine} has ${contentWords(content)}`,
    {
      next: `copy the pool into a root that works alone: ${advised("cluster export", "DIR")}; or keep it only on the server: ${advised("cluster leave", "--last")}`,
    },
  );
}

/** Errors because of which this root may never reach its pool again. */
const OF_SERVER: ReadonlySet<ErrorCode> = new Set([
  "invalid_config",
  "cluster_unreachable",
  "cluster_refused",
]);
