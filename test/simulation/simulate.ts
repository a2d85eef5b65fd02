// Runs sessions through the real pool in a simulated world, and counts the results.

import type { OptionValues, SpendFloors } from "../../src/core/account-options.ts";
import type { PolicyMode } from "../../src/core/policy.ts";
import type { AnchorSettings } from "../../src/upstream/anchor-plan.ts";
import type { Lease } from "../../src/upstream/leases.ts";
import type { Pool } from "../../src/upstream/pool.ts";
import { memoryPool } from "../support/memory-pool.ts";
import { createAgenda } from "./agenda.ts";
import { ANCHOR_STEP_MS, createAnchoring } from "./anchoring.ts";
import { type Demand, sessionsOf } from "./demand.ts";
import {
  createWorld,
  DAY_MS,
  HOUR_MS,
  idOf,
  MINUTE_MS,
  sequence,
  type World,
  type WorldAccount,
} from "./world.ts";

export interface Setup extends Demand {
  readonly mode: PolicyMode;
  readonly affinity: boolean;
  readonly seed: number;
  /** The options of accounts, by their names (`a0`, `a1`, ...). Default: none. */
  readonly options?: Readonly<Record<string, OptionValues>>;
  /** Default `last`. */
  readonly spendFloors?: SpendFloors;
  /** When accounts are anchored. Default: never. */
  readonly anchor?: AnchorTimes;
  /** True if each account has a monthly window in place of its weekly one. Default false. */
  readonly monthly?: boolean;
}

/** The settings of `[anchor]` that matter here. */
export type AnchorTimes = Pick<AnchorSettings, "at" | "stagger">;

export interface Figures {
  readonly turns: number;
  /** Turns that were refused although an account had quota that it may spend. */
  readonly refusedWithRoom: number;
  /** Turns that were refused because no account had such quota. */
  readonly refused: number;
  /** The unspent share of the weekly windows that were reset. */
  readonly wasted: number;
  /** Turns on another account than the session's previous turn. */
  readonly moves: number;
  /** The share of turns whose prompt was in the cache. The first turn of each session does not count. */
  readonly cacheHits: number;
  /** Turns on an account at its floor, although another account had room above its own. */
  readonly crossedWithRoom: number;
  /** The share of turns that the first account served. */
  readonly onFirst: number;
  /** The least of the first account's week that was left when a turn began on it, 0..1. */
  readonly leastOfFirst: number;
  /** The hours from each refused turn to the next time at which an exhausted account has quota, added up. */
  readonly waitHours: number;
  /** The number of anchor turns. */
  readonly anchors: number;
}

const POLL_MS = 10 * MINUTE_MS;
const START_MS = Date.UTC(2026, 0, 5);

