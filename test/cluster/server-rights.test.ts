// Servers that give a replica less than it needs, or that may lose its data.

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { createSseClient } from "../../src/mock/client.ts";
import { until } from "../support/pool.ts";
import { whyNoRedis } from "../support/redis.ts";
import { done, type Replica, startReplicas } from "../support/replicas.ts";

const PATIENCE_MS = 60_000;

describe.skipIf(whyNoRedis !== undefined)("a replica", () => {
  test("whose user may not subscribe warns, and gets changes at its next comparison", async () => {
    await using pool = await startReplicas({
      aliases: ["alice", "bob"],
      count: 2,
      engineUrl: async ({ tcpUrl }, index) =>
        index === 0 ? tcpUrl : tcpUrl.replace("redis://", "redis://deaf:deaf@"),
      engine: ["--user", "deaf", "on", ">deaf", "~*", "&*", "+@all", "-subscribe"],
    });
    const [a, deaf] = pool.list as [Replica, Replica];
    await done(a.run("account", "pin", "bob"));
    await until(
      "the change has arrived",
      async () => (await createSseClient(deaf.url, crypto.randomUUID()).turn("hello")) === "Hello from bob",
      PATIENCE_MS,
    );
    const { err } = await deaf.stop();
    expect(
      err.match(/subscribing to the changes of the pool: .* lacks a right that codexlb needs/g),
    ).toHaveLength(1);
  }, 120_000);

  test("warns of a server that removes data, and no command creates or joins a pool there", async () => {
    await using pool = await startReplicas({ aliases: ["alice"], count: 1 });
    const [a] = pool.list as [Replica];
    await a.stop();
    await pool.redis.cli("CONFIG", "SET", "maxmemory-policy", "allkeys-lru");
    await a.start();
    const { err } = await a.stop();
    expect(err).toContain("removes data when its memory is full (maxmemory-policy allkeys-lru)");
    const root = join(pool.tool.directory, "fresh");
    const joined = await pool.tool.run(["cluster", "join", "--root", root], pool.env);
    expect([joined.code, joined.err]).toEqual([
      1,
      expect.stringContaining("set maxmemory-policy to noeviction on the server"),
    ]);
  }, 120_000);
});
