// Runs sessions through the real pool in a simulated world, and counts the results.

import type { OptionValues, SpendFloors } from "../../src/core/account-options.ts";
import type { TimeOfDay } from "../../src/core/anchor/anchor-times.ts";
import type { PolicyMode } from "../../src/core/policy.ts";
import { createAgenda } from "../../src/simulation/agenda.ts";
import { ANCHOR_STEP_MS, createAnchoring } from "../../src/simulation/anchoring.ts";
import { placeTurn } from "../../src/simulation/place-turn.ts";
import type { AnchorSettings } from "../../src/upstream/anchor-plan.ts";
import { memoryPool } from "../support/memory-pool.ts";
import { type Demand, sessionsOf } from "./demand.ts";
import {
  ANCHOR_COST,
  createWorld,
  DAY_MS,
  HOUR_MS,
  METERED_MODEL,
  MINUTE_MS,
  sequence,
  type WorldAccount,
  type WorldOptions,
} from "./world.ts";

export interface Setup extends Demand, Pick<WorldOptions, "monthly" | "credits"> {
  readonly mode: PolicyMode;
  readonly affinity: boolean;
  readonly seed: number;
  /** The options of accounts, by their names (`a0`, `a1`, ...). Default: none. */
  readonly options?: Readonly<Record<string, OptionValues>>;
  /** Default `last`. */
  readonly spendFloors?: SpendFloors;
  /** When accounts are anchored. Default: never. */
  readonly anchor?: AnchorTimes;
  /** One in this many sessions uses the model that has its own limit. Default: none does. */
  readonly meteredEvery?: number;
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
  /** Turns that spent credits. */
  readonly onCredits: number;
  /** Those of them during which the figures of another account showed quota above its floor. */
  readonly creditsWithQuota: number;
}

const POLL_MS = 10 * MINUTE_MS;
const START_MS = Date.UTC(2026, 0, 5);

export function simulate(setup: Setup): Figures {
  const random = sequence(setup.seed);
  const { accounts: count, monthly, credits, meteredEvery } = setup;
  const meters = meteredEvery !== undefined;
  const world = createWorld({ count, startMs: START_MS, random, monthly, credits, meters });
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
    onCredits: 0,
    creditsWithQuota: 0,
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

  const modelOf = (session: number) =>
    meteredEvery !== undefined && session % meteredEvery === 0 ? METERED_MODEL : undefined;

  const isAboveFloor = (account: WorldAccount, model: string | undefined): boolean => {
    if (!account.hasQuota(model)) return false;
    const { floorDaily = 0, floorWeekly = 0 } = options[`a${account.index}`] ?? {};
    const isHeld = (share: number, floor: number) => floor > 0 && share <= floor / 100;
    const long = monthly ? "monthly" : "weekly";
    return !isHeld(account.left("short"), floorDaily) && !isHeld(account.left(long), floorWeekly);
  };

  const turn = (session: number, left: number): void => {
    const model = modelOf(session);
    const isAnyAbove = world.accounts.some((one) => isAboveFloor(one, model));
    const isAnyShown = world.accounts.some((one) => one.showsQuota(model) && isAboveFloor(one, model));
    const placed = placeTurn(pool, world.byId, { session: `s${session}`, model }, nowMs);
    counts.turns++;
    if (placed === undefined) {
      const hasRoom = (one: WorldAccount) =>
        spendFloors === "never" ? isAboveFloor(one, model) : one.canServe(model);
      if (world.accounts.some(hasRoom)) counts.refusedWithRoom++;
      else counts.refused++;
      const ends = world.accounts.map((one) => one.roomMs(model)).filter((atMs) => atMs > 0);
      if (ends.length > 0) counts.waitMs += Math.min(...ends) - nowMs;
      return; // the session ends
    }
    const { account, lease } = placed;
    if (!account.hasQuota(model)) {
      counts.onCredits++;
      if (isAnyShown) counts.creditsWithQuota++;
    }
    if (isAnyAbove && !isAboveFloor(account, model)) counts.crossed++;
    if (account.index === 0) {
      counts.first++;
      counts.leastOfFirst = Math.min(counts.leastOfFirst, account.left(monthly ? "monthly" : "weekly"));
    }
    const { warm } = account.serve(session, nowMs, model);
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
      for (const account of world.accounts) pool.learn(account.id, account.figures(nowMs, "usage_api"));
    });
  if (setup.anchor !== undefined) {
    const anchoring = createAnchoring({
      pool,
      store,
      accounts: world.byId,
      settings: { ...setup.anchor, enabled: true, model: "anchor" },
      cost: ANCHOR_COST,
      moments: utcMoments,
    });
    for (let atMs = START_MS; atMs < endMs; atMs += ANCHOR_STEP_MS)
      todo.at(atMs, () => {
        counts.anchors += anchoring(nowMs);
      });
  }
  todo.run(endMs, (atMs) => {
    nowMs = atMs;
    world.roll(nowMs);
  });
  const wasted = world.wasted();
  return {
    turns: counts.turns,
    refusedWithRoom: counts.refusedWithRoom,
    refused: counts.refused,
    wasted: wasted.resets === 0 ? 0 : wasted.left / wasted.resets,
    moves: counts.moves,
    cacheHits: counts.later === 0 ? 0 : counts.hits / counts.later,
    crossedWithRoom: counts.crossed,
    onFirst: counts.first / counts.turns,
    leastOfFirst: counts.leastOfFirst,
    waitHours: counts.waitMs / HOUR_MS,
    anchors: counts.anchors,
    onCredits: counts.onCredits,
    creditsWithQuota: counts.creditsWithQuota,
  };
}

// --- internal ---

/** The world has one time zone, so that the figures are the same on every machine. */
function utcMoments(at: readonly TimeOfDay[], nowMs: number): number[] {
  const midnightMs = Math.floor(nowMs / DAY_MS) * DAY_MS;
  return [midnightMs - DAY_MS, midnightMs].flatMap((dayMs) =>
    at.map(({ hours, minutes }) => dayMs + hours * HOUR_MS + minutes * MINUTE_MS),
  );
}
