// What an upstream of either kind can take, apart from its health.

import {
  type AccountOptions,
  DEFAULT_OPTIONS,
  floorOf,
  isKeptWhole,
  type OptionValues,
  type SpendFloors,
  windowsAtFloor,
} from "./account-options.ts";
import { type Condition, conditionOf } from "./condition.ts";
import { limitFor, type RefusedBy } from "./meters.ts";
import { type Quota, type QuotaView, UNKNOWN_QUOTA } from "./quota.ts";
import {
  type QuotaSummary,
  type ScoreWeights,
  scoreOf,
  summaryOf,
  type WindowSummary,
} from "./quota-summary.ts";
import { type ByWindow, mapWindows } from "./windows.ts";

export interface Capacity {
  /** The condition while its health allows it to serve. */
  readonly condition: Exclude<Condition, "probing">;
  /** Until when it cannot serve, Unix ms; 0 if it can, or if the end is unknown. */
  readonly untilMs: number;
  /** Why it cannot serve, or only as a last resort; undefined if it can. */
  readonly why: string | undefined;
  readonly summary: QuotaSummary;
  /** 0..1. */
  readonly score: number;
  /** True if a limit other than the main one counts for some models. */
  readonly hasOwnLimits: boolean;
  /** True if the upstream serves turns and nothing else. Default false. */
  readonly turnsOnly?: boolean;
}

/** The conditions under which capacity is judged. */
export interface CapacityView extends QuotaView {
  readonly weights: ScoreWeights;
  /** True if credits may be spent. */
  readonly useCredits: boolean;
  readonly spendFloors: SpendFloors;
  /** The options of accounts that config.toml sets, by alias in lower case. */
  readonly fileOptions: Readonly<Record<string, OptionValues>>;
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
    spendFloors: "last",
    fileOptions: {},
    model: undefined,
    refusedBy: () => undefined,
  };
}

/** The summary of an upstream about which nothing is known. */
export const NO_SUMMARY: QuotaSummary = summaryOf(UNKNOWN_QUOTA, UNKNOWN_QUOTA.main, { nowMs: 0, ttlMs: 0 });

/** The reason of an account that has reached a floor. */
export const FLOOR_REASON = "floor";

/** The capacity of an account with `options` according to its figures. */
export function capacityOfQuota(
  quota: Quota,
  view: CapacityView,
  options: AccountOptions = DEFAULT_OPTIONS,
): Capacity {
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
  const condition = conditionOf(summary);
  // The backend spends credits only once a window is exhausted, and then nothing above it is spent.
  const low = condition === "credits" ? [] : windowsAtFloor(summary.windows, options);
  if (low.length > 0 && view.spendFloors === "never")
    return {
      ...figures,
      condition: "kept_back",
      untilMs: aboveFloorMs(summary, low, options),
      why: FLOOR_REASON,
    };
  if (low.length > 0 && condition === "ready")
    return { ...figures, condition: "at_floor", untilMs: 0, why: FLOOR_REASON };
  return { ...figures, condition, untilMs: 0, why: undefined };
}

/**
 * What a pool may use of the windows of an account with `options`: without what its floors keep back, if floors are
 * never spent.
 */
export function usableWindows(
  windows: ByWindow<WindowSummary>,
  options: AccountOptions,
  spendFloors: SpendFloors,
): ByWindow<WindowSummary> {
  if (spendFloors !== "never" || (options.floorDaily === 0 && options.floorWeekly === 0)) return windows;
  return mapWindows(windows, (window, kind) =>
    window.left === undefined
      ? window
      : { ...window, left: Math.max(0, window.left - floorOf(kind, options) / 100) },
  );
}

// --- internal ---

/**
 * When all of `low`, and every exhausted window, have been reset, Unix ms; 0 if one of the times is unknown, or if a floor
 * keeps back a whole window.
 */
function aboveFloorMs(
  { exhausted, exhaustedUntilMs = 0 }: QuotaSummary,
  low: readonly WindowSummary[],
  options: AccountOptions,
): number {
  if (low.some(({ kind }) => isKeptWhole(kind, options))) return 0;
  const ends = [...low.map(({ resetAtMs = 0 }) => resetAtMs), ...(exhausted ? [exhaustedUntilMs] : [])];
  return ends.includes(0) ? 0 : Math.max(...ends);
}
