// The parts of a period in words. Their beginnings are in the time zone of the proxy, and are shown as they are.

import { shortDate, timeOfDay } from "../../core/time-words.ts";
import type { UsagePeriod } from "../messages.ts";

/** The part that begins at `start`, below the chart: `22 Nov`, `14:00`. */
export function partLabel(start: string): string {
  const atMs = timeOf(start);
  return isHour(start) ? timeOfDay(atMs) : shortDate(atMs, atMs);
}

/** The name of the part in a sentence: `27 Nov, 14:00`, `week from 22 Nov`, with the year if it is not that of `nowMs`. */
export function partWords(start: string, since: UsagePeriod, nowMs: number): string {
  const atMs = timeOf(start);
  const date = shortDate(atMs, nowMs);
  if (isHour(start)) return `${date}, ${timeOfDay(atMs)}`;
  return since === "52w" ? `week from ${date}` : date;
}

// --- internal ---

function isHour(start: string): boolean {
  return start.includes("T");
}

function timeOf(start: string): number {
  return new Date(isHour(start) ? start : `${start}T00:00`).getTime();
}
