// Which replica polls the usage of an account: the one that has the lease.

import { expect, test } from "bun:test";
import { ALL_WORK, type WorkLeases } from "../../src/cluster/work-leases.ts";
import { newAccount } from "../../src/state/account-record.ts";
import { createRefresher } from "../../src/upstream/refresher.ts";
import { fakeClock } from "../support/clock.ts";

const TICK_MS = 15_000;
const INTERVAL_MS = 60_000;

/**
 * A replica with two accounts, whose polls fail, because the pool has no upstream for them. `quotaSyncMs`: when the
 * second one was polled last.
 */
function rig(leases: Partial<WorkLeases>, quotaSyncMs = 0) {
  const clock = fakeClock();
  const accounts = [newAccount("alice", "/alice"), newAccount("bob", "/bob", { quotaSyncMs })];
  const polled: unknown[] = [];
  const refresher = createRefresher({
    deps: { clock, random: (bytes) => new Uint8Array(bytes), log: { info: () => {}, warn: () => {} } },
    store: {
      state: { accounts, activeId: undefined, pinnedId: undefined, messageCounter: 0, lastRotationMs: 0 },
      touch: () => {},
      flush: () => {},
      close: () => {},
    },
    pool: { accountOf: () => undefined, learn: () => {}, note: () => {}, disable: () => {} },
    events: {
      append: (_event, fields) => void polled.push(fields?.account_id),
    } as Parameters<typeof createRefresher>[0]["events"],
    settings: () => ({ intervalMs: INTERVAL_MS, intervalMessages: 10, timeoutMs: 1_000 }),
    resetCredits: { noteUsage: async () => {} },
    leases: { ...ALL_WORK, ...leases },
  });
  return {
    polled,
    start: async () => {
      refresher.start();
      await new Promise((resolve) => setImmediate(resolve));
    },
    pass: async (ms: number) => {
      for (let passed = 0; passed < ms; passed += TICK_MS) {
        clock.advance(TICK_MS);
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
    stop: refresher.stop,
  };
}

test("an account is polled by the replica that has its lease, which it gives back after a failure", async () => {
  const given: string[] = [];
  const { polled, start, stop } = rig({
    take: async (jobs, kind) => {
      expect([jobs, kind]).toEqual([["usage/openai:alice", "usage/openai:bob"], "shared"]);
      return new Set(["usage/openai:bob"]);
    },
    giveBack: (job) => void given.push(job),
  });
  await start();
  stop();
  expect([polled, given]).toEqual([["openai:bob"], ["usage/openai:bob"]]);
});

test("without the server of the pool, each replica polls at an interval multiplied by their number", async () => {
  const { polled, start, pass, stop } = rig({ workers: () => 3 }, fakeClock().now());
  const ofBob = () => polled.filter((id) => id === "openai:bob").length;
  await start();
  await pass(3 * INTERVAL_MS - TICK_MS);
  expect(ofBob()).toBe(0);
  await pass(TICK_MS);
  expect(ofBob()).toBe(1);
  stop();
});
