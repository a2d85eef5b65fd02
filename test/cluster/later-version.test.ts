// A pool in which a replica of a later version has written what this version does not know.

import { expect, test } from "bun:test";
import { createEngine } from "../../src/cluster/engine.ts";
import { createKeyring } from "../../src/cluster/keyring.ts";
import { poolRecords } from "../../src/cluster/pool-records.ts";
import { systemDeps } from "../../src/deps.ts";
import { createSseClient } from "../../src/mock/client.ts";
import { until } from "../support/pool.ts";
import { whyNoRedis } from "../support/redis.ts";
import { done, type Replica, startReplicas } from "../support/replicas.ts";

const PATIENCE_MS = 60_000;

test.skipIf(whyNoRedis !== undefined)(
  "a replica leaves facts and records of a later version as they are, says so once, and shares the rest",
  async () => {
    await using pool = await startReplicas({ aliases: ["alice", "bob"], count: 2 });
    const [a, b] = pool.list as [Replica, Replica];
    const deps = systemDeps();
    const engine = createEngine({ url: pool.redis.url, pool: "default", deps });
    await engine.connected(5_000);
    const place = { env: {}, keyFile: pool.env.CODEXLB_CLUSTER_KEY_FILE ?? "" };
    const { sealer, use } = createKeyring(place, "default", deps.random);
    const records = poolRecords(engine, sealer, "default", use);
    expect(await records.find()).toBeString();
    // A fact of a kind that this version does not have, and a text in a later format.
    expect(await records.put({ name: "budget/team", value: "100" }, 0, 1)).toBe(true);
    const identity = await pool.redis.cli("HGET", "{codexlb:default}:meta", "identity");
    const tag = sealer.tagOf("account/carol");
    await engine.run(
      "put",
      tag,
      0,
      4,
      "2.sealed-by-a-later-version",
      "",
      "{codexlb:default}:changes",
      identity,
    );
    await done(a.run("account", "pin", "bob"));
    await until(
      "the other has the pin",
      async () => (await createSseClient(b.url, crypto.randomUUID()).turn("hello")) === "Hello from bob",
      PATIENCE_MS,
    );
    const found = await records.records([tag, sealer.tagOf("budget/team")]);
    expect([...found.values()]).toEqual([
      { generation: 4, opened: { kind: "newer" } },
      { generation: 1, opened: { kind: "fact", fact: { name: "budget/team", value: "100" } } },
    ]);
    engine.close();
    for (const replica of pool.list) {
      const { err } = await replica.stop();
      expect(
        err.match(
          /records from a later version of codexlb, which this replica ignores; upgrade this replica/g,
        ),
      ).toHaveLength(1);
    }
    // A pool whose scripts are of a later version is not used at all.
    await pool.redis.cli("HSET", "{codexlb:default}:meta", "schema", "2");
    const { code, err } = await a.run("cluster", "status");
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(/was created by a later version of codexlb\n.*upgrade codexlb/),
    ]);
  },
  120_000,
);
