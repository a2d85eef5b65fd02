// Days of the local calendar, as `YYYY-MM-DD`.

import { remembered } from "./bounded-map.ts";

/** The day of `ms` (Unix ms). */
export function dayOf(ms: number): string {
  return dayOfMinute(String(Math.floor(ms / MINUTE_MS)));
}

/** When the day of `ms` began, Unix ms. `later`: or so many days later; it may be negative. */
export function startOfDay(ms: number, later = 0): number {
  const date = new Date(ms);
  return new Date(date.getFullYear(), date.getMonth(), date.getDate() + later).getTime();
}

// --- internal ---

const MINUTE_MS = 60_000;

/** Remembered, because turns come in crowds. Days of all time zones begin with a minute. */
const dayOfMinute = remembered(16, (minute) => {
  const date = new Date(Number(minute) * MINUTE_MS);
  const two = (value: number) => String(value).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
});
