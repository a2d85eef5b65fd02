// What choosing has to know of an upstream besides its health, whatever its kind.

import type { Candidate } from "./policy.ts";
import type { Quota, QuotaView } from "./quota.ts";
import { type ScoreWeights, type Standing, scoreOf, standingOf } from "./standing.ts";

export interface Capacity {
  /** `available`, unless it is known in advance that it cannot serve. */
  readonly state: Candidate["state"];
  /** Until when it cannot, Unix ms; 0 when it can, or when that is not known. */
  readonly untilMs: number;
  /** Why it cannot. */
  readonly why: string | undefined;
  readonly standing: Standing;
  /** 0..1. */
  readonly score: number;
}

/** Nothing is known of it. */
export const NO_STANDING: Standing = standingOf(
  {
    planType: undefined,
    main: { id: "", name: undefined, primary: undefined, secondary: undefined },
    additional: [],
  },
  { nowMs: 0, ttlMs: 0 },
);

/** The capacity of an account: what its figures amount to. */
export function capacityOfQuota(quota: Quota, view: QuotaView, weights: ScoreWeights): Capacity {
  const standing = standingOf(quota, view);
  return { state: "available", untilMs: 0, why: undefined, standing, score: scoreOf(standing, weights) };
}
