// A limit error as evidence about the quota of the account that was refused.

import {
  type LimitQuota,
  MAIN_LIMIT_ID,
  type Quota,
  type QuotaWindow,
  type Refusal,
  UNKNOWN_QUOTA,
  unknownLimit,
} from "./quota.ts";
import { UNKNOWN_SPENDING } from "./spending.ts";
import { NO_WINDOWS, USUAL_SECONDS, WINDOW_KINDS, type WindowKind } from "./windows.ts";

/** The limit of `quota` with this id, or a new unknown one; undefined without an id. */
export function limitNamed(quota: Quota, id: string | undefined): LimitQuota | undefined {
  if (id === undefined) return undefined;
  if (id === MAIN_LIMIT_ID) return quota.main;
  return quota.additional.find((limit) => limit.id === id) ?? unknownLimit(id);
}

/**
 * Evidence that the window of `limit` that resets at `untilMs` (Unix ms) is exhausted. That is the window known to reset
 * then, or else the shortest possible one that includes the reset.
 */
export function exhaustedEvidence(limit: LimitQuota, untilMs: number, nowMs: number): Quota {
  const isNear = (kind: WindowKind) => {
    const resetAtMs = limit.windows[kind]?.resetAtMs;
    return resetAtMs !== undefined && Math.abs(resetAtMs - untilMs) <= SAME_RESET_MS;
  };
  const lengthMs = (kind: WindowKind) => (limit.windows[kind]?.windowSeconds ?? USUAL_SECONDS[kind]) * 1000;
  const possible = WINDOW_KINDS.filter(
    (kind) => limit.completeAsOfMs === 0 || limit.windows[kind] !== undefined,
  );
  const kind =
    possible.find(isNear) ??
    possible.find((one) => untilMs - nowMs <= lengthMs(one) + SAME_RESET_MS) ??
    possible.at(-1);
  // The limit has no windows, so the refusal cannot be about one.
  if (kind === undefined) return UNKNOWN_QUOTA;
  const window: QuotaWindow = {
    usedPercent: 100,
    resetAtMs: untilMs,
    windowSeconds: limit.windows[kind]?.windowSeconds,
    asOfMs: nowMs,
    source: "limit_error",
  };
  const evidence = { ...unknownLimit(limit.id, limit.name), windows: { ...NO_WINDOWS, [kind]: window } };
  return limit.id === MAIN_LIMIT_ID
    ? { ...UNKNOWN_QUOTA, main: evidence }
    : { ...UNKNOWN_QUOTA, additional: [evidence] };
}

/** Evidence that requests on `limit`, an additional one, are refused. */
export function refusedEvidence(limit: LimitQuota, refusal: Refusal): Quota {
  return { ...UNKNOWN_QUOTA, additional: [{ ...unknownLimit(limit.id, limit.name), refusal }] };
}

/** Evidence of a refusal despite credits: they do not count until `untilMs` (Unix ms). */
export function creditsRefused(untilMs: number, nowMs: number): Quota {
  return {
    ...UNKNOWN_QUOTA,
    spending: { ...UNKNOWN_SPENDING, creditsRefused: { value: untilMs, asOfMs: nowMs } },
  };
}

// --- internal ---

/** Two sources may report the same reset this far apart. */
const SAME_RESET_MS = 120_000;
