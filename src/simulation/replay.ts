// Repeats recorded turns at their times, through the real pool, on accounts with the measured windows. The cost of a
// turn depends on the account of the session's previous turn.

import { localMoments } from "../core/anchor/anchor-times.ts";
import type { ReplayTurn } from "../core/replay/recorded-turn.ts";
import type { AccountRecord } from "../state/account-record.ts";
import type { AnchorSettings } from "../upstream/anchor-plan.ts";
import type { Lease } from "../upstream/leases.ts";
import type { PoolSettings } from "../upstream/pool.ts";
import { createAgenda } from "./agenda.ts";
import { ANCHOR_STEP_MS, createAnchoring } from "./anchoring.ts";
import { placeTurn } from "./place-turn.ts";
import { type AccountSpec, createSimulatedAccount } from "./simulated-account.ts";
import { createSimulatedPool } from "./simulated-pool.ts";

/** An account with its windows. Costs are in USD at API prices. */
export interface ReplayAccount {
  /** A new record, whose figures and health come only from the simulation. */
  readonly record: AccountRecord;
  readonly windows: AccountSpec["windows"];
  readonly plan: string;
}

export interface ReplaySetup {
  readonly accounts: readonly ReplayAccount[];
  readonly settings: PoolSettings;
  /** Undefined: no account is anchored. */
  readonly anchor: AnchorSettings | undefined;
  /** In order of time. */
  readonly turns: readonly ReplayTurn[];
  /** The period, Unix ms. */
  readonly sinceMs: number;
  readonly untilMs: number;
}

export interface ReplayResult {
  /** When the refused turns began, Unix ms. */
  readonly refusedMs: readonly number[];
  /**
   * How long no account could serve, from refused turns to the next reset, ms. Times that overlap count once. Without
   * accounts, the time ends with the period.
   */
  readonly waitMs: number;
  /** The unspent share of the longer windows that were reset; undefined if none was. */
  readonly wasted: number | undefined;
  /** Turns on another account than the session's previous turn. */
  readonly moves: number;
  readonly inputTokens: number;
  /** The part of it that was in the cache. */
  readonly cachedTokens: number;
  /** What the turns with a known price would cost, in USD at API prices. */
  readonly usd: number;
}

/** Equal setups give equal results. */
export function replay(setup: ReplaySetup): ReplayResult {
  const { turns, sinceMs, untilMs, settings } = setup;
  let nowMs = sinceMs;
  const accounts = new Map(
    setup.accounts.map(({ record, windows, plan }) => [
      record.id,
      createSimulatedAccount({ id: record.id, plan, windows }),
    ]),
  );
  const { pool, store } = createSimulatedPool({
    // The pool changes its records, and a setup may be repeated.
    records: setup.accounts.map(({ record }) => ({ ...record })),
    clock: { now: () => nowMs, monotonic: () => nowMs, after: () => () => {} },
    settings,
  });
  const homes = new Map<string, string>();
  const refusedMs: number[] = [];
  const sums = { waitMs: 0, moves: 0, inputTokens: 0, cachedTokens: 0, usd: 0 };
  let closedUntilMs = 0;
  let polledMs = Number.NEGATIVE_INFINITY;

  /** The proxy also polls while nothing happens, but only the last figures before a turn matter. */
  const poll = (): void => {
    if (nowMs - polledMs < POLL_MS) return;
    polledMs = nowMs;
    for (const account of accounts.values()) pool.learn(account.id, account.figures(nowMs, "usage_api"));
  };

  const refuse = (): void => {
    refusedMs.push(nowMs);
    const ends = [...accounts.values()].map((account) => account.roomMs()).filter((atMs) => atMs > nowMs);
    // Without accounts there is no reset to wait for.
    const backMs = accounts.size === 0 ? untilMs : ends.length === 0 ? nowMs : Math.min(...ends);
    sums.waitMs += Math.max(0, backMs - Math.max(nowMs, closedUntilMs));
    closedUntilMs = Math.max(closedUntilMs, backMs);
  };

  const serve = ({ session, inputTokens, warm, cold, isPriced }: ReplayTurn): Lease | undefined => {
    const placed = placeTurn(pool, accounts, { session }, nowMs);
    if (placed === undefined) {
      refuse();
      return undefined;
    }
    const { account, lease } = placed;
    const home = session === undefined ? undefined : homes.get(session);
    // A session's first turn has as much in the cache as when it was recorded.
    const { usd, cachedTokens } = home === account.id ? warm : cold;
    if (home !== undefined && home !== account.id) sums.moves++;
    if (session !== undefined) homes.set(session, account.id);
    account.spend(usd, nowMs);
    sums.inputTokens += inputTokens;
    sums.cachedTokens += cachedTokens;
    if (isPriced) sums.usd += usd;
    lease.learn(account.figures(nowMs, "headers"));
    lease.settle({ kind: "ok" }, { turn: true });
    return lease;
  };

  const todo = createAgenda();
  const begin = (index: number): void => {
    const turn = turns[index];
    if (turn === undefined) return;
    todo.at(turn.atMs, () => {
      begin(index + 1);
      poll();
      const lease = serve(turn);
      if (lease !== undefined) todo.at(Math.max(turn.endMs, nowMs), lease.release);
    });
  };
  begin(0);
  if (setup.anchor?.enabled === true) {
    const anchoring = createAnchoring({
      pool,
      store,
      accounts,
      settings: setup.anchor,
      cost: ANCHOR_USD,
      moments: localMoments,
    });
    for (let atMs = sinceMs; atMs < untilMs; atMs += ANCHOR_STEP_MS)
      todo.at(atMs, () => {
        poll();
        anchoring(nowMs);
      });
  }
  todo.run(untilMs, (atMs) => {
    nowMs = atMs;
    for (const account of accounts.values()) account.roll(nowMs);
  });
  const wasted = [...accounts.values()].map((account) => account.wasted);
  const resets = wasted.reduce((sum, one) => sum + one.resets, 0);
  return {
    ...sums,
    refusedMs,
    wasted: resets === 0 ? undefined : wasted.reduce((sum, one) => sum + one.left, 0) / resets,
  };
}

// --- internal ---

/** How old figures become before they are polled again. */
const POLL_MS = 10 * 60_000;
/** A few dozen tokens at the price of a small model. */
const ANCHOR_USD = 0.00001;
