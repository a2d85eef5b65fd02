// The concurrency limit of an account over three replicas: executables with their own roots, over a real engine.

import { describe, expect, test } from "bun:test";
import { createSocketClient, createSseClient } from "../../src/mock/client.ts";
import { until } from "../support/pool.ts";
import { whyNoRedis } from "../support/redis.ts";
import { done, type Replica, type Replicas, startReplicas } from "../support/replicas.ts";
import { outcomeOf } from "../support/waiting.ts";

const PATIENCE_MS = 60_000;
/** Each turn sends its first output, and ends when the test says so. */
const GATED = { on: "turn", gateAfter: 6 } as const;

/** The turns that the backend has received. */
const received = ({ mock }: Replicas) =>
  mock.requests.filter(({ point }) => point === "sse" || point === "message").length;

interface Shown {
  readonly concurrency?: number;
  readonly full_at?: number;
}

async function shownBy(replica: Replica): Promise<Shown | undefined> {
  const { out } = await done(replica.run("status", "--json"));
  return (JSON.parse(out) as { accounts: Shown[] }).accounts[0];
}

const allShow = (replicas: readonly Replica[], expected: Shown) =>
  until(
    `all show ${JSON.stringify(expected)}`,
    async () => {
      const shown = await Promise.all(replicas.map(shownBy));
      return shown.every((one) =>
        Object.entries(expected).every(([name, value]) => one?.[name as keyof Shown] === value),
      );
    },
    PATIENCE_MS,
  );

/** Begins `count` turns of different sessions on each replica, half of them over WebSocket. */
function begin(replicas: readonly Replica[], count: number): Promise<string>[] {
  return replicas.flatMap(({ url }, replica) =>
    Array.from({ length: count }, async (_, index) => {
      const create = index % 2 === 0 ? createSseClient : createSocketClient;
      const client = create(url, `${replica}-${index}`);
      const answer = await outcomeOf(client.turn("hi"));
      client.close();
      return answer;
    }),
  );
}

describe.skipIf(whyNoRedis !== undefined)("three replicas", () => {
  test("exceed the concurrency limit by at most one turn per replica but the first, and divide it without the engine", async () => {
    await using pool = await startReplicas({ aliases: ["alice"], faults: [GATED] });
    const [first] = pool.list as [Replica];
    await done(first.run("account", "set", "alice", "--concurrency", "4"));
    await allShow(pool.list, { concurrency: 4 });

    const turns = begin(pool.list, 4);
    let released = 0;
    let most = 0;
    let isOver = false;
    void Promise.all(turns).then(() => {
      isOver = true;
    });
    await until("the limit is reached", () => received(pool) >= 4, PATIENCE_MS);
    await allShow(pool.list, { full_at: 4 });
    await until(
      "all turns have ended",
      async () => {
        // A slot may be free for a second before a replica is sure of it.
        await until("a turn is served", () => received(pool) > released || isOver, PATIENCE_MS);
        most = Math.max(most, received(pool) - released);
        expect(most).toBeLessThanOrEqual(6);
        if (isOver) return true;
        released++;
        pool.mock.faults.release();
        await first.run("proxy", "logs", "--tail", "0");
        return isOver;
      },
      PATIENCE_MS,
    );
    console.log(`a limit of 4 concurrent turns: at most ${most} were in flight`);
    for (const answer of await Promise.all(turns)) expect(answer).toBe("Hello from alice");

    await done(first.run("account", "set", "alice", "--concurrency", "7"));
    await allShow(pool.list, { concurrency: 7 });
    await pool.redis.kill();
    for (const replica of pool.list)
      await until(
        "the replica is cut off",
        async () => (await replica.run("proxy", "logs", "--tail", "0")).out.includes("cluster.degraded"),
        PATIENCE_MS,
      );
    const before = received(pool);
    const more = begin(pool.list, 4);
    await allShow(pool.list, { full_at: 2 });
    expect(received(pool) - before).toBe(6);
    const { out } = await done(first.run("explain", "--json"));
    expect(out).toContain(
      "at its share of 2 concurrent turns, because this replica does not hear from the others",
    );
    for (const _turn of more) pool.mock.faults.release();
    for (const answer of await Promise.all(more)) expect(answer).toBe("Hello from alice");
  }, 240_000);
});
