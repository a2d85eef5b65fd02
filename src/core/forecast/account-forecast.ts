// When the windows of one account run out, if it continues to get its part of the use.

import { floorOf } from "../account-options.ts";
import type { WindowSummary } from "../quota-summary.ts";
import { type ByWindow, presentOf, type WindowKind } from "../windows.ts";
import { completeHistories } from "./complete-histories.ts";
import { decayedRate, demandModel, drawPath } from "./demand.ts";
import { outcomeOf, type UnknownReason, type WindowForecast } from "./forecast.ts";
import { HOUR_MS, type MeterHistory } from "./meter-history.ts";
import { seededRandom } from "./random.ts";
import { type SimulatedWindow, simulate } from "./simulate.ts";
import { DEFAULT_ORDER, leftAboveFloor, type SpendingOrder } from "./spending-order.ts";

export interface AccountForecastOptions {
  readonly nowMs: number;
  /** The number of possible futures. */
  readonly futures: number;
  /** Default: nothing is kept back. */
  readonly order?: SpendingOrder;
}

/**
 * One forecast for each of `windows`, shortest first: when it reaches its floor, or runs out if it has none. `histories`:
 * what is known of the use of each.
 */
export function accountForecast(
  windows: ByWindow<WindowSummary>,
  histories: ByWindow<MeterHistory>,
  { nowMs, futures, order = DEFAULT_ORDER }: AccountForecastOptions,
): WindowForecast[] {
  const present = presentOf(windows);
  const complete = completeHistories(histories);
  const known = present.flatMap((window) => {
    const history = complete[window.kind];
    const left = leftAboveFloor(window, order);
    return history === undefined || left === undefined
      ? []
      : [{ window, history, left, full: 100 - floorOf(window.kind, order) }];
  });
  const times = simulatedTimes(known, nowMs, futures);
  return present.map((window): WindowForecast => {
    const { kind } = window;
    const history = histories[kind];
    const pointsPerHour = history && rateOf(history, kind, nowMs);
    const floor = floorOf(kind, order);
    const about = { kind, pointsPerHour, ...(floor === 0 ? {} : { floor }) };
    if (leftAboveFloor(window, order) === 0) return { ...about, outcome: { kind: "exhausted" } };
    const why = unknownReason(window, history, nowMs);
    if (why !== undefined) return { ...about, outcome: { kind: "unknown", why } };
    return { ...about, outcome: outcomeOf(times.get(kind) ?? []) };
  });
}

/** How long the use must be known before a window of this kind has a forecast, ms. */
export const LEAST_HISTORY_MS: Readonly<Record<WindowKind, number>> = {
  short: 0.5 * HOUR_MS,
  weekly: 24 * HOUR_MS,
  monthly: 72 * HOUR_MS,
};

// --- internal ---

const RATE_HALF_LIFE_HOURS: Readonly<Record<WindowKind, number>> = { short: 2, weekly: 48, monthly: 168 };

/** A history counts only if the account could serve in at least this share of the time that it needs. */
const LEAST_OPEN_SHARE = 0.5;

/**
 * The burn rate of a window, percentage points per hour: of the last hours if it is short, else of the last days;
 * undefined if the account has not served for long enough, because a single refusal may use the rest of a window.
 */
function rateOf(history: MeterHistory, kind: WindowKind, nowMs: number): number | undefined {
  if (hasLittleHistory(history, kind, nowMs)) return undefined;
  return decayedRate(history, {
    sinceMs: history.sinceMs,
    nowMs,
    halfLifeHours: RATE_HALF_LIFE_HOURS[kind],
    leastOpenHours: (LEAST_OPEN_SHARE * LEAST_HISTORY_MS[kind]) / HOUR_MS,
  });
}

function hasLittleHistory({ sinceMs, closed }: MeterHistory, kind: WindowKind, nowMs: number): boolean {
  const knownMs = nowMs - sinceMs;
  const closedHours = closed.values().reduce((sum, share) => sum + share, 0);
  return (
    knownMs < LEAST_HISTORY_MS[kind] ||
    knownMs - closedHours * HOUR_MS < LEAST_OPEN_SHARE * LEAST_HISTORY_MS[kind]
  );
}

function unknownReason(
  { left, kind }: WindowSummary,
  history: MeterHistory | undefined,
  nowMs: number,
): UnknownReason | undefined {
  if (left === undefined) return "no-figures";
  return history === undefined || hasLittleHistory(history, kind, nowMs) ? "little-history" : undefined;
}

interface KnownWindow extends Pick<SimulatedWindow, "left" | "full"> {
  readonly window: WindowSummary;
  readonly history: MeterHistory;
}

/** When each window runs out in each future. All windows share the futures, because one use counts for all of them. */
function simulatedTimes(
  known: readonly KnownWindow[],
  nowMs: number,
  futures: number,
): Map<WindowKind, readonly number[]> {
  const times = new Map<WindowKind, number[]>(known.map(({ window }) => [window.kind, []]));
  if (known.length === 0) return times;
  const untilMs = Math.max(...known.map(({ window }) => window.resetAtMs ?? nowMs + window.lengthMs));
  const history = {
    meters: known.map((one) => one.history),
    sinceMs: Math.min(...known.map((one) => one.history.sinceMs)),
  };
  const model = demandModel(history, nowMs, Math.ceil((untilMs - nowMs) / HOUR_MS) + 1);
  const windows = known.map(
    ({ window: { resetAtMs, lengthMs }, left, full }, meter): SimulatedWindow => ({
      meter,
      left,
      full,
      floor: 0,
      resetAtMs,
      lengthMs,
    }),
  );
  const account = { size: 1, priority: 0, closedUntilMs: 0, windows };
  const random = seededRandom(SEED);
  for (let future = 0; future < futures; future++) {
    const path = drawPath(model, random);
    const [emptyMs = []] = simulate([account], path, { nowMs, untilMs, isPool: false }).emptyMs;
    for (const [index, { window }] of known.entries())
      times.get(window.kind)?.push(emptyMs[index] ?? Number.POSITIVE_INFINITY);
  }
  return times;
}

const SEED = 1;
