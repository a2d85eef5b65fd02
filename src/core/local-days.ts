// Days of the local calendar, as `YYYY-MM-DD`, and their hours, as `YYYY-MM-DDTHH:00`.

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

/** The hour of `ms` (Unix ms). When clocks are set back, two hours have the same name. */
export function hourOf(ms: number): string {
  return `${dayOf(ms)}T${twoDigits(new Date(ms).getHours())}:00`;
}

/** When the hour after that of `ms` begins, Unix ms. */
export function nextHour(ms: number): number {
  return new Date(ms).setMinutes(60, 0, 0);
}

// --- internal ---

const MINUTE_MS = 60_000;

/** Remembered, because turns come in crowds. Days of all time zones begin with a minute. */
const dayOfMinute = remembered(16, (minute) => {
  const date = new Date(Number(minute) * MINUTE_MS);
  return `${date.getFullYear()}-${twoDigits(date.getMonth() + 1)}-${twoDigits(date.getDate())}`;
});

function twoDigits(value: number): string {
  return String(value).padStart(2, "0");
}
