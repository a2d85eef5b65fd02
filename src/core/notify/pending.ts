// Which notifications are due: the difference between the troubles of the pool and those that were reported. Because
// only the difference counts, no notification is lost or repeated when the proxy restarts, and a trouble that comes and
// goes within seconds causes none.

import { isOwnTrouble, type Trouble } from "./trouble.ts";

/** What was last reported about a trouble. */
export interface ReportedTrouble {
  readonly present: boolean;
  /** When, Unix ms. */
  readonly atMs: number;
}

/** What was reported through one channel, by the key of the trouble. */
export interface Reported {
  readonly troubles: ReadonlyMap<string, ReportedTrouble>;
  /** When the last message was sent, Unix ms; 0 if none was. */
  readonly lastSentMs: number;
}

export const NOTHING_REPORTED: Reported = { troubles: new Map(), lastSentMs: 0 };

/** Since when a trouble has been present or absent. */
export interface Standing {
  readonly state: "present" | "absent";
  /** Monotonic ms. */
  readonly sinceMs: number;
}

export interface PendingView {
  /** Unix ms. */
  readonly nowMs: number;
  readonly monotonicMs: number;
}

/** A trouble must be present, or absent, for this long before it is reported. */
export const SETTLE_MS = 10_000;
/** Changes that follow each other are gathered into one message, for at most this long. */
export const GATHER_MS = 30_000;
/** The shortest time between two messages. */
export const MESSAGE_GAP_MS = 60_000;
/** The shortest time between two reports of the same trouble. */
export const TROUBLE_GAP_MS = 5 * 60_000;

/** The standings after `troubles` were observed. An unclear trouble keeps its standing. */
export function standingsAfter(
  before: ReadonlyMap<string, Standing>,
  troubles: readonly Trouble[],
  monotonicMs: number,
): Map<string, Standing> {
  const after = new Map<string, Standing>();
  for (const { key, state } of troubles) {
    const known = before.get(key);
    if (state === "unclear" || known?.state === state) {
      if (known !== undefined) after.set(key, known);
    } else after.set(key, { state, sinceMs: monotonicMs });
  }
  return after;
}

/** The troubles whose beginning or end is due to be reported now; empty if none is, or if more may follow in a moment. */
export function dueTroubles(
  troubles: readonly Trouble[],
  standings: ReadonlyMap<string, Standing>,
  reported: Reported,
  { nowMs, monotonicMs }: PendingView,
): Trouble[] {
  if (isRecent(reported.lastSentMs, nowMs, MESSAGE_GAP_MS)) return [];
  const settled: Trouble[] = [];
  let isFollowed = false;
  let oldestMs = 0;
  for (const trouble of troubles) {
    const known = reported.troubles.get(trouble.key);
    const standing = standings.get(trouble.key);
    if (trouble.state === "unclear" || standing === undefined) continue;
    if ((trouble.state === "present") === (known?.present ?? false)) continue;
    if (known !== undefined && isRecent(known.atMs, nowMs, TROUBLE_GAP_MS)) continue;
    const ageMs = monotonicMs - standing.sinceMs;
    if (ageMs < SETTLE_MS) isFollowed = true;
    else settled.push(trouble);
    oldestMs = Math.max(oldestMs, ageMs);
  }
  return isFollowed && oldestMs < GATHER_MS ? [] : settled;
}

/** `reported` after `sent` were reported at `nowMs`. Forgets what is no longer needed: removed accounts, old ends. */
export function reportedAfter(
  reported: Reported,
  sent: readonly Trouble[],
  troubles: readonly Trouble[],
  { nowMs, isMessage }: { readonly nowMs: number; readonly isMessage: boolean },
): Reported {
  const all = new Map(reported.troubles);
  for (const { key, state } of sent) all.set(key, { present: state === "present", atMs: nowMs });
  const keys = new Set(troubles.map(({ key }) => key));
  for (const [key, { present, atMs }] of all)
    if (!keys.has(key) || (!present && !isRecent(atMs, nowMs, TROUBLE_GAP_MS))) all.delete(key);
  return { troubles: all, lastSentMs: isMessage ? nowMs : reported.lastSentMs };
}

/** The part of `reported` that concerns the whole pool. */
export function reportedOfPool({ troubles, lastSentMs }: Reported): Reported {
  return { troubles: new Map([...troubles].filter(([key]) => !isOwnTrouble({ key }))), lastSentMs };
}

/** What `own` becomes after another replica has reported `ofPool`. */
export function reportedElsewhere(own: Reported, ofPool: Reported): Reported {
  const kept = [...own.troubles].filter(([key]) => isOwnTrouble({ key }));
  return {
    troubles: new Map([...kept, ...reportedOfPool(ofPool).troubles]),
    lastSentMs: Math.max(own.lastSentMs, ofPool.lastSentMs),
  };
}

// --- internal ---

/** False for a time in the future, which a clock that was set back leaves behind. */
function isRecent(atMs: number, nowMs: number, withinMs: number): boolean {
  return atMs <= nowMs && nowMs - atMs < withinMs;
}
