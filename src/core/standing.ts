// What the figures of an account amount to: how much is left, how good that makes it, and when it ends. Computed once
// and kept: `goodUntilMs` says when time alone makes another answer of it, so that a thousand accounts cost a request
// hardly more than two.

import {
  exhausted,
  type LimitQuota,
  type Quota,
  type QuotaView,
  type QuotaWindow,
  remaining,
} from "./quota.ts";

/** One window of the main limit. */
export interface WindowStanding {
  /** 0..1, or undefined when it is unknown. */
  readonly left: number | undefined;
  /** Its next reset, Unix ms; undefined when none is known to come. */
  readonly resetAtMs: number | undefined;
  readonly lengthMs: number;
}

export interface Standing {
  readonly primary: WindowStanding;
  readonly secondary: WindowStanding;
  /** Any window of any limit is known to have nothing left. */
  readonly exhausted: boolean;
  /** The least that is left of any additional limit, 0..1; 1 when there is none. */
  readonly additionalLeft: number;
  /** Until then all of this holds without new figures, Unix ms. */
  readonly goodUntilMs: number;
}

/** Weights of the two windows in a score; any scale. */
export interface ScoreWeights {
  readonly daily: number;
  readonly weekly: number;
}

/** What an unknown window counts in a score. */
export const UNKNOWN_SHARE = 0.3;

/** Five hours and a week: what the two windows are unless the backend says otherwise. */
export const MAIN_WINDOW_SECONDS = { primary: 18_000, secondary: 604_800 } as const;

export function standingOf(quota: Quota, view: QuotaView): Standing {
  const { main, additional } = quota;
  let additionalLeft = 1;
  let goodUntilMs = Math.min(changeOf(main.primary, view), changeOf(main.secondary, view));
  for (const limit of additional) {
    additionalLeft = Math.min(additionalLeft, leftOf(limit, view));
    goodUntilMs = Math.min(goodUntilMs, changeOf(limit.primary, view), changeOf(limit.secondary, view));
  }
  return {
    primary: windowStanding(main.primary, MAIN_WINDOW_SECONDS.primary, view),
    secondary: windowStanding(main.secondary, MAIN_WINDOW_SECONDS.secondary, view),
    exhausted: exhausted(quota, view),
    additionalLeft,
    goodUntilMs,
  };
}

/**
 * The score of an account, 0..1: the weighted mean of what is left of its two windows (unknown counts 0.30), and
 * never more than what is left of any additional limit. Negative weights count as zero; without weights it is 0.
 */
export function scoreOf(standing: Standing, weights: ScoreWeights): number {
  const daily = Math.max(0, weights.daily);
  const weekly = Math.max(0, weights.weekly);
  const sum = daily + weekly;
  if (sum === 0) return 0;
  const base =
    (daily * (standing.primary.left ?? UNKNOWN_SHARE) + weekly * (standing.secondary.left ?? UNKNOWN_SHARE)) /
    sum;
  return Math.min(base, standing.additionalLeft);
}

// --- internal ---

function windowStanding(
  window: QuotaWindow | undefined,
  defaultSeconds: number,
  view: QuotaView,
): WindowStanding {
  const reset = window?.resetAtMs;
  return {
    left: remaining(window, view),
    resetAtMs: reset !== undefined && reset > view.nowMs ? reset : undefined,
    lengthMs: (window?.windowSeconds ?? defaultSeconds) * 1000,
  };
}

/** What is left of an additional limit: the least of its known windows, 1 when nothing is known of it. */
function leftOf({ primary, secondary }: LimitQuota, view: QuotaView): number {
  return Math.min(1, remaining(primary, view) ?? 1, remaining(secondary, view) ?? 1);
}

/** When `remaining` of the window next changes without new figures: at its reset, or when a figure grows too old. */
function changeOf(window: QuotaWindow | undefined, { nowMs, ttlMs }: QuotaView): number {
  if (window === undefined) return Number.POSITIVE_INFINITY;
  const { resetAtMs: reset, asOfMs } = window;
  let change = Number.POSITIVE_INFINITY;
  for (const at of [reset, reset === undefined ? undefined : reset + ttlMs + 1, asOfMs + ttlMs + 1])
    if (at !== undefined && at > nowMs && at < change) change = at;
  return change;
}