export function simulate(setup: Setup): Figures {
  const random = sequence(setup.seed);
  const world = createWorld(setup.accounts, START_MS, random, setup.monthly);
  const { options = {}, spendFloors = "last" } = setup;
  const counts = {
    turns: 0,
    refusedWithRoom: 0,
    refused: 0,
    moves: 0,
    later: 0,
    hits: 0,
    crossed: 0,
    first: 0,
    leastOfFirst: 1,
    waitMs: 0,
    anchors: 0,
  };
  let nowMs = START_MS;
  const { pool, store } = memoryPool({
    aliases: world.accounts.map(({ index }) => `a${index}`),
    clock: { now: () => nowMs, monotonic: () => nowMs, after: () => () => {} },
    mode: setup.mode,
    affinity: setup.affinity,
    quotaTtlMs: 30 * MINUTE_MS,
    fileOptions: options,
    spendFloors,
  });
  const todo = createAgenda();
  const homes = new Map<number, number>();

  const isAboveFloor = (account: WorldAccount): boolean => {
    const { floorDaily = 0, floorWeekly = 0 } = options[`a${account.index}`] ?? {};
    const { short, week } = account.left();
    const isHeld = (share: number, floor: number) => floor > 0 && share <= floor / 100;
    return account.hasRoom() && !isHeld(short, floorDaily) && !isHeld(week, floorWeekly);
  };

  const turn = (session: number, left: number): void => {
    const isAnyAbove = world.accounts.some(isAboveFloor);
    const lease = take(pool, world, session, nowMs);
    counts.turns++;
    if (lease === undefined) {
      const hasRoom = (one: WorldAccount) => (spendFloors === "never" ? isAboveFloor(one) : one.hasRoom());
      if (world.accounts.some(hasRoom)) counts.refusedWithRoom++;
      else counts.refused++;
      const ends = world.accounts.filter((one) => !one.hasRoom()).map((one) => one.roomMs());
      if (ends.length > 0) counts.waitMs += Math.min(...ends) - nowMs;
      return; // the session ends
    }
    const account = accountOf(world, lease);
    if (isAnyAbove && !isAboveFloor(account)) counts.crossed++;
    if (account.index === 0) {
      counts.first++;
      counts.leastOfFirst = Math.min(counts.leastOfFirst, account.left().week);
    }
    const { warm } = account.serve(session, nowMs);
    const home = homes.get(session);
    if (home !== undefined) {
      counts.later++;
      if (warm) counts.hits++;
      if (home !== account.index) counts.moves++;
    }
    homes.set(session, account.index);
    lease.learn(account.figures(nowMs, "headers"));
    lease.settle({ kind: "ok" }, { turn: true });
    todo.at(nowMs + 5_000 + random() * 55_000, () => {
      lease.release();
      if (left > 1) todo.at(nowMs + 10_000 + random() * 3 * MINUTE_MS, () => turn(session, left - 1));
    });
  };

  for (const [session, { atMs, turns }] of sessionsOf(setup, START_MS, random).entries())
    todo.at(atMs, () => turn(session, turns));
  const endMs = START_MS + setup.days * DAY_MS;
  for (let atMs = START_MS; atMs < endMs; atMs += POLL_MS)
    todo.at(atMs, () => {
      for (const account of world.accounts)
        pool.learn(idOf(account.index), account.figures(nowMs, "usage_api"));
    });
  if (setup.anchor !== undefined) {
    const anchoring = createAnchoring({ pool, store, accounts: world.accounts, times: setup.anchor });
    for (let atMs = START_MS; atMs < endMs; atMs += ANCHOR_STEP_MS)
      todo.at(atMs, () => {
        counts.anchors += anchoring(nowMs);
      });
  }
  todo.run(endMs, (atMs) => {
    nowMs = atMs;
    world.roll(nowMs);
  });
  return {
    turns: counts.turns,
    refusedWithRoom: counts.refusedWithRoom,
    refused: counts.refused,
    wasted: world.wasted.resets === 0 ? 0 : world.wasted.left / world.wasted.resets,
    moves: counts.moves,
    cacheHits: counts.later === 0 ? 0 : counts.hits / counts.later,
    crossedWithRoom: counts.crossed,
    onFirst: counts.first / counts.turns,
    leastOfFirst: counts.leastOfFirst,
    waitHours: counts.waitMs / HOUR_MS,
    anchors: counts.anchors,
  };
}

// --- internal ---

/** A small attempt loop. If an account refuses a turn for its limit, the pool learns that and picks the next one. */
function take(pool: Pool, world: World, session: number, nowMs: number): Lease | undefined {
  const tried = new Set<string>();
  for (;;) {
    const lease = pool.pick({ hops: [], session: `s${session}`, tried, spends: true, requestId: 0 });
    if (lease === undefined) return undefined;
    const account = accountOf(world, lease);
    if (account.hasRoom()) return lease;
    tried.add(lease.upstream.id);
    lease.settle({ kind: "limit", untilMs: account.roomMs() });
    lease.learn(account.figures(nowMs, "headers"));
    lease.release();
  }
}

function accountOf(world: World, { upstream }: Lease) {
  const account = world.accounts[Number(upstream.label.slice(1))];
  if (account === undefined) throw new Error(`no account ${upstream.label}`);
  return account;
}
