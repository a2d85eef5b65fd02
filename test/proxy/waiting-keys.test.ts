// The limits of a client's key while its turn waits for a reset: the limits at the moment when it continues apply.

import { describe, expect, test } from "bun:test";
import { remoteKeys } from "../../src/admin/client.ts";
import { socketDoor } from "../../src/admin/door.ts";
import type { KeyLimits } from "../../src/core/key-limits.ts";
import { createSocketClient, createSseClient } from "../../src/mock/client.ts";
import { type SkippingClock, skippingClock } from "../support/clock.ts";
import { startPool, type TestPool } from "../support/pool.ts";
import { continued, outcomeOf, turnsWait } from "../support/waiting.ts";

const WINDOW_MS = 5 * 3_600_000;
const CONFIG = '[proxy]\nname = "p"\nclient_auth = true\nwait_for_reset = "6h"\n[policy]\nmode = "sticky"\n';

/** Starts a turn that waits, from a client whose key has `limits`. */
async function startWaiting(
  createClient: typeof createSseClient,
  clock: SkippingClock,
  limits: KeyLimits,
): Promise<{ pool: TestPool; keys: ReturnType<typeof remoteKeys>; second: Promise<string> }> {
  const pool = await startPool({ accounts: [{ alias: "alice", turns: 1 }], config: CONFIG, clock });
  const keys = remoteKeys(socketDoor(pool.layout.adminSocket));
  const key = await keys.add("laptop", "client", undefined, limits);
  const client = createClient(pool.url, "s", { authorization: `Bearer ${key}`, originator: "codex_exec" });
  expect(await client.turn("one")).toBe("Hello from alice");
  const second = outcomeOf(client.turn("two")).finally(() => client.close());
  await turnsWait(pool, 1);
  return { pool, keys, second };
}

describe.each([
  ["HTTP", createSseClient],
  ["WebSocket", createSocketClient],
] as const)("over %s a turn that waited", (_name, createClient) => {
  test("continues if its key still allows it, and counts once", async () => {
    const clock = skippingClock();
    const { pool, second } = await startWaiting(createClient, clock, { turnsPerMinute: 2 });
    await using _pool = pool;
    clock.skip(WINDOW_MS);
    expect(await continued(pool, clock, second)).toBe("Hello from alice");
  });

  test("is refused if its key has expired", async () => {
    const clock = skippingClock();
    const { pool, second } = await startWaiting(createClient, clock, {
      expiresMs: clock.now() + WINDOW_MS / 2,
    });
    await using _pool = pool;
    clock.skip(WINDOW_MS);
    expect(await continued(pool, clock, second)).toContain("the key laptop expired on");
  });

  test("is refused until midnight if its key has used its tokens of the day", async () => {
    const clock = skippingClock();
    const { pool, keys, second } = await startWaiting(createClient, clock, { tokensPerDay: 1_000_000 });
    await using _pool = pool;
    await keys.set("laptop", { limits: { tokensPerDay: 1 } });
    await pool.accounts.serve("alice", "enable");
    const refused = await continued(pool, clock, second);
    expect(refused).toContain("usage_limit_reached");
    expect(refused).toContain("the key laptop has used its 1 tokens for today");
  });

  test("is refused if its key no longer allows the model", async () => {
    const clock = skippingClock();
    const { pool, keys, second } = await startWaiting(createClient, clock, { turnsPerMinute: 9 });
    await using _pool = pool;
    await keys.set("laptop", { limits: { models: ["other-*"] } });
    clock.skip(WINDOW_MS);
    expect(await continued(pool, clock, second)).toContain("the key laptop cannot use the model");
  });

  test("ends immediately if its key is removed", async () => {
    const clock = skippingClock();
    const { pool, keys, second } = await startWaiting(createClient, clock, { turnsPerMinute: 9 });
    await using _pool = pool;
    await keys.remove("laptop");
    const ended = await second;
    await turnsWait(pool, 0);
    // The WebSocket is closed, and the next handshake is refused.
    if (createClient === createSseClient)
      expect(ended).toMatch(/status 400: the key of this request has been removed/);
    else expect(ended).not.toContain("Hello");
    const events = await pool.stopAndReadEvents();
    expect(events.findLast(({ event }) => event === "request.wait_ended")?.fields?.reason).toBe(
      "client_left",
    );
  });
});
