// Synthetic accounts whose use is known: figures as the backend would report them, and when a window really runs out.

import {
  HOUR_MS,
  type MeterFigure,
  type MeterHistory,
  observed,
} from "../../../src/core/forecast/meter-history.ts";
import { normal, type Random } from "../../../src/core/forecast/random.ts";
import type { WindowSummary } from "../../../src/core/quota-summary.ts";
import { USUAL_SECONDS, type WindowKind } from "../../../src/core/windows.ts";

export const DAY_MS = 24 * HOUR_MS;
/** A Monday at midnight, local time. */
export const MONDAY = new Date(2026, 10, 2).getTime();

/** Percentage points of the window per hour at `atMs`. */
export type Use = (atMs: number) => number;

export const steady =
  (pointsPerHour: number): Use =>
  () =>
    pointsPerHour;

/** From 9 to 17 on workdays. */
export const officeHours =
  (pointsPerHour: number): Use =>
  (atMs) => {
    const at = new Date(atMs);
    const isOff = at.getDay() === 0 || at.getDay() === 6 || at.getHours() < 9 || at.getHours() >= 17;
    return isOff ? 0 : pointsPerHour;
  };

/** Use that differs from day to day and within the day: sessions of random length and weight in the hours `from` to `to`. */
export function sessions(
  random: Random,
  days: number,
  { from = 8, to = 20, level = 1, weekend = 0.2 } = {},
): Use {
  const rates = new Float64Array(days * 24);
  for (let day = 0; day < days; day++) {
    const weekday = new Date(MONDAY + day * DAY_MS + 12 * HOUR_MS).getDay();
    const isWeekend = weekday === 0 || weekday === 6;
    const dayLevel = level * Math.exp(0.4 * normal(random)) * (isWeekend ? weekend : 1);
    for (let hour = from; hour < to; ) {
      const length = 1 + Math.floor(random() * 4);
      const isActive = random() < 0.6;
      const weight = isActive ? dayLevel * Math.exp(0.5 * normal(random)) : 0;
      for (let index = hour; index < Math.min(to, hour + length); index++) rates[day * 24 + index] = weight;
      hour += length;
    }
  }
  return (atMs) => rates[Math.floor((atMs - MONDAY) / HOUR_MS)] ?? 0;
}

/** An account with one window, used from `MONDAY` on. */
export interface SyntheticWindow {
  readonly kind: WindowKind;
  readonly usedPercent: number;
  readonly resetAtMs: number | undefined;
}

const STEP_MS = 5 * 60_000;
/** How often a history looks at its window. */
const LOOK_MS = 3 * STEP_MS;

/** Follows a window from `state` until `untilMs`; calls `look` at every step until it returns false. */
export function follow(
  state: SyntheticWindow,
  use: Use,
  fromMs: number,
  untilMs: number,
  look: (window: SyntheticWindow, atMs: number) => unknown,
): SyntheticWindow {
  let { usedPercent, resetAtMs } = state;
  const { kind } = state;
  for (let atMs = fromMs; atMs <= untilMs; atMs += STEP_MS) {
    if (resetAtMs !== undefined && atMs >= resetAtMs) {
      usedPercent = 0;
      resetAtMs = undefined;
    }
    const points = (use(atMs) * STEP_MS) / HOUR_MS;
    if (points > 0) resetAtMs ??= atMs + USUAL_SECONDS[kind] * 1000;
    usedPercent = Math.min(100, usedPercent + points);
    if (look({ kind, usedPercent, resetAtMs }, atMs) === false) break;
  }
  return { kind, usedPercent, resetAtMs };
}

/** The figure that the backend reports: whole percents. */
export function figureOf(
  { kind, usedPercent, resetAtMs }: SyntheticWindow,
  asOfMs: number,
  plan = "plus",
): MeterFigure {
  return {
    kind,
    usedPercent: Math.floor(usedPercent),
    resetAtMs,
    windowSeconds: USUAL_SECONDS[kind],
    asOfMs,
    plan,
    serves: usedPercent < 100,
  };
}

/** The history and the state of a window that was used from `MONDAY` until `untilMs`. */
export function historyOf(
  use: Use,
  kind: WindowKind,
  untilMs: number,
): { readonly history: MeterHistory; readonly window: SyntheticWindow } {
  let history: MeterHistory | undefined;
  const window = follow({ kind, usedPercent: 0, resetAtMs: undefined }, use, MONDAY, untilMs, (now, atMs) => {
    if (atMs % LOOK_MS === 0) history = observed(history, figureOf(now, atMs), atMs);
  });
  return { history: history as MeterHistory, window };
}

/** When the window runs out before its reset, Unix ms; Infinity: it does not. */
export function truthOf(window: SyntheticWindow, use: Use, nowMs: number): number {
  let outMs = Number.POSITIVE_INFINITY;
  const reset = window.resetAtMs;
  follow(window, use, nowMs, nowMs + USUAL_SECONDS[window.kind] * 1000, (now, atMs) => {
    if (reset !== undefined && atMs >= reset) return false;
    if (now.usedPercent < 100) return true;
    outMs = atMs;
    return false;
  });
  return outMs;
}

export function summaryOfWindow({ kind, usedPercent, resetAtMs }: SyntheticWindow): WindowSummary {
  return { kind, left: 1 - Math.floor(usedPercent) / 100, resetAtMs, lengthMs: USUAL_SECONDS[kind] * 1000 };
}

/** The result of a generator. */
export function finished<Result>(steps: Generator<undefined, Result>): Result {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}
