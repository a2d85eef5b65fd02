// The capacity of an account with an API key: the last resort until its monthly cap is reached. Pure.

import { type ApiBilling, mayCost, nextMonthMs, spentUsd } from "./api-billing.ts";
import type { Capacity } from "./capacity.ts";
import { NO_WINDOWS } from "./windows.ts";

/** The reason of an account that has reached its monthly cap. */
export const CAP_REASON = "monthly-cap";
/** The reason of an account without a monthly cap. It serves no turns. */
export const NO_CAP_REASON = "no-monthly-cap";
/** The reason of an account whose turns in flight, or whose use on other replicas, may reach the cap. */
export const RESERVED_REASON = "monthly-cap-reserved";

/** `capUsd`: the cap in USD; 0 if none is set. */
export function capacityOfApi(billing: ApiBilling, capUsd: number, nowMs: number): Capacity {
  const spent = spentUsd(billing, nowMs);
  const endMs = nextMonthMs(nowMs);
  const isReached = spent >= capUsd;
  const common = {
    summary: {
      windows: NO_WINDOWS,
      exhausted: isReached,
      exhaustedUntilMs: isReached && capUsd > 0 ? endMs : undefined,
      credits: false,
      refusedUntilMs: 0,
      goodUntilMs: endMs,
    },
    score: 0,
    hasOwnLimits: false,
    turnsOnly: true,
  };
  if (capUsd === 0) return { ...common, condition: "limited", untilMs: 0, why: NO_CAP_REASON };
  if (isReached) return { ...common, condition: "limited", untilMs: endMs, why: CAP_REASON };
  if (!mayCost(billing, capUsd, nowMs))
    return { ...common, condition: "limited", untilMs: 0, why: RESERVED_REASON };
  return { ...common, condition: "last_resort", untilMs: 0, why: undefined };
}
