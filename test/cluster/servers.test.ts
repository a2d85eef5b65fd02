// A pool in each server that is supported: what replicas do every day, and a change of the key.

import { expect, test } from "bun:test";
import { createSseClient } from "../../src/mock/client.ts";
import { until } from "../support/pool.ts";
import { SERVERS } from "../support/redis.ts";
import { done, type Replica, startReplicas } from "../support/replicas.ts";

const PATIENCE_MS = 60_000;

test.each(SERVERS)(
  "replicas share a pool in $name",
  async ({ path }) => {
    await using pool = await startReplicas({
      aliases: ["alice", "bob"],
      count: 2,
      server: path,
      tokenSeconds: 300,
    });
    const [a, b] = pool.list as [Replica, Replica];
    const { out } = await done(a.run("cluster", "status", "--json"));
    const { product } = JSON.parse(out) as { product: string };
    console.log(`a pool in ${product}`);
    expect(product).toMatch(path.includes("valkey") ? /^Valkey \d/ : /^Redis \d/);
    await until(
      "a login is renewed",
      () => pool.mock.requests.some(({ point }) => point === "token"),
      PATIENCE_MS,
    );
    const served = async (replica: Replica) =>
      createSseClient(replica.url, crypto.randomUUID()).turn("hello");
    await done(a.run("account", "pin", "bob"));
    await until("the other has the pin", async () => (await served(b)) === "Hello from bob", PATIENCE_MS);
    await pool.redis.kill();
    await done(b.run("account", "unpin"));
    await done(b.run("account", "pin", "alice"));
    await pool.redis.restart();
    await until(
      "the other has the new pin",
      async () => (await served(a)) === "Hello from alice",
      PATIENCE_MS,
    );
    await until("the key is changed", async () => (await b.run("cluster", "rekey")).code === 0, PATIENCE_MS);
    await done(a.run("account", "pin", "bob"));
    await until(
      "the other has the last pin",
      async () => (await served(b)) === "Hello from bob",
      PATIENCE_MS,
    );
  },
  180_000,
);
