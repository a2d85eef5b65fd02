// What an upstream of either kind can take, apart from its health.

import { type Condition, conditionOf } from "./condition.ts";
import { limitFor, type RefusedBy } from "./meters.ts";
import { type Quota, type QuotaView, UNKNOWN_QUOTA } from "./quota.ts";
import { type QuotaSummary, type ScoreWeights, scoreOf, summaryOf } from "./quota-summary.ts";

export interface Capacity {
  /** The condition while its health allows it to serve. */
  readonly condition: Exclude<Condition, "probing">;
  /** Until when it cannot serve, Unix ms; 0 if it can, or if the end is unknown. */
  readonly untilMs: number;
  /** Why it cannot serve; undefined if it can. */
  readonly why: string | undefined;
  readonly summary: QuotaSummary;
  /** 0..1. */
  readonly score: number;
  /** True if a limit other than the main one counts for some models. */
  readonly hasOwnLimits: boolean;
}

/** The conditions under which capacity is judged. */
export interface CapacityView extends QuotaView {
  readonly weights: ScoreWeights;
  /** True if credits may be spent. */
  readonly useCredits: boolean;
  /** The requested model; undefined: any model under the main limit. */
  readonly model: string | undefined;
  readonly refusedBy: RefusedBy;
}

/** The view for the question whether anything is left at all. Weights do not matter for it. */
export function plainView(nowMs: number): CapacityView {
  return {
    nowMs,
    ttlMs: 0,
    weights: { daily: 1, weekly: 1 },
    useCredits: true,
    model: undefined,
    refusedBy: () => undefined,
  };
}

/** The summary of an upstream about which nothing is known. */
export const NO_SUMMARY: QuotaSummary = summaryOf(UNKNOWN_QUOTA, UNKNOWN_QUOTA.main, { nowMs: 0, ttlMs: 0 });

/** The capacity of an account according to its figures. */
export function capacityOfQuota(quota: Quota, view: CapacityView): Capacity {
  const summary = summaryOf(quota, limitFor(quota, view.model, view.refusedBy), view);
  const { refusedUntilMs, exhausted, credits } = summary;
  const figures = {
    summary,
    score: scoreOf(summary, view.weights),
    hasOwnLimits: quota.additional.length > 0,
  };
  if (refusedUntilMs > 0)
    return { ...figures, condition: "limited", untilMs: refusedUntilMs, why: "usage-limit" };
  // The backend would serve a request and spend the credits.
  if (exhausted && credits && !view.useCredits)
    return {
      ...figures,
      condition: "limited",
      untilMs: summary.exhaustedUntilMs ?? 0,
      why: "only credits are left, and policy.use_credits is false",
    };
  return { ...figures, condition: conditionOf(summary), untilMs: 0, why: undefined };
}
