// Automatic spending of reset credits: on records without a backend, and once through a running proxy.

import { expect, test } from "bun:test";
import type { RedeemRequest } from "../../src/auth/redeem-ops.ts";
import { ALL_WORK, type WorkLeases } from "../../src/cluster/work-leases.ts";
import type { RedeemResult } from "../../src/core/redemption.ts";
import { newAccount } from "../../src/state/account-record.ts";
import { noteResets } from "../../src/state/record-figures.ts";
import { createAutoRedeemer } from "../../src/upstream/auto-redeemer.ts";
import { fakeClock } from "../support/clock.ts";
import { startPool, until } from "../support/pool.ts";
import { exhaustedAccount, watchedAccount, watchedPool } from "../support/troubles.ts";

const HOUR = 3_600_000;

/** A pool with one account, which is exhausted for two days. `end`: the outcome of each attempt. */
function rig(end: RedeemResult, leases: Pick<WorkLeases, "take" | "holds"> = ALL_WORK) {
  const clock = fakeClock();
  const record = newAccount("alice", "/alice", {
    resetCredits: { count: 2, credits: undefined, asOfMs: clock.now() },
  });
  const requests: RedeemRequest[] = [];
  const wanted: (boolean | undefined)[] = [];
  const said: string[] = [];
  let isExhausted = true;
  const redeemer = createAutoRedeemer({
    deps: { clock, log: { info: (text) => void said.push(text), warn: (text) => void said.push(text) } },
    store: {
      state: {
        accounts: [record],
        activeId: undefined,
        pinnedId: undefined,
        messageCounter: 0,
        lastRotationMs: 0,
      },
      touch: () => {},
    },
    pool: {
      watched: () =>
        watchedPool([
          isExhausted ? exhaustedAccount("alice", clock.now() + 48 * HOUR) : watchedAccount("alice"),
        ]),
    },
    redeemer: {
      redeem: async (_record, request) => {
        requests.push(request);
        wanted.push(request.isWanted?.());
        request.noteSpending?.();
        return end;
      },
    },
    leases,
    settings: () => ({ when: "pool_exhausted", minWaitMs: 12 * HOUR, keep: 1, perDay: 1 }),
  });
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  return {
    record,
    requests,
    wanted,
    said,
    redeemer,
    setExhausted: (value: boolean) => {
      isExhausted = value;
    },
    start: () => {
      redeemer.start();
      return settled();
    },
    pass: (ms: number) => {
      clock.advance(ms);
      return settled();
    },
    clock,
  };
}

const RESET: RedeemResult = { kind: "reset", repeated: false, windowsReset: 2, problem: undefined };

test("a credit is spent once in a day, and the attempt and its success are recorded", async () => {
  const { start, pass, requests, wanted, record, said, clock, redeemer } = rig(RESET);
  await start();
  expect(requests.map(({ by }) => by)).toEqual(["auto"]);
  expect(wanted).toEqual([true]);
  expect(record.autoRedeems).toMatchObject({ attempts: 1, redeemedMs: clock.now() });
  expect(said).toEqual([
    "policy.auto_redeem: spent a reset credit of alice, because every account was exhausted",
  ]);
  for (let minute = 0; minute < 30; minute++) await pass(60_000);
  expect(requests.length).toBe(1);
  redeemer.stop();
});

test("none is spent while an account has room", async () => {
  const { start, pass, setExhausted, requests, redeemer } = rig(RESET);
  setExhausted(false);
  await start();
  await pass(60_000);
  expect(requests).toEqual([]);
  setExhausted(true);
  await pass(30_000);
  expect(requests.length).toBe(1);
  redeemer.stop();
});

test("a request without an outcome is repeated after a pause, even if no attempts are left for the day", async () => {
  const { start, pass, record, requests, said, redeemer, clock } = rig({
    kind: "failed",
    why: "no answer",
    isOpen: true,
  });
  await start();
  noteResets(record, { redemption: { requestId: "r", creditId: undefined, sinceMs: clock.now() } });
  for (let half = 0; half < 19; half++) await pass(30_000);
  expect(requests.length).toBe(1);
  for (let half = 0; half < 2; half++) await pass(30_000);
  expect(requests.length).toBe(2);
  expect(said[0]).toBe("policy.auto_redeem: spending a reset credit of alice failed: no answer");
  redeemer.stop();
});

test("a running proxy spends one, and the account serves again", async () => {
  const clock = fakeClock(Date.now());
  await using pool = await startPool({
    accounts: [{ alias: "alice", turns: 1, resets: 2 }],
    clock,
    config: '[policy]\nauto_redeem = { when = "pool_exhausted", min_wait = "1h" }\n',
    prepare: (_layout, mock) => void mock.accounts.spend(mock.accounts.byAlias("alice"), "m"),
  });
  const account = pool.mock.accounts.byAlias("alice");
  await until("its figures are known", async () => (await pool.status()).accounts[0]?.daily_left_pct === 0);
  clock.advance(30_000);
  await until("a credit was spent", () => account.resets?.length === 1);
  await until("it has room", async () => (await pool.status()).accounts[0]?.daily_left_pct === 100);
  const spent = async () =>
    (await pool.accounts.show("alice")).events.find(({ event }) => event === "account.redeemed");
  await until("it is recorded", async () => (await spent()) !== undefined);
  expect((await spent())?.fields).toMatchObject({ by: "auto", outcome: "reset", credits_left: 1 });
});

test("only the replica with the lease spends one, and it keeps the lease during the pause", async () => {
  const jobs: string[] = [];
  let isOwn = false;
  const { start, pass, requests, wanted, redeemer } = rig(RESET, {
    take: async (wantedJobs) => {
      jobs.push(...wantedJobs);
      return new Set(isOwn ? wantedJobs : []);
    },
    holds: () => false,
  });
  await start();
  expect([jobs, requests]).toEqual([["auto-redeem"], []]);
  isOwn = true;
  await pass(30_000);
  expect(requests.length).toBe(1);
  // The lease ended while the figures were read, so another replica may have it.
  expect(wanted).toEqual([false]);
  await pass(30_000);
  expect([jobs.length, requests.length]).toEqual([3, 1]);
  redeemer.stop();
});
