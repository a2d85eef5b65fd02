// What turns used over time: the figures of the largest groups of a report in each part of its period.

import { dayOf, hourOf, nextHour, startOfDay } from "./local-days.ts";
import { type PriceTable, priceOf } from "./prices.ts";
import { addSums, finishedLine, newBuilder } from "./usage-lines.ts";
import type { UsageLine, UsageQuery, UsageSums } from "./usage-report.ts";

/** The figures of one group over time. */
export interface UsageSeries {
  /** As in the lines of the report; `other (53)` for the 53 groups beyond the largest ones. */
  readonly name: string;
  /** The sums of the whole period. */
  readonly total: UsageLine;
  /** One for each part of the period; its name is the beginning of the part. */
  readonly parts: readonly UsageLine[];
}

/** The figures of a period over time. */
export interface UsageTimeline {
  /** The largest groups first. */
  readonly series: readonly UsageSeries[];
  /** The sums of all turns in each part. */
  readonly totals: readonly UsageLine[];
}

/** The most series of a timeline, without that of the other groups. */
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

/** The figures of `sums` in the parts that begin at `starts`; `lines`: the lines of the same sums, the largest first. */
export function usageTimeline(
  sums: Iterable<UsageSums>,
  starts: readonly string[],
  lines: readonly UsageLine[],
  prices: PriceTable,
): UsageTimeline {
  const names = lines.slice(0, MOST_SERIES).map(({ name }) => name);
  const newSeries = (name: string) => ({ total: newBuilder(name), parts: starts.map(newBuilder) });
  const series = new Map(names.map((name) => [name, newSeries(name)]));
  const others = newSeries("");
  const otherNames = new Set<string>();
  const totals = starts.map(newBuilder);
  for (const one of sums) {
    const index = indexOf(starts, one.time);
    const price = priceOf(one.model, prices);
    const own = series.get(one.name) ?? others;
    // A group may have only requests that prepare a connection.
    if (own === others && one.turns + one.input + one.output > 0) otherNames.add(one.name);
    for (const builder of [own.total, own.parts[index], totals[index]])
      if (builder !== undefined) addSums(builder, one, price);
  }
  const all = [
    ...series,
    ...(otherNames.size === 0 ? [] : [[`other (${otherNames.size})`, others] as const]),
  ];
  return {
    series: all.map(([name, { total, parts }]) => ({
      name,
      total: finishedLine(total),
      parts: parts.map(finishedLine),
    })),
    totals: totals.map(finishedLine),
  };
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
