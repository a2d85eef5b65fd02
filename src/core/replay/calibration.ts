// Measures how much quota an account has, from the history of its windows and the cost of its turns, because the
// backend reports only whole percents, and not the size of a plan.

import { startOfDay } from "../local-days.ts";
import { USUAL_SECONDS, WINDOW_KINDS, type WindowKind } from "../windows.ts";

const HOUR_MS = 3_600_000;

/** What is known about the use of one window of an account. */
export interface WindowUse {
  readonly kind: WindowKind;
  /** Percentage points used in each hour, by hours since the Unix epoch. */
  readonly points: ReadonlyMap<number, number>;
  /** The last known reset, Unix ms. */
  readonly resetAtMs: number | undefined;
}

/** What an account's turns cost in one hour, in USD at API prices. */
export type HourlyCost = ReadonlyMap<number, number>;

/** The size of one window. */
export interface WindowSize {
  readonly kind: WindowKind;
  /** What can be spent in one window, in USD at API prices. */
  readonly usd: number;
  /** The true size is within this share of `usd` with a probability of about 80 %; 0.1 means 10 %. */
  readonly error: number;
}

/** How much history a measurement needs. */
export const LEAST_TURNS = 50;
export const LEAST_DAYS = 3;
/** Percentage points. With less use, the rounding to whole percents outweighs the cost of the turns. */
const LEAST_POINTS = 5;

/** The number of turns and of days on which there were some. */
export interface HistoryExtent {
  readonly turns: number;
  readonly days: number;
}

/** True if that is enough to measure anything. */
export function isEnough({ turns, days }: HistoryExtent): boolean {
  return turns >= LEAST_TURNS && days >= LEAST_DAYS;
}

/**
 * The sizes of an account's windows, without windows that were used too little. Only hours with turns, and their
 * neighbours, count: what was used in other hours was not used through codexlb.
 */
export function windowSizes(windows: readonly WindowUse[], cost: HourlyCost): WindowSize[] {
  return windows.flatMap(({ kind, points }) => {
    const days = daysOf(points, cost);
    const total = sumOf(days);
    if (total.points < LEAST_POINTS || total.usd <= 0 || days.length < LEAST_DAYS) return [];
    return [{ kind, usd: (100 * total.usd) / total.points, error: errorOf(days, total) }];
  });
}

/** What an account had used of a window at `atMs`, 0..1, and when the window ended; undefined if that is not known. */
export function windowAt(
  { kind, points, resetAtMs }: WindowUse,
  atMs: number,
): { readonly used: number; readonly endMs: number } | undefined {
  // A short window begins with the first turn after the previous window, so its past beginnings are not known.
  if (resetAtMs === undefined || kind === "short") return undefined;
  const lengthMs = USUAL_SECONDS[kind] * 1000;
  const endMs = resetAtMs - Math.floor((resetAtMs - atMs - 1) / lengthMs) * lengthMs;
  let used = 0;
  for (let hour = Math.floor((endMs - lengthMs) / HOUR_MS); hour * HOUR_MS < atMs; hour++)
    used += points.get(hour) ?? 0;
  return { used: Math.min(1, used / 100), endMs };
}

/** Windows from the shortest to the longest. */
export function inOrder<Window extends { readonly kind: WindowKind }>(windows: readonly Window[]): Window[] {
  return WINDOW_KINDS.flatMap((kind) => windows.find((one) => one.kind === kind) ?? []);
}

// --- internal ---

/** What was used of a window in a day, in percentage points, and what the turns of that day cost. */
interface DayUse {
  readonly points: number;
  readonly usd: number;
}

function daysOf(points: ReadonlyMap<number, number>, cost: HourlyCost): DayUse[] {
  const days = new Map<number, { points: number; usd: number }>();
  const dayOfHour = (hour: number) => {
    const key = startOfDay(hour * HOUR_MS);
    const known = days.get(key) ?? { points: 0, usd: 0 };
    days.set(key, known);
    return known;
  };
  for (const [hour, usd] of cost) dayOfHour(hour).usd += usd;
  // The figures that show a turn arrive with the next one, so they may belong to a neighbouring hour.
  for (const [hour, used] of points)
    if ([hour - 1, hour, hour + 1].some((one) => cost.has(one))) dayOfHour(hour).points += used;
  return [...days.values()].filter(({ usd }) => usd > 0);
}

function sumOf(days: readonly DayUse[]): DayUse {
  return days.reduce((sum, { points, usd }) => ({ points: sum.points + points, usd: sum.usd + usd }), {
    points: 0,
    usd: 0,
  });
}

/** The 80 % quantile of the normal distribution, and how much wider it is for few days (close to Student's t). */
const QUANTILE = 1.28;
const FEW_DAYS = 0.85;

/** The relative error of the ratio of both sums (jackknife over days), combined with that of rounding to percents. */
function errorOf(days: readonly DayUse[], total: DayUse): number {
  const count = days.length;
  const ratio = total.points / total.usd;
  const without = days.flatMap(({ points, usd }) =>
    total.usd > usd ? [(total.points - points) / (total.usd - usd)] : [],
  );
  const mean = without.reduce((sum, one) => sum + one, 0) / without.length;
  const variance = ((count - 1) / count) * without.reduce((sum, one) => sum + (one - mean) ** 2, 0);
  const deviation = Math.hypot(Math.sqrt(variance) / ratio, 1 / total.points);
  return QUANTILE * (1 + FEW_DAYS / (count - 1)) * deviation;
}
