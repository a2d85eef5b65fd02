// The period that the flags `--since` and `--until` name. Dates are in the time zone of this machine.

import { startOfDay } from "../../core/local-days.ts";
import type { UsageQuery } from "../../core/usage-report.ts";
import { durationFlag, usage } from "../flags.ts";

/** The period from `since` to `until` (undefined: the end of today). Throws `usage`. */
export function periodOf(
  since: string,
  until: string | undefined,
  nowMs: number,
): Pick<UsageQuery, "sinceMs" | "untilMs"> {
  const sinceMs = timeOf(since, "since", nowMs, 0);
  const untilMs = until === undefined ? startOfDay(nowMs, 1) : timeOf(until, "until", nowMs, 1);
  if (sinceMs < untilMs) return { sinceMs, untilMs };
  throw usage("--since must be before --until", "write both as 2026-11-28, or --since as 7d");
}

// --- internal ---

/** The longest number of days; more than the program is old. */
const MOST_DAYS = 36_500;

/**
 * The moment that `text` names: a date, a time, or how long ago it was. Days ago count from the start of a day, today
 * included. `daysLater` is added to a date.
 */
function timeOf(text: string, flag: string, nowMs: number, daysLater: number): number {
  const trimmed = text.trim();
  const [, year, month, day] = /^(\d{4})-(\d{2})-(\d{2})$/.exec(trimmed) ?? [];
  if (year !== undefined) {
    const date = new Date(Number(year), Number(month) - 1, Number(day));
    if (date.getMonth() === Number(month) - 1) return startOfDay(date.getTime(), daysLater);
    throw usage(`flag --${flag}: there is no day ${trimmed}`);
  }
  const at = /^\d{4}-\d{2}-\d{2}T/.test(trimmed) ? Date.parse(trimmed) : Number.NaN;
  if (!Number.isNaN(at)) return at;
  const [, count, unit] = /^(\d{1,5})([dw])$/.exec(trimmed) ?? [];
  if (count === undefined) return nowMs - durationFlag(trimmed, flag);
  const days = Number(count) * (unit === "w" ? 7 : 1);
  if (days > MOST_DAYS) throw usage(`flag --${flag}: ${trimmed} is too long ago`);
  return startOfDay(nowMs, 1 - days);
}
