// `codexlb cluster leave`: removes what a replica has from its root. The pool and its other replicas keep everything.

import { rmSync } from "node:fs";
import { defineCommand } from "citty";
import { subjectOf } from "../../cluster/facts.ts";
import { CodexlbError } from "../../errors.ts";
import { print } from "../../print.ts";
import { ROOT_FLAG } from "../common-flags.ts";
import { contextOf, requireRoot } from "../context.ts";
import { withLockedRoot } from "./locked-root.ts";
import { requireReplica } from "./membership.ts";
import { openPool } from "./open-pool.ts";
import { compareOnce } from "./pool-content.ts";

export default defineCommand({
  meta: {
    name: "codexlb cluster leave",
    description: "Leave the pool, and remove its accounts and keys from this root",
  },
  args: { ...ROOT_FLAG },
  run: async ({ args }) => {
    const context = contextOf(args.root);
    requireRoot(context);
    const { deps, layout } = context;
    const file = requireReplica(layout);
    await withLockedRoot(context, async ({ facts }) => {
      using pool = await openPool(context);
      if ((await pool.records.find()) !== file.poolId)
        throw new CodexlbError("cluster_refused", `the pool ${file.pool} is not on ${pool.engine}`, {
          next: "start a replica, which restores the pool from its files, or name the right server in cluster.url",
        });
      // A login that was renewed while the engine could not be reached may exist only here.
      await compareOnce(pool, file, facts, deps.log);
      await pool.records.leave(file.replica);
      for (const name of facts.read().keys())
        if (["login", "key", "pin"].includes(subjectOf(name)?.kind ?? "")) facts.apply(name, null);
      facts.flush();
      rmSync(layout.signingKey, { force: true });
      // The last step: a root that is left half-way is still a replica, and can leave again.
      rmSync(layout.cluster);
      print(`left the pool ${file.pool}; its accounts and keys were removed from ${layout.root}\n`);
    });
  },
});
