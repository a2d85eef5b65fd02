// A simulated world for comparing policies. Its accounts have windows that fill and reset as the backend's do, and
// prompt caches that are warm only for recently served sessions. It uses no network and no real time.

import { type QuotaEvidence, type QuotaWindow, UNKNOWN_QUOTA } from "../../src/core/quota.ts";
import { byKind } from "../../src/core/windows.ts";

export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;
const SHORT_MS = 5 * HOUR_MS;
const WEEK_MS = 7 * DAY_MS;
const MONTH_MS = 30 * DAY_MS;

/** The cost of a turn if the account has the session's prompt in its cache, and if it does not. */
export const WARM_COST = 1;
export const COLD_COST = 3;
/** The cost of an anchor turn, whose prompt is a few words. */
export const ANCHOR_COST = 0.1;
/** A cache entry expires this long after its last use. */
const CACHE_MS = 30 * MINUTE_MS;

/** What an account may spend in each of its two windows. A weekly window contains eight short windows. */
export const SHORT_LIMIT = 150;
export const WEEK_LIMIT = 1_200;
/** What an account with a monthly window in place of the weekly one may spend in a month: as much per day. */
const MONTH_LIMIT = (WEEK_LIMIT * MONTH_MS) / WEEK_MS;

export interface World {
  readonly accounts: readonly WorldAccount[];
  /** The unspent quota of the longer windows at their resets, in whole windows, and the number of those resets. */
  readonly wasted: { left: number; resets: number };
  /** Advances the time to `nowMs` and resets the windows that have ended. */
  roll(nowMs: number): void;
}

export interface WorldAccount {
  readonly index: number;
  /** True if no window is exhausted. */
  hasRoom(): boolean;
  /** What is left of each window, 0..1, in whole percent as the backend reports it. */
  left(): { readonly short: number; readonly week: number };
  /** Serves one turn of a session, and spends its cost. */
  serve(session: number, nowMs: number): { readonly warm: boolean };
  /** Starts the short window if it has not begun, and spends the cost of an anchor turn. */
  anchor(nowMs: number): void;
  /** The account's quota as the backend reports it. */
  figures(nowMs: number, source: QuotaWindow["source"]): QuotaEvidence;
  /** The time at which all exhausted windows have reset. Unix ms. */
  roomMs(): number;
}

interface Window {
  used: number;
  /** The end of the window. Undefined: the window begins with the next use. Unix ms. */
  endMs: number | undefined;
  readonly limit: number;
  readonly lengthMs: number;
}

/**
 * `random` determines how far each account is into its week, and how much of the week's quota it has spent. `monthly`:
 * accounts have a monthly window in place of the weekly one.
 */
export function createWorld(count: number, startMs: number, random: () => number, monthly = false): World {
  const long = monthly
    ? { limit: MONTH_LIMIT, lengthMs: MONTH_MS }
    : { limit: WEEK_LIMIT, lengthMs: WEEK_MS };
  const wasted = { left: 0, resets: 0 };
  const members = Array.from({ length: count }, (_, index) => {
    // The ends of the weeks are spread evenly. Each account has spent roughly the share of its week that has passed.
    const passed = (index + random()) / count;
    const week: Window = {
      used: long.limit * Math.min(1, Math.max(0, passed + 0.4 * (random() - 0.5))),
      endMs: startMs + long.lengthMs * (1 - passed),
      ...long,
    };
    return member(index, { used: 0, endMs: undefined, limit: SHORT_LIMIT, lengthMs: SHORT_MS }, week);
  });
  return {
    accounts: members,
    wasted,
    roll: (nowMs) => {
      for (const { short, week } of members) {
        if (short.endMs !== undefined && short.endMs <= nowMs)
          Object.assign(short, { used: 0, endMs: undefined });
        while (week.endMs !== undefined && week.endMs <= nowMs) {
          wasted.left += Math.max(0, 1 - week.used / week.limit);
          wasted.resets++;
          Object.assign(week, { used: 0, endMs: week.endMs + week.lengthMs });
        }
      }
    },
  };
}

// --- internal ---

function usedPercentOf({ used, limit }: Pick<Window, "used" | "limit">): number {
  return Math.min(100, Math.round((used / limit) * 100));
}

type Member = WorldAccount & { readonly short: Window; readonly week: Window };

function member(index: number, short: Window, week: Window): Member {
  const cached = new Map<number, number>();
  return {
    index,
    short,
    week,
    hasRoom: () => short.used < short.limit && week.used < week.limit,
    left: () => ({ short: (100 - usedPercentOf(short)) / 100, week: (100 - usedPercentOf(week)) / 100 }),
    serve: (session, nowMs) => {
      const warm = (cached.get(session) ?? Number.NEGATIVE_INFINITY) + CACHE_MS > nowMs;
      cached.set(session, nowMs);
      short.endMs ??= nowMs + short.lengthMs;
      for (const window of [short, week]) window.used += warm ? WARM_COST : COLD_COST;
      return { warm };
    },
    anchor: (nowMs) => {
      short.endMs ??= nowMs + short.lengthMs;
      for (const window of [short, week]) window.used += ANCHOR_COST;
    },
    figures: (asOfMs, source) => {
      const windowOf = ({ endMs, lengthMs, ...window }: Window): QuotaWindow => ({
        usedPercent: usedPercentOf(window),
        // For a window that has not begun, the backend also reports a reset, one full window from now.
        resetAtMs: endMs ?? asOfMs + lengthMs,
        windowSeconds: lengthMs / 1000,
        asOfMs,
        source,
      });
      return {
        ...UNKNOWN_QUOTA,
        planType: "plus",
        main: {
          ...UNKNOWN_QUOTA.main,
          windows: byKind(windowOf(short), windowOf(week)),
          completeAsOfMs: asOfMs,
        },
      };
    },
    roomMs: () =>
      Math.max(...[short, week].filter(({ used, limit }) => used >= limit).map(({ endMs }) => endMs ?? 0)),
  };
}

/** The id of the account with this index in the pool. */
export function idOf(index: number): string {
  return `openai:a${index}`;
}

/** A pseudorandom sequence of numbers from 0 to 1, the same for the same seed (mulberry32). */
export function sequence(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
