// Times as a person reads them. Times of day and dates are in the time zone of this machine.

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Further ahead, a date says more than a number of days. */
const MOST_DAYS_MS = 60 * DAY_MS;

/** How long ago `atMs` was: `never` for 0, `a moment ago`, `5 min ago`, `3 h ago`, `4 days ago`. */
export function ago(atMs: number, nowMs: number): string {
  if (atMs === 0) return "never";
  const passed = Math.max(0, nowMs - atMs);
  if (passed < MINUTE_MS) return "a moment ago";
  if (passed < HOUR_MS) return `${Math.round(passed / MINUTE_MS)} min ago`;
  return passed < 2 * DAY_MS
    ? `${Math.round(passed / HOUR_MS)} h ago`
    : `${Math.round(passed / DAY_MS)} days ago`;
}

/** The time until `atMs`: `soon`, `in 5 min`, `in 47 h`, `in 3 days`; a date if it is more than 60 days ahead. */
export function until(atMs: number, nowMs: number): string {
  const left = atMs - nowMs;
  if (left < MINUTE_MS) return "soon";
  if (left < HOUR_MS) return `in ${Math.round(left / MINUTE_MS)} min`;
  if (left < 2 * DAY_MS) return `in ${Math.round(left / HOUR_MS)} h`;
  return left <= MOST_DAYS_MS ? `in ${Math.round(left / DAY_MS)} days` : `on ${shortDate(atMs, nowMs)}`;
}

/** The time until `atMs` in four columns or fewer: `soon`, `5m`, `47h`, `3d`; `>60d` beyond that. */
export function shortUntil(atMs: number, nowMs: number): string {
  const left = atMs - nowMs;
  if (left < MINUTE_MS) return "soon";
  if (left < HOUR_MS) return `${Math.round(left / MINUTE_MS)}m`;
  if (left < 2 * DAY_MS) return `${Math.round(left / HOUR_MS)}h`;
  return left <= MOST_DAYS_MS ? `${Math.round(left / DAY_MS)}d` : ">60d";
}

/**
 * When something is available again, the longest wording first: `back at 05:41 (in 4 h)`, `back at 05:41`,
 * `back 05:41`. The day takes the place of the time as soon as the time alone would be ambiguous.
 */
export function backWords(atMs: number, nowMs: number): readonly [string, ...string[]] {
  const left = atMs - nowMs;
  if (left < MINUTE_MS) return [`back ${inSeconds(left)}`];
  const when = until(atMs, nowMs);
  const time = timeOfDay(atMs);
  if (left < DAY_MS) return [`back at ${time} (${when})`, `back at ${time}`, `back ${time}`];
  const day = weekdayOf(atMs);
  if (left < 6 * DAY_MS) return [`back ${day} ${time} (${when})`, `back ${day} ${time}`, `back ${day}`];
  const date = shortDate(atMs, nowMs);
  return left <= MOST_DAYS_MS
    ? [`back on ${date} (${when})`, `back ${date}`]
    : [`back on ${date}`, `back in ${new Date(atMs).getFullYear()}`];
}

/** The second wording of `backWords`, which has no more than one time: `back at 05:41`. */
export function backAt(atMs: number, nowMs: number): string {
  const [long, short = long] = backWords(atMs, nowMs);
  return short;
}

/** The time of a future reset: `in 45 s`, `at 05:41`, `on Tue at 05:41` within six days, otherwise `on 18 Mar`. */
export function resetAt(atMs: number, nowMs: number): string {
  const left = atMs - nowMs;
  if (left < MINUTE_MS) return inSeconds(left);
  if (left < DAY_MS) return `at ${timeOfDay(atMs)}`;
  return left < 6 * DAY_MS ? `on ${weekdayOf(atMs)} at ${timeOfDay(atMs)}` : `on ${shortDate(atMs, nowMs)}`;
}

/** A time to come: `05:41` today, `Tue 05:41` within six days, otherwise the date. */
export function dayAndTime(atMs: number, nowMs: number): string {
  if (new Date(atMs).toDateString() === new Date(nowMs).toDateString()) return timeOfDay(atMs);
  if (atMs - nowMs >= 6 * DAY_MS) return shortDate(atMs, nowMs);
  return `${weekdayOf(atMs)} ${timeOfDay(atMs)}`;
}

/** The day of `atMs`: `18 Mar`, with the year if that is another one than now. */
export function shortDate(atMs: number, nowMs: number): string {
  const at = new Date(atMs);
  const year = at.getFullYear() === new Date(nowMs).getFullYear() ? "" : ` ${at.getFullYear()}`;
  return `${at.getDate()} ${MONTHS[at.getMonth()]}${year}`;
}

/** `05:41`. */
export function timeOfDay(atMs: number): string {
  const at = new Date(atMs);
  return `${twoDigits(at.getHours())}:${twoDigits(at.getMinutes())}`;
}

/** `Tue`. */
export function weekdayOf(atMs: number): string {
  return WEEKDAYS[new Date(atMs).getDay()] ?? "";
}

/** `05:41:09`. */
export function exactTimeOfDay(atMs: number): string {
  return `${timeOfDay(atMs)}:${twoDigits(new Date(atMs).getSeconds())}`;
}

/** A past time: `05:41:09` if it is less than a day ago, otherwise `18 Mar 05:41`. */
export function pastTime(atMs: number, nowMs: number): string {
  return nowMs - atMs < DAY_MS ? exactTimeOfDay(atMs) : `${shortDate(atMs, nowMs)} ${timeOfDay(atMs)}`;
}

// --- internal ---

const WEEKDAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"] as const;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"] as const;

function inSeconds(ms: number): string {
  return `in ${Math.max(1, Math.ceil(ms / 1000))} s`;
}

function twoDigits(value: number): string {
  return String(value).padStart(2, "0");
}
