// How often an account was anchored on a day. The store keeps this, so that a restart sends no turn twice.

import { LATE_MS } from "./anchor-times.ts";

/** The anchor turns of an account on one day. */
export interface AnchorCount {
  /** The day of the local calendar, `2026-01-31`. */
  readonly day: string;
  /** Turns that were sent, also those that failed. */
  readonly turns: number;
  /** Input and output, of the turns that reported them. */
  readonly tokens: number;
  /** The last time for which a turn was sent, Unix ms. No second turn is sent for it. */
  readonly momentMs: number;
}

/** The most turns for an account in a day. More windows than this cannot begin and end in a day. */
export const MOST_PER_DAY = 4;

/** The count after one more turn on `day`, for the time `momentMs`. */
export function countedAnchor(before: AnchorCount | undefined, day: string, momentMs: number): AnchorCount {
  const { turns, tokens } = anchorsOn(before, day);
  return { day, turns: turns + 1, tokens, momentMs };
}

/** What two replicas have counted of the same account. Returns `own` itself if `other` adds nothing. */
export function mergedAnchors(own: AnchorCount | undefined, other: AnchorCount): AnchorCount {
  if (own === undefined || other.day > own.day) return other;
  if (other.day < own.day) return own;
  const { turns, tokens, momentMs } = own;
  if (other.turns <= turns && other.tokens <= tokens && other.momentMs <= momentMs) return own;
  return {
    day: own.day,
    turns: Math.max(turns, other.turns),
    tokens: Math.max(tokens, other.tokens),
    momentMs: Math.max(momentMs, other.momentMs),
  };
}

/** The turns and tokens on `day`. */
export function anchorsOn(
  count: AnchorCount | undefined,
  day: string,
): Pick<AnchorCount, "turns" | "tokens"> {
  return count?.day === day ? count : { turns: 0, tokens: 0 };
}

/**
 * True if the account may be anchored for `momentMs`: not yet for this time, and not too often on `day`. Times that are
 * less than an hour apart count as the same, because they move a little when accounts are added.
 */
export function mayAnchor(
  count: AnchorCount | undefined,
  day: string,
  momentMs: number,
  nowMs: number,
): boolean {
  if (anchorsOn(count, day).turns >= MOST_PER_DAY) return false;
  // A time in the future was stored before the clock was set back.
  return count === undefined || count.momentMs + LATE_MS <= momentMs || count.momentMs > nowMs;
}
