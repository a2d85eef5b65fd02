// How long a pool lasts: the use of all its accounts together is spread over those that have something left, in the order
// of their priorities and floors, until none has.

import { floorOf } from "../account-options.ts";
import { planSizeOf } from "../plan-sizes.ts";
import type { WindowSummary } from "../quota-summary.ts";
import { type ByWindow, presentOf, WINDOW_KINDS, type WindowKind } from "../windows.ts";
import { LEAST_HISTORY_MS } from "./account-forecast.ts";
import { completeHistories } from "./complete-histories.ts";
import { demandModel, drawPath } from "./demand.ts";
import { outcomeOf, type PoolForecast, type WindowOutcome } from "./forecast.ts";
import { HOUR_MS, type HourlyUse, type MeterHistory } from "./meter-history.ts";
import { seededRandom } from "./random.ts";
import { type SimulatedAccount, simulate } from "./simulate.ts";
import { DEFAULT_ORDER, leftAboveFloor, type SpendingOrder } from "./spending-order.ts";

/** An account of the pool. */
export interface ForecastMember {
  readonly plan: string | undefined;
  /** Under the main limit. */
  readonly windows: ByWindow<WindowSummary>;
  readonly histories: ByWindow<MeterHistory>;
  /** False if it takes no new turns: disabled or draining. Its use counts, because other accounts take it over. */
  readonly inService: boolean;
  /** Until when a limit keeps it from serving, Unix ms; 0: it serves now. */
  readonly closedUntilMs: number;
  /** Default: that of an account for which nothing is set. */
  readonly order?: SpendingOrder;
}

/** How far ahead the forecast looks. */
export const POOL_SPAN_MS = 7 * 24 * HOUR_MS;

/**
 * Forecasts the pool at `nowMs` from so many possible futures. Yields every few milliseconds, because a large pool takes
 * its time.
 */
export function* poolForecast(
  members: readonly ForecastMember[],
  { nowMs, futures }: { readonly nowMs: number; readonly futures: number },
): Generator<undefined, PoolForecast> {
  const untilMs = nowMs + POOL_SPAN_MS;
  const serving = members.filter(({ inService }) => inService);
  const counted = serving.filter(isKnown);
  const about = { untilMs, accounts: counted.length, leftOut: serving.length - counted.length };
  const unknown = (why: "little-history" | "no-figures"): PoolForecast => ({
    ...about,
    outcome: { kind: "unknown", why },
  });
  if (counted.length === 0) return unknown("no-figures");
  if (counted.length === serving.length && counted.every((member) => isOut(member, nowMs)))
    return { ...about, outcome: { kind: "exhausted" } };
  const sinceMs = knownSince(members);
  if (sinceMs === undefined || nowMs - sinceMs < LEAST_HISTORY_MS.weekly) return unknown("little-history");
  return {
    ...about,
    outcome: yield* simulatedOutcome(members, counted, { sinceMs, nowMs, untilMs, futures }),
  };
}

// --- internal ---

/** How much more an account of `plan` can serve than one of the plan Plus. A plan of unknown size counts as Plus. */
function sizeOf(plan: string | undefined): number {
  return planSizeOf(plan ?? "") ?? 1;
}

const SEED = 2;

/** The histories of so many accounts take a few milliseconds. */
const MEMBERS_AT_ONCE = 50;

function isKnown({ windows }: ForecastMember): boolean {
  const present = presentOf(windows);
  return present.length > 0 && present.some(({ left }) => left !== undefined);
}

function isOut({ windows, closedUntilMs, order = DEFAULT_ORDER }: ForecastMember, nowMs: number): boolean {
  return (
    closedUntilMs > nowMs ||
    presentOf(windows).some(
      (window) => window.left === 0 || (order.keepsFloors && leftAboveFloor(window, order) === 0),
    )
  );
}

/** From when on the use of most of the pool is known, Unix ms; undefined: of none. */
function knownSince(members: readonly ForecastMember[]): number | undefined {
  const since = members
    .map(({ histories }) => Math.min(...presentOf(histories).map((history) => history.sinceMs)))
    .filter(Number.isFinite)
    .sort((a, b) => a - b);
  return since[Math.floor(since.length / 2)];
}

function* simulatedOutcome(
  members: readonly ForecastMember[],
  counted: readonly ForecastMember[],
  times: {
    readonly sinceMs: number;
    readonly nowMs: number;
    readonly untilMs: number;
    readonly futures: number;
  },
): Generator<undefined, WindowOutcome> {
  const { sinceMs, nowMs, untilMs, futures } = times;
  const completed: ForecastMember[] = [];
  for (const member of members) {
    completed.push({ ...member, histories: completeHistories(member.histories) });
    if (completed.length % MEMBERS_AT_ONCE === 0) yield;
  }
  const meters: HourlyUse[] = [];
  for (const kind of WINDOW_KINDS) meters.push(yield* pooledUse(completed, kind));
  const model = demandModel({ meters, sinceMs }, nowMs, POOL_SPAN_MS / HOUR_MS + 1);
  const accounts = counted.map(simulatedOf);
  const random = seededRandom(SEED);
  const outs: number[] = [];
  for (let future = 0; future < futures; future++) {
    outs.push(simulate(accounts, drawPath(model, random), { nowMs, untilMs, isPool: true }).outMs);
    yield;
  }
  return outcomeOf(outs);
}

/** The use of the windows of this kind of all accounts, in points of an account of size 1. */
function* pooledUse(members: readonly ForecastMember[], kind: WindowKind): Generator<undefined, HourlyUse> {
  const points = new Map<number, number>();
  let closed: ReadonlyMap<number, number> | undefined;
  for (const [index, { histories, plan }] of members.entries()) {
    if (index % MEMBERS_AT_ONCE === MEMBERS_AT_ONCE - 1) yield;
    const history = histories[kind];
    if (history === undefined) continue;
    for (const [hour, own] of history.points) points.set(hour, (points.get(hour) ?? 0) + own * sizeOf(plan));
    closed = closed === undefined ? history.closed : bothClosed(closed, history.closed);
  }
  return { points, closed: closed ?? new Map() };
}

/** For which share of each hour neither account could serve. At most the smaller one of the shares. */
function bothClosed(
  a: ReadonlyMap<number, number>,
  b: ReadonlyMap<number, number>,
): ReadonlyMap<number, number> {
  return new Map(
    [...a].flatMap(([hour, share]) =>
      b.has(hour) ? [[hour, Math.min(share, b.get(hour) ?? 0)] as const] : [],
    ),
  );
}

function simulatedOf({
  plan,
  windows,
  closedUntilMs,
  order = DEFAULT_ORDER,
}: ForecastMember): SimulatedAccount {
  return {
    size: sizeOf(plan),
    priority: order.priority,
    closedUntilMs,
    windows: presentOf(windows).flatMap((window) => {
      const { kind, left, resetAtMs, lengthMs } = window;
      if (left === undefined) return [];
      const meter = WINDOW_KINDS.indexOf(kind);
      const floor = floorOf(kind, order);
      return order.keepsFloors
        ? [
            {
              meter,
              left: leftAboveFloor(window, order) ?? 0,
              full: 100 - floor,
              floor: 0,
              resetAtMs,
              lengthMs,
            },
          ]
        : [{ meter, left: left * 100, full: 100, floor, resetAtMs, lengthMs }];
    }),
  };
}
