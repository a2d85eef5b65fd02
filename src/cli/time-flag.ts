// The grammar of flags that name a moment, such as `--since`. Dates are in the time zone of this machine.

import { durationOf } from "../core/duration.ts";
import { startOfDay } from "../core/local-days.ts";
import { usage } from "./flags.ts";

/** What a user may write, as the next step of an error. */
export const TIME_FORMS =
  "write a date (2026-11-28), a time (2026-11-28T13:00), or how long ago: 10m, 1h30m, 7d (today and the six days before) or 2w";

/**
 * The moment that `text` names, Unix ms: a date, a time, or how long ago it was. Days ago count from the start of a day,
 * today included. `daysLater` is added to a date. Throws `usage`.
 */
export function timeFlag(text: string, flag: string, nowMs: number, daysLater = 0): number {
  const trimmed = text.trim();
  const [, year, month, day] = /^(\d{4})-(\d{2})-(\d{2})$/.exec(trimmed) ?? [];
  if (year !== undefined) {
    const date = new Date(Number(year), Number(month) - 1, Number(day));
    if (date.getMonth() === Number(month) - 1) return startOfDay(date.getTime(), daysLater);
    throw usage(`flag --${flag}: there is no day ${trimmed}`, TIME_FORMS);
  }
  const at = /^\d{4}-/.test(trimmed) ? Date.parse(trimmed) : Number.NaN;
  if (!Number.isNaN(at)) return at;
  const [, count, unit] = /^(\d{1,5})([dw])$/.exec(trimmed) ?? [];
  if (count === undefined) {
    const ms = durationOf(trimmed);
    if (ms !== undefined) return nowMs - ms;
    throw usage(`flag --${flag}: ${JSON.stringify(text)} is not a time`, TIME_FORMS);
  }
  const days = Number(count) * (unit === "w" ? 7 : 1);
  if (days > MOST_DAYS) throw usage(`flag --${flag}: ${trimmed} is too long ago`, TIME_FORMS);
  return startOfDay(nowMs, 1 - days);
}

// --- internal ---

/** The longest number of days; more than the program is old. */
const MOST_DAYS = 36_500;
