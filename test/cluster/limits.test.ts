// Limits of keys and background jobs of three replicas: executables with their own roots, over a real engine.

import { describe, expect, test } from "bun:test";
import { until } from "../support/pool.ts";
import { whyNoRedis } from "../support/redis.ts";
import { done, type Replica, type Replicas, startReplicas } from "../support/replicas.ts";

const CONFIG = '[proxy]\nclient_auth = true\n[policy]\nmode = "round_robin"\n';
const PATIENCE_MS = 60_000;
/** Turns that are sent at the same time. */
const AT_ONCE = 9;

interface Reply {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly body: string;
}

async function turn({ url }: Replica, key: string): Promise<Reply> {
  const response = await fetch(`${url}/backend-api/codex/responses`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
    body: JSON.stringify({ model: "gpt-6", stream: true, store: false, input: [] }),
  });
  return {
    status: response.status,
    retryAfter: response.headers.get("retry-after"),
    body: await response.text(),
  };
}

const tokensOf = ({ body }: Reply): number => Number(/"total_tokens":(\d+)/.exec(body)?.[1] ?? 0);

async function addKey(replicas: Replicas, ...limits: readonly string[]): Promise<string> {
  const [first, ...others] = replicas.list as [Replica, ...Replica[]];
  const { out } = await done(first.run("key", "add", "guest", ...limits));
  const key = /clb_\S+/.exec(out)?.[0] ?? "";
  for (const replica of others)
    await until("the replica has the key", async () =>
      (await replica.run("key", "list")).out.includes("guest"),
    );
  return key;
}

async function usedTokens(replica: Replica): Promise<number> {
  const { out } = await done(replica.run("key", "show", "guest", "--json"));
  return (JSON.parse(out) as { use?: { tokens_today?: number } }).use?.tokens_today ?? 0;
}

const allShow = (replicas: readonly Replica[], tokens: number) =>
  until(
    `all show ${tokens} tokens`,
    async () => (await Promise.all(replicas.map(usedTokens))).every((used) => used === tokens),
    PATIENCE_MS,
  );

/** Several clients send turns to one replica after the other until each is refused because no tokens are left. */
async function useUp(replicas: readonly Replica[], key: string) {
  let sent = 0;
  let tokens = 0;
  let unsure = 0;
  const client = async (): Promise<void> => {
    for (;;) {
      const replica = replicas[sent++ % replicas.length]!;
      const reply = await turn(replica, key);
      if (reply.status === 200) tokens += tokensOf(reply);
      else if (reply.body.includes("key_rate_limited")) {
        unsure++;
        expect([reply.status, reply.retryAfter]).toEqual([429, "10"]);
        expect(reply.body).toContain("turns in flight or other replicas may be using the rest");
        // Gives the turns in flight time to end.
        await usedTokens(replica);
      } else if (reply.body.includes("key_tokens_used")) return;
      else throw new Error(reply.body);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, client));
  return { tokens, unsure };
}

describe.skipIf(whyNoRedis !== undefined)("three replicas", () => {
  test("exceed the tokens of a key by at most one turn each, keep what was used over kill and loss, and divide what is left without the engine", async () => {
    await using pool = await startReplicas({
      aliases: ["alice", "bob"],
      config: CONFIG,
      faults: [{ on: "turn", delayMs: 50 }],
    });
    const key = await addKey(pool, "--tokens-per-day", "1G");
    const [a, b, c] = pool.list as [Replica, Replica, Replica];
    const first = await turn(a, key);
    const size = tokensOf(first);
    expect([first.status, size > 0]).toEqual([200, true]);
    await allShow(pool.list, size);

    const limit = 40 * size;
    await done(a.run("key", "set", "guest", "--tokens-per-day", String(limit)));
    for (const replica of pool.list)
      await until("the replica has the limit", async () =>
        (await replica.run("key", "show", "guest", "--json")).out.includes(String(limit)),
      );
    const { tokens, unsure } = await useUp(pool.list, key);
    const used = tokens + size;
    console.log(`a key with tokens for 40 turns: ${used / size} used, ${unsure} refusals that said to wait`);
    expect(used).toBeGreaterThanOrEqual(limit);
    expect(used).toBeLessThanOrEqual(limit + 3 * size);
    await allShow(pool.list, used);

    process.kill(b.pid, "SIGKILL");
    await pool.redis.cli("FLUSHALL");
    await b.start();
    await allShow(pool.list, used);

    const more = used + 30 * size;
    await done(a.run("key", "set", "guest", "--tokens-per-day", String(more)));
    for (const replica of pool.list)
      await until("the replica has the limit", async () =>
        (await replica.run("key", "show", "guest", "--json")).out.includes(String(more)),
      );
    await pool.redis.kill();
    for (const replica of pool.list)
      await until(
        "the replica is cut off",
        async () => (await replica.run("proxy", "logs", "--tail", "0")).out.includes("cluster.degraded"),
        PATIENCE_MS,
      );
    for (const replica of [a, b, c]) {
      let turns = 0;
      while ((await turn(replica, key)).status === 200) turns++;
      expect(turns).toBe(10);
    }
  }, 240_000);

  test("let a key begin at most its turns per minute, and one more on each replica but the first", async () => {
    await using pool = await startReplicas({ aliases: ["alice", "bob"], config: CONFIG });
    const key = await addKey(pool, "--rpm", "30");
    const replies = await Promise.all(
      Array.from({ length: 90 }, (_, index) => turn(pool.list[index % 3]!, key)),
    );
    const begun = () => replies.filter(({ status }) => status === 200).length;
    await until(
      "all turns have begun",
      async () => {
        for (const replica of pool.list) replies.push(await turn(replica, key));
        return begun() >= 30;
      },
      PATIENCE_MS,
    );
    console.log(`a key with 30 turns per minute: ${begun()} of ${replies.length} began`);
    expect(begun()).toBeLessThanOrEqual(32);
    for (const { status, body } of replies)
      if (status !== 200) expect([status, body]).toEqual([429, expect.stringContaining("key_rate_limited")]);
  }, 120_000);

  test("poll the usage of each account once", async () => {
    await using pool = await startReplicas({ aliases: ["alice", "bob"], config: CONFIG });
    const polls = () => pool.mock.requests.filter(({ point }) => point === "usage");
    await until("all accounts were polled", () => new Set(polls().map(({ account }) => account)).size === 2);
    for (const replica of pool.list) await done(replica.run("status"));
    expect(polls().length).toBeLessThanOrEqual(2);
  }, 120_000);
});
