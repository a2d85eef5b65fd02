// `codexlb cluster init`: creates a pool from the accounts of this root.

import { defineCommand } from "citty";
import { secretFile } from "../../auth/secrets.ts";
import { createPoolKey } from "../../cluster/key.ts";
import { print } from "../../print.ts";
import { ROOT_FLAG } from "../common-flags.ts";
import { contextOf } from "../context.ts";
import { createPool } from "./create-pool.ts";
import { withLockedRoot } from "./locked-root.ts";
import { refuseReplica } from "./membership.ts";
import { clusterSettings, openPool } from "./open-pool.ts";
import { compareOnce, contentOf, contentWords } from "./pool-content.ts";

export default defineCommand({
  meta: {
    name: "codexlb cluster init",
    description: "Create a pool from the accounts and keys of this root",
  },
  args: { ...ROOT_FLAG },
  run: async ({ args }) => {
    const context = contextOf(args.root, { createsRoot: true });
    const { deps, layout } = context;
    refuseReplica(layout);
    const { key_file: keyFile } = clusterSettings(context);
    await withLockedRoot(context, async ({ facts }) => {
      const newKey = createPoolKey({ env: deps.env, keyFile }, deps.random);
      if (newKey !== undefined) deps.log.info(`created the key ${newKey}; every replica needs a copy of it`);
      using pool = await openPool(context);
      const file = await createPool(pool, layout, deps);
      secretFile(layout.signingKey, deps.random);
      await compareOnce(pool, file, facts, deps.log);
      print(`created the pool ${pool.pool} with ${contentWords(await contentOf(pool))} on ${pool.engine}\n`);
    });
  },
});
