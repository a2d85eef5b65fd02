// What turns used over time: the figures of the largest groups of a report in each part of its period.

import { dayOf, hourOf, nextHour, startOfDay } from "./local-days.ts";
import { type PriceTable, priceOf } from "./prices.ts";
import { addSums, finishedLine, type LineBuilder, newBuilder, OTHERS } from "./usage-lines.ts";
import type { UsageLine, UsageQuery, UsageSums } from "./usage-report.ts";

/** The figures of one group over time. */
export interface UsageSeries {
  /** As in the lines of the report; `(others)` for the groups beyond the largest ones. */
  readonly name: string;
  /** One for each part of the period; its name is the beginning of the part. */
  readonly parts: readonly UsageLine[];
}

/** The most series of a timeline, without `(others)`. */
export const MOST_SERIES = 7;

/**
 * When the parts of the period begin: hours (`hourOf`) or days (`dayOf`), up to `nowMs`. `days`: how many days a part
 * has; 0 for hours.
 */
export function partStarts(
  { sinceMs, untilMs }: Pick<UsageQuery, "sinceMs" | "untilMs">,
  days: number,
  nowMs: number,
): string[] {
  const starts = new Set<string>();
  const endMs = Math.min(untilMs, nowMs + 1);
  for (let ms = sinceMs; ms < endMs; ms = days === 0 ? nextHour(ms) : startOfDay(ms, days))
    starts.add(days === 0 ? hourOf(ms) : dayOf(ms));
  return [...starts];
}

/** The series of `sums` in the parts that begin at `starts`; `lines`: the lines of the same sums, the largest first. */
export function usageTimeline(
  sums: Iterable<UsageSums>,
  starts: readonly string[],
  lines: readonly UsageLine[],
  prices: PriceTable,
): UsageSeries[] {
  const names = lines.slice(0, MOST_SERIES).map(({ name }) => name);
  if (lines.length > names.length) names.push(OTHERS);
  const series = new Map<string, LineBuilder[]>(names.map((name) => [name, starts.map(newBuilder)]));
  for (const one of sums) {
    const parts = series.get(one.name) ?? series.get(OTHERS);
    const part = parts?.[indexOf(starts, one.time)];
    if (part !== undefined) addSums(part, one, priceOf(one.model, prices));
  }
  return [...series].map(([name, parts]) => ({ name, parts: parts.map(finishedLine) }));
}

// --- internal ---

/** The index of the part that contains `time`: the last one that begins no later. */
function indexOf(starts: readonly string[], time: string): number {
  let [low, high] = [0, starts.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((starts[middle] as string) <= time) low = middle + 1;
    else high = middle;
  }
  // Sums of a whole day may begin before the period.
  return Math.max(0, low - 1);
}
