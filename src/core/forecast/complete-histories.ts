// Completes the histories of an account's windows. All windows of an account measure the same use, but the past of a
// longer one is known from the day that codexlb first sees it, and that of a short one only for some hours.

import { type ByWindow, mapWindows, presentOf } from "../windows.ts";
import { HOUR_MS, type MeterHistory } from "./meter-history.ts";

/**
 * `histories` with the same beginning. What is missing of a window is taken from the window that is known for the
 * longest time, in the ratio that both have where both are known; without use there, it stays empty.
 */
export function completeHistories(histories: ByWindow<MeterHistory>): ByWindow<MeterHistory> {
  const present = presentOf(histories);
  const longest = present.reduce<MeterHistory | undefined>(
    (first, history) => (first === undefined || history.sinceMs < first.sinceMs ? history : first),
    undefined,
  );
  if (longest === undefined) return histories;
  return mapWindows(histories, (history) => (history === longest ? history : completed(history, longest)));
}

// --- internal ---

/** With less use of the longer window, the ratio says nothing. */
const LEAST_POINTS = 1;

function completed(history: MeterHistory, longest: MeterHistory): MeterHistory {
  const firstHour = Math.floor(history.sinceMs / HOUR_MS);
  let own = 0;
  let other = 0;
  for (const points of history.points.values()) own += points;
  for (const [hour, points] of longest.points) if (hour >= firstHour) other += points;
  const ratio = other < LEAST_POINTS ? 0 : own / other;
  const before = (hours: ReadonlyMap<number, number>, factor: number) =>
    [...hours].filter(([hour]) => hour < firstHour).map(([hour, value]) => [hour, value * factor] as const);
  return {
    ...history,
    sinceMs: longest.sinceMs,
    points: new Map([...before(longest.points, ratio), ...history.points]),
    closed: new Map([...before(longest.closed, 1), ...history.closed]),
  };
}
