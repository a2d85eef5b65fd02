// Corrects stored times after the system clock was set back, so that cooldowns do not last longer and new figures do
// not look older than the stored ones.

import type { Health } from "./health.ts";
import type { LimitQuota, Quota, QuotaWindow } from "./quota.ts";
import { believableSpending, type Dated } from "./spending.ts";
import { mapWindows, presentOf } from "./windows.ts";

/** The longest cooldown (`core/failure.ts`), plus the jitter. */
const LONGEST_FAULT_MS = 1.2 * 3_600_000;
/** The longest windows last 30 days, and a clock can be a day off. */
const LONGEST_LIMIT_MS = 32 * 24 * 3_600_000;

/**
 * `health` after the clock was set back by `byMs`. A cooldown after a fault has a duration, so its times are shifted. A
 * limit ends at a time that the backend named, so it stays: only now does the clock agree with the backend.
 */
export function healthSetBack(health: Health, byMs: number): Health {
  if (health.kind !== "cooling" || health.cause !== "fault") return health;
  return { ...health, sinceMs: health.sinceMs - byMs, untilMs: health.untilMs - byMs };
}

/** `health` with its cooldown shortened to its original length, and to the longest that a cooldown can have. */
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

/** `quota` without figures newer than `nowMs`, which would override all figures that arrive until then. */
export function plausibleQuota(quota: Quota, nowMs: number): Quota {
  const { spending } = quota;
  const limits = [quota.main, ...quota.additional];
  const isRight =
    limits.every((limit) => isPlausibleLimit(limit, nowMs)) &&
    Object.values(spending).every((part: Dated<unknown> | undefined) => (part?.asOfMs ?? 0) <= nowMs);
  if (isRight) return quota;
  const limit = (one: LimitQuota): LimitQuota => ({
    ...one,
    windows: mapWindows(one.windows, (window) => plausibleWindow(window, nowMs)),
    completeAsOfMs: Math.min(one.completeAsOfMs, nowMs),
    refusal: one.refusal && {
      sinceMs: Math.min(one.refusal.sinceMs, nowMs),
      untilMs: Math.min(one.refusal.untilMs, nowMs + LONGEST_LIMIT_MS),
    },
  });
  return {
    ...quota,
    main: limit(quota.main),
    additional: quota.additional.map(limit),
    spending: believableSpending(spending, nowMs),
  };
}

// --- internal ---

function isPlausibleLimit({ windows, completeAsOfMs, refusal }: LimitQuota, nowMs: number): boolean {
  return (
    completeAsOfMs <= nowMs &&
    presentOf(windows).every((window) => isPlausible(window, nowMs)) &&
    (refusal === undefined || (refusal.sinceMs <= nowMs && refusal.untilMs <= nowMs + LONGEST_LIMIT_MS))
  );
}

function isPlausible({ asOfMs, resetAtMs }: QuotaWindow, nowMs: number): boolean {
  return asOfMs <= nowMs && (resetAtMs === undefined || resetAtMs <= nowMs + LONGEST_LIMIT_MS);
}

function plausibleWindow(window: QuotaWindow, nowMs: number): QuotaWindow {
  if (isPlausible(window, nowMs)) return window;
  const { asOfMs, resetAtMs } = window;
  const isNear = resetAtMs !== undefined && resetAtMs <= nowMs + LONGEST_LIMIT_MS;
  return { ...window, asOfMs: Math.min(asOfMs, nowMs), resetAtMs: isNear ? resetAtMs : undefined };
}
