// What happens to a renewal when the replica that does it, or the engine, is killed or stopped in the middle.

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createSseClient } from "../../src/mock/client.ts";
import { until } from "../support/pool.ts";
import { whyNoRedis } from "../support/redis.ts";
import { type Replica, type Replicas, startReplicas } from "../support/replicas.ts";

/** Shorter than the time ahead of which logins are renewed, so each replica wants to renew at its start. */
const TOKEN_SECONDS = 300;
const PATIENCE_MS = 60_000;

const sentTokens = ({ mock }: Replicas): string[] =>
  mock.requests
    .filter(({ point }) => point === "token")
    .map(({ json }) => (json as { refresh_token: string }).refresh_token);

const tokenOf = ({ layout }: Replica): string =>
  JSON.parse(readFileSync(join(layout.accounts, "alice", "auth.json"), "utf8")).tokens.refresh_token;

const hello = ({ url }: Replica) => createSseClient(url, crypto.randomUUID()).turn("hello");

/** The replica that has its turn, once it has sent the token. */
async function renewing(pool: Replicas): Promise<Replica> {
  await until("a token is sent", () => sentTokens(pool).length === 1, PATIENCE_MS);
  const turn = (await pool.redis.cli("HVALS", "{codexlb:default}:turns")).split(" ").at(-1);
  return pool.list.find(({ layout }) => JSON.parse(readFileSync(layout.cluster, "utf8")).replica === turn)!;
}

const allHaveNew = (pool: Replicas, before: string) =>
  until(
    "all replicas have the new login",
    () => new Set(pool.list.map(tokenOf)).size === 1 && tokenOf(pool.list[0]!) !== before,
    PATIENCE_MS,
  );

describe.skipIf(whyNoRedis !== undefined)("a renewal", () => {
  test("of a replica that is killed is repeated only by that replica, when it starts again", async () => {
    await using pool = await startReplicas({
      aliases: ["alice"],
      tokenSeconds: TOKEN_SECONDS,
      faults: [{ on: "token", hang: true, times: 1 }],
    });
    const before = tokenOf(pool.list[0]!);
    const killed = await renewing(pool);
    process.kill(killed.pid, "SIGKILL");
    for (const replica of pool.list)
      if (replica !== killed) expect(await hello(replica)).toBe("Hello from alice");
    expect(sentTokens(pool)).toEqual([before]);
    await killed.start();
    await allHaveNew(pool, before);
    // The backend never answered the first request, so the token still worked.
    expect(sentTokens(pool).slice(0, 2)).toEqual([before, before]);
    for (const replica of pool.list) expect(await hello(replica)).toBe("Hello from alice");
    const { err } = await killed.stop();
    expect(err).toContain("did not finish renewing the login of alice");
  }, 120_000);

  test("of a replica that is stopped for a while is not repeated", async () => {
    await using pool = await startReplicas({
      aliases: ["alice"],
      tokenSeconds: TOKEN_SECONDS,
      faults: [{ on: "token", delayMs: 2_000, times: 1 }],
    });
    const before = tokenOf(pool.list[0]!);
    const stopped = await renewing(pool);
    process.kill(stopped.pid, "SIGSTOP");
    await until("the backend has answered", () => !pool.mock.accounts.isLive(before), PATIENCE_MS);
    for (const replica of pool.list)
      if (replica !== stopped) expect(await hello(replica)).toBe("Hello from alice");
    process.kill(stopped.pid, "SIGCONT");
    await allHaveNew(pool, before);
    expect(new Set(sentTokens(pool)).size).toBe(sentTokens(pool).length);
    expect(pool.mock.accounts.isLive(tokenOf(pool.list[0]!))).toBe(true);
  }, 120_000);

  test("of a replica that shuts down is finished first", async () => {
    await using pool = await startReplicas({
      aliases: ["alice"],
      tokenSeconds: TOKEN_SECONDS,
      faults: [{ on: "token", delayMs: 1_000, times: 1 }],
    });
    const before = tokenOf(pool.list[0]!);
    const replica = await renewing(pool);
    expect((await replica.stop()).code).toBe(0);
    expect(pool.mock.accounts.isLive(tokenOf(replica))).toBe(true);
    await allHaveNew(pool, before);
    expect(new Set(sentTokens(pool)).size).toBe(sentTokens(pool).length);
  }, 120_000);

  test("during which the engine is killed reaches the others when it is back", async () => {
    await using pool = await startReplicas({
      aliases: ["alice"],
      tokenSeconds: TOKEN_SECONDS,
      faults: [{ on: "token", delayMs: 2_000, times: 1 }],
    });
    const before = tokenOf(pool.list[0]!);
    const replica = await renewing(pool);
    await pool.redis.kill();
    await until("the login is on disk", () => tokenOf(replica) !== before, PATIENCE_MS);
    for (const one of pool.list) expect(await hello(one)).toBe("Hello from alice");
    expect(sentTokens(pool)).toEqual([before]);
    await pool.redis.restart();
    await allHaveNew(pool, before);
    expect(new Set(sentTokens(pool)).size).toBe(sentTokens(pool).length);
  }, 120_000);
});
