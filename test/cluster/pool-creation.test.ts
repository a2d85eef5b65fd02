// What `codexlb cluster init` refuses, and what it leaves behind if another command creates the pool, or if the answer is
// lost.

import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { createSharedPool } from "../../src/cli/cluster/create-shared-pool.ts";
import { createEngine } from "../../src/cluster/engine.ts";
import { type PoolRecords, poolRecords } from "../../src/cluster/pool-records.ts";
import { createSealer } from "../../src/cluster/sealing.ts";
import { systemDeps } from "../../src/deps.ts";
import { CodexlbError } from "../../src/errors.ts";
import { type Layout, layoutOf } from "../../src/state/layout.ts";
import { executable } from "../support/executable.ts";
import { startRedis, whyNoRedis } from "../support/redis.ts";
import { done } from "../support/replicas.ts";
import { tempDirectory } from "../support/temp.ts";

const KEY = new Uint8Array(32);
const KEY_TEXT = Buffer.from(KEY).toString("base64");
const OTHER_KEY = new Uint8Array(32).fill(1);

const deps = systemDeps();

interface Creator {
  /** A new root. */
  root(name: string): Layout;
  /** The records as a command with `key` sees them. */
  records(key: Uint8Array): PoolRecords;
  /** Creates the pool as one command does. Returns `created`, or the code of the error. */
  create(layout: Layout, records: PoolRecords): Promise<string>;
}

/** Runs `use` with a server that has no pool. */
async function withServer(use: (creator: Creator) => Promise<void>): Promise<void> {
  await using redis = await startRedis();
  using temp = tempDirectory();
  const engine = createEngine({ url: redis.url, pool: "team", deps });
  try {
    await engine.connected(5_000);
    const info = await engine.info();
    await use({
      root: (name) => {
        const layout = layoutOf(join(temp.path, name));
        mkdirSync(layout.root);
        return layout;
      },
      records: (key) => poolRecords(engine, createSealer(key, "team", deps.random), "team"),
      create: (layout, records) =>
        createSharedPool({ pool: "team", engine: engine.shown, info, records }, layout, deps).then(
          () => "created",
          (error) => (error instanceof CodexlbError ? error.code : String(error)),
        ),
    });
  } finally {
    engine.close();
  }
}

describe.skipIf(whyNoRedis !== undefined)("the root of a command that creates a pool", () => {
  for (const [words, key] of [
    ["the same key", KEY],
    ["another key", OTHER_KEY],
  ] as const)
    test(`stays empty if a command with ${words} has just created it`, () =>
      withServer(async ({ root, records, create }) => {
        const [first, second] = [root("first"), root("second")];
        const late = records(key);
        const find = async () => {
          const found = await late.find();
          expect(await create(first, records(KEY))).toBe("created");
          return found;
        };
        expect(await create(second, { ...late, find })).toBe("cluster_refused");
        expect(existsSync(first.cluster)).toBe(true);
        expect(readdirSync(second.root)).toEqual([]);
      }));

  test("is a replica if the server's answer is lost, because the pool may exist", () =>
    withServer(async ({ root, records, create }) => {
      const layout = root("first");
      const lossy = records(KEY);
      const lost: PoolRecords["create"] = async (...args) => {
        await lossy.create(...args);
        throw new CodexlbError("cluster_unreachable", "no answer", { next: "try again" });
      };
      expect(await create(layout, { ...lossy, create: lost })).toBe("cluster_unreachable");
      expect(existsSync(layout.cluster)).toBe(true);
    }));
});

test.skipIf(whyNoRedis !== undefined)(
  "a pool that the server does not have is not replaced by an empty one, and a refused command leaves no new root",
  async () => {
    await using redis = await startRedis();
    using tool = executable();
    const keyFile = join(tool.directory, "pool.key");
    const env = { CODEXLB_CLUSTER_URL: redis.url, CODEXLB_CLUSTER_KEY_FILE: keyFile };
    const refused = await tool.run(["cluster", "init"], env);
    expect([refused.code, refused.err]).toEqual([
      1,
      expect.stringMatching(/has no accounts and no keys[\s\S]*codexlb cluster init --empty/),
    ]);
    expect(await redis.cli("DBSIZE")).toBe("0");
    expect(existsSync(keyFile)).toBe(false);
    expect(existsSync(tool.root)).toBe(false);
    const joined = await tool.run(["cluster", "join"], { ...env, CODEXLB_CLUSTER_KEY: KEY_TEXT });
    expect([joined.code, joined.err]).toEqual([
      1,
      expect.stringMatching(/there is no pool default[\s\S]*start a replica, which restores it/),
    ]);
    expect(existsSync(tool.root)).toBe(false);
    expect((await done(tool.run(["cluster", "init", "--empty"], env))).out).toContain(
      "created the pool default with 0 accounts and 0 keys",
    );
    expect(existsSync(tool.root)).toBe(true);
  },
  60_000,
);
