// `codexlb cluster export`: copies a pool into a new root, which works without the engine.

import { existsSync, readdirSync, rmSync } from "node:fs";
import { resolve } from "node:path";
import { defineCommand } from "citty";
import { advised } from "../../advice.ts";
import { createReplicaFile, newId, openReplicaFile } from "../../cluster/replica-file.ts";
import { CodexlbError } from "../../errors.ts";
import { print } from "../../print.ts";
import { layoutOf } from "../../state/layout.ts";
import { ROOT_FLAG } from "../common-flags.ts";
import { contextOf } from "../context.ts";
import { usage } from "../flags.ts";
import { withLockedRoot } from "./locked-root.ts";
import { openPool, requireJoinedPool } from "./open-pool.ts";
import { compareOnce, contentOf, contentWords } from "./pool-content.ts";

export default defineCommand({
  meta: {
    name: "codexlb cluster export",
    description: "Copy the pool into a new root, which works without the server",
  },
  args: {
    ...ROOT_FLAG,
    directory: { type: "positional", description: "The new root", valueHint: "DIR", required: false },
  },
  run: async ({ args }) => {
    if (args.directory === undefined)
      throw usage("no directory named", `name one: ${advised("cluster export", "DIR")}`);
    const context = contextOf(args.root);
    const layout = layoutOf(resolve(args.directory));
    if (existsSync(layout.root) && readdirSync(layout.root).length > 0)
      throw new CodexlbError("file_unusable", `${layout.root} is not empty`, {
        next: "name a new directory",
      });
    const { deps } = context;
    const joined = openReplicaFile(context.layout.cluster);
    using pool = await openPool(context, joined?.pool);
    if (joined !== undefined) await requireJoinedPool(pool, joined);
    const poolId = await pool.records.find();
    if (poolId === undefined)
      throw new CodexlbError("not_found", `there is no pool ${pool.pool} on ${pool.engine}`, {
        next: "correct [cluster] in config.toml",
      });
    const target = { ...context, layout, createsRoot: true };
    await withLockedRoot(target, async ({ facts }) => {
      const file = createReplicaFile(layout.cluster, newId(deps), pool.pool, poolId);
      await compareOnce(pool, file, facts, deps.log);
      rmSync(layout.cluster);
    });
    print(`copied the pool ${pool.pool} with ${contentWords(await contentOf(pool))} to ${layout.root}\n`);
    deps.log.warn(
      "use either the copy or the pool: each login that one of them renews ends for the other; stop the replicas first",
    );
  },
});
