// Tests that every replica reports the turns and switches of all, with real processes.

import { describe, expect, test } from "bun:test";
import { readSecret } from "../../src/auth/secrets.ts";
import { StatusAnswer } from "../../src/core/status-schema.ts";
import { UsageReport } from "../../src/core/usage-report.ts";
import { createSocketClient, createSseClient } from "../../src/mock/client.ts";
import { until } from "../support/pool.ts";
import { whyNoRedis } from "../support/redis.ts";
import { done, type Replica, type Replicas, startReplicas } from "../support/replicas.ts";

/** Replicas exchange records within seconds; an engine that was lost is found again within five more. */
const EXCHANGED_MS = 60_000;

async function usageOf(replica: Replica, by = "day"): Promise<UsageReport> {
  const { out } = await done(replica.run("usage", "--by", by, "--json"));
  return UsageReport.parse(JSON.parse(out));
}

/** Tokens and reported turns, as `sentUsage` of the backend counts them. */
async function sumsOf(replica: Replica) {
  const { turns, input_tokens, cached_input_tokens, output_tokens, reasoning_tokens } = (
    await usageOf(replica)
  ).total;
  return {
    responses: turns,
    input: input_tokens,
    cachedInput: cached_input_tokens,
    output: output_tokens,
    reasoning: reasoning_tokens,
  };
}

/** Waits until each of `replicas` reports what the backend has counted. */
async function allAgree({ mock }: Replicas, replicas: readonly Replica[]): Promise<void> {
  const sent = mock.sentUsage();
  for (const replica of replicas)
    await until(
      `the usage of ${replica.layout.root} is that of the backend`,
      async () => Bun.deepEquals(await sumsOf(replica), sent),
      EXCHANGED_MS,
    );
}

const hello = (replica: Replica, session: string = crypto.randomUUID()) =>
  createSseClient(replica.url, session).turn("hello");

async function nameOf({ url }: Replica): Promise<string> {
  return ((await (await fetch(`${url}/status`)).json()) as { proxy_name: string }).proxy_name;
}

const isGone = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
};

/** Kills the proxy and waits for its end. */
async function kill({ pid }: Replica): Promise<void> {
  process.kill(pid, "SIGKILL");
  await until("the proxy is gone", () => isGone(pid));
}

describe.skipIf(whyNoRedis !== undefined)("the usage of a pool", () => {
  test("is the same on every replica, and equals what the backend has counted", async () => {
    await using pool = await startReplicas({ aliases: ["alice", "bob"] });
    const turns = pool.list.flatMap((replica, index) =>
      [createSseClient, createSocketClient].map(async (create) => {
        const client = create(replica.url, crypto.randomUUID());
        for (let turn = 0; turn < 5 + index; turn++) await client.turn(`turn ${turn}`);
        client.close();
      }),
    );
    await Promise.all(turns);
    expect(pool.mock.sentUsage().responses).toBe(36);
    await allAgree(pool, pool.list);
    const names = await Promise.all(pool.list.map(nameOf));
    const reports = await Promise.all(pool.list.map((replica) => usageOf(replica, "proxy")));
    for (const { lines } of reports)
      expect(lines.map(({ name, turns }) => `${name} ${turns}`).sort()).toEqual(
        names.map((name, index) => `${name} ${10 + 2 * index}`).sort(),
      );
    const [first, ...others] = await Promise.all(pool.list.map((replica) => usageOf(replica, "session")));
    for (const { lines } of others) expect(lines).toEqual(first!.lines);
    expect((await pool.list[0]!.run("simulate")).err).toContain("the history is too short: 36 turns on ");
  }, 120_000);

  test("has every turn once after a kill, and after a time without the engine", async () => {
    await using pool = await startReplicas({ aliases: ["alice"] });
    const [a, b, c] = pool.list as [Replica, Replica, Replica];
    await hello(a);
    await allAgree(pool, pool.list);
    await pool.redis.kill();
    for (let turn = 0; turn < 5; turn++) for (const replica of pool.list) await hello(replica);
    // A report has all turns up to now, so they are on disk.
    expect((await sumsOf(a)).responses).toBe(6);
    await kill(a);
    await pool.redis.restart();
    await a.start();
    await allAgree(pool, pool.list);
    // A kill at any moment of an exchange repeats nothing.
    for (let round = 0; round < 5; round++) {
      await Promise.all(pool.list.map((replica) => hello(replica)));
      for (const replica of pool.list) expect((await sumsOf(replica)).responses).toBeGreaterThan(0);
      await kill(b);
      await b.start();
    }
    await allAgree(pool, [a, b, c]);
  }, 240_000);

  test("is complete after the engine was emptied while a replica was away, and after a change of the key", async () => {
    await using pool = await startReplicas({ aliases: ["alice"] });
    const [a, b, c] = pool.list as [Replica, Replica, Replica];
    for (const replica of pool.list) await hello(replica);
    await allAgree(pool, pool.list);
    await c.stop();
    for (let turn = 0; turn < 5; turn++) for (const replica of [a, b]) await hello(replica);
    await allAgree(pool, [a, b]);
    await pool.redis.cli("FLUSHALL");
    await c.start();
    await allAgree(pool, pool.list);
    for (const replica of pool.list) await hello(replica);
    await allAgree(pool, pool.list);
    await done(a.run("cluster", "rekey"));
    for (const replica of pool.list) await hello(replica);
    await allAgree(pool, pool.list);
    for (const replica of pool.list)
      expect((await done(replica.run("proxy", "logs", "--tail", "0"))).out).not.toContain("cluster.records_");
  }, 240_000);

  test("names the replica on which a turn moved, in status, account show and the log of the others", async () => {
    await using pool = await startReplicas({ aliases: ["alice", "bob"] });
    const [a, b] = pool.list as [Replica, Replica, Replica];
    const name = await nameOf(a);
    const client = createSseClient(a.url, crypto.randomUUID());
    const moved = async () => {
      await done(a.run("account", "pin", (await client.turn("hello")).endsWith("alice") ? "bob" : "alice"));
      return (await client.turn("hello again")).replace("Hello from ", "");
    };
    const to = await moved();
    const switchesOf = async ({ url }: Replica) =>
      StatusAnswer.parse(await (await fetch(`${url}/status`)).json()).switches ?? [];
    await until("the others know the switch", async () => (await switchesOf(b)).length > 0, EXCHANGED_MS);
    const [own] = await switchesOf(a);
    const { at_ms: atMs, ...about } = own!;
    expect(about).toMatchObject({ to, reason: "pinned", count: 1 });
    expect(await switchesOf(b)).toEqual([{ ...about, at_ms: atMs, replica: name }]);
    const words = `${to} is pinned`;
    expect((await done(b.run("account", "show", to))).out).toContain(`${words} (on ${name})`);
    expect((await done(b.run("proxy", "logs", "--tail", "0", "--all"))).out).toContain(
      `"account_alias":"${to}","at_ms":${atMs}`,
    );
    // A proxy that starts reads the last switches from its log.
    await b.stop();
    await b.start();
    expect(await switchesOf(b)).toEqual([{ ...about, at_ms: atMs, replica: name }]);
    const metrics = await fetch(`${b.url}/metrics`, {
      headers: { authorization: `Bearer ${readSecret(b.layout.adminToken)}` },
    });
    expect(await metrics.text()).not.toMatch(/^codexlb_switches_total\{.*pinned/m);
  }, 120_000);
});
