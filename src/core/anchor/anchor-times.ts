// When an account may be anchored: at the chosen times of the day, or one account after another from these times on.

/** `07:30` has 7 hours and 30 minutes. */
export interface TimeOfDay {
  readonly hours: number;
  readonly minutes: number;
}

/** How long after its time an account can still be anchored, for example because the machine was asleep, ms. */
export const LATE_MS = 60 * 60_000;

/** The time of the day in `text`, such as `07:30`; undefined if it is none. */
export function timeOfDay(text: string): TimeOfDay | undefined {
  const [, hours, minutes] = /^([01]?\d|2[0-3]):([0-5]\d)$/.exec(text.trim()) ?? [];
  if (hours === undefined || minutes === undefined) return undefined;
  return { hours: Number(hours), minutes: Number(minutes) };
}

/** `07:30`. */
export function timeText({ hours, minutes }: TimeOfDay): string {
  return `${String(hours).padStart(2, "0")}:${String(minutes).padStart(2, "0")}`;
}

/** When it is `at` yesterday and today in the time zone of this machine, Unix ms. */
export function localMoments(at: readonly TimeOfDay[], nowMs: number): number[] {
  const date = new Date(nowMs);
  const [year, month, day] = [date.getFullYear(), date.getMonth(), date.getDate()];
  return [day - 1, day].flatMap((one) =>
    at.map(({ hours, minutes }) => new Date(year, month, one, hours, minutes).getTime()),
  );
}

/** The place of an account in the order in which accounts are anchored: the first of three has rank 0 and count 3. */
export interface AnchorPlace {
  readonly rank: number;
  readonly count: number;
}

/** How long after a chosen time an account is anchored, so that the resets of all are spread evenly over a window, ms. */
export function staggerMs({ rank, count }: AnchorPlace, windowMs: number): number {
  return count === 0 ? 0 : (windowMs * rank) / count;
}

/** The latest of `moments` for which an account is due at `nowMs`, at most `LATE_MS` late; undefined if there is none. */
export function dueMoment(moments: readonly number[], nowMs: number): number | undefined {
  const due = moments.filter((moment) => moment <= nowMs && nowMs < moment + LATE_MS);
  return due.length === 0 ? undefined : Math.max(...due);
}

/**
 * The times of `at` that come less than `windowMs` after another one, each with that one. They have no effect on an
 * account whose window began then, because it still runs.
 */
export function tooClose(
  at: readonly TimeOfDay[],
  windowMs: number,
): { readonly time: TimeOfDay; readonly after: TimeOfDay }[] {
  const sorted = [...at].sort((a, b) => minuteOf(a) - minuteOf(b));
  const found: { time: TimeOfDay; after: TimeOfDay }[] = [];
  let after: TimeOfDay | undefined;
  for (const time of sorted) {
    if (after !== undefined && (minuteOf(time) - minuteOf(after)) * 60_000 < windowMs)
      found.push({ time, after });
    else after = time;
  }
  const [first] = sorted;
  // The window of the last time may still run at the first time of the next day.
  if (first !== undefined && after !== undefined && after !== first) {
    const gap = minuteOf(first) + 24 * 60 - minuteOf(after);
    if (gap * 60_000 < windowMs) found.push({ time: first, after });
  }
  return found;
}

/** What is wrong with the times in `at` that have no effect, in words, one text for each; `windowMs` as for `tooClose`. */
export function closeTimeWords(at: readonly string[], windowMs: number): string[] {
  const times = at.map(timeOfDay).filter((time) => time !== undefined);
  return tooClose(times, windowMs).map(
    ({ time, after }) =>
      `the time ${timeText(time)} in anchor.at has no effect on accounts that are anchored at ${timeText(after)}: their windows are still running then`,
  );
}

/** The next step for `closeTimeWords`. */
export const CLOSE_TIMES_NEXT = "choose times in anchor.at that are at least 5 hours apart";

// --- internal ---

function minuteOf({ hours, minutes }: TimeOfDay): number {
  return hours * 60 + minutes;
}
