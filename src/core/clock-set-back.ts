// Times that were kept by a clock which has been set back since: a cooldown lasts no longer for it, and newer figures are
// not taken for older ones.

import type { Health } from "./health.ts";
import type { LimitQuota, Quota, QuotaWindow } from "./quota.ts";

/** As `core/verdict.ts` bounds what a fault may ask for, and a fifth more so that accounts do not come back together. */
const LONGEST_FAULT_MS = 1.2 * 3_600_000;
/** The longest windows have 30 days; a clock may be a day off. */
const LONGEST_LIMIT_MS = 32 * 24 * 3_600_000;

/**
 * `health` when the clock has just been set back by `byMs`. A fault asked for a duration, which goes on as it was; a
 * limit ends at a moment that the backend named, and the clock is right about it only now.
 */
export function healthSetBack(health: Health, byMs: number): Health {
  if (health.kind !== "cooling" || health.cause !== "fault") return health;
  return { ...health, sinceMs: health.sinceMs - byMs, untilMs: health.untilMs - byMs };
}

/** `health` with no cooldown that is longer from `nowMs` on than it was when it began, or than any can be. */
export function plausibleHealth(health: Health, nowMs: number): Health {
  if (health.kind !== "cooling") return health;
  const { sinceMs, untilMs, cause } = health;
  const isFromTheFuture = sinceMs > nowMs;
  const longestMs = Math.min(
    cause === "fault" ? LONGEST_FAULT_MS : LONGEST_LIMIT_MS,
    isFromTheFuture ? Math.max(0, untilMs - sinceMs) : Number.POSITIVE_INFINITY,
  );
  if (!isFromTheFuture && untilMs <= nowMs + longestMs) return health;
  return { ...health, sinceMs: Math.min(sinceMs, nowMs), untilMs: Math.min(untilMs, nowMs + longestMs) };
}

/** `quota` with no figure that is newer than `nowMs`, which would win over all that come until then. */
export function plausibleQuota(quota: Quota, nowMs: number): Quota {
  const limits = [quota.main, ...quota.additional];
  const isRight = limits.every(({ primary, secondary }) =>
    [primary, secondary].every((window) => window === undefined || isPlausible(window, nowMs)),
  );
  if (isRight) return quota;
  const limit = (one: LimitQuota): LimitQuota => ({
    ...one,
    primary: one.primary && plausibleWindow(one.primary, nowMs),
    secondary: one.secondary && plausibleWindow(one.secondary, nowMs),
  });
  return { ...quota, main: limit(quota.main), additional: quota.additional.map(limit) };
}

// --- internal ---

function isPlausible({ asOfMs, resetAtMs }: QuotaWindow, nowMs: number): boolean {
  return asOfMs <= nowMs && (resetAtMs === undefined || resetAtMs <= nowMs + LONGEST_LIMIT_MS);
}

function plausibleWindow(window: QuotaWindow, nowMs: number): QuotaWindow {
  if (isPlausible(window, nowMs)) return window;
  const { asOfMs, resetAtMs } = window;
  const isNear = resetAtMs !== undefined && resetAtMs <= nowMs + LONGEST_LIMIT_MS;
  return { ...window, asOfMs: Math.min(asOfMs, nowMs), resetAtMs: isNear ? resetAtMs : undefined };
}
