// Summarizes the figures of one limit of an account: what is left, the account's score, and when the summary changes.
// Callers cache the summary until `goodUntilMs`, so a thousand accounts cost a request hardly more than two.

import {
  exhaustedUntilMs,
  isExhausted,
  type LimitQuota,
  MAIN_LIMIT_ID,
  type Quota,
  type QuotaView,
  type QuotaWindow,
  remaining,
} from "./quota.ts";
import { hasSpendableCredits, spendingChangeMs } from "./spending.ts";
import {
  type ByWindow,
  mapWindows,
  NO_WINDOWS,
  presentOf,
  USUAL_SECONDS,
  WINDOW_KINDS,
  type WindowKind,
} from "./windows.ts";

/** One window of a limit. */
export interface WindowSummary {
  readonly kind: WindowKind;
  /** 0..1; undefined if unknown. */
  readonly left: number | undefined;
  /** The next reset, Unix ms; undefined if unknown. */
  readonly resetAtMs: number | undefined;
  readonly lengthMs: number;
}

export interface QuotaSummary {
  /** The windows that the limit has or may have. */
  readonly windows: ByWindow<WindowSummary>;
  /** True if a window is exhausted, or the workspace forbids any use. */
  readonly exhausted: boolean;
  /** When the exhaustion ends, Unix ms; undefined when unknown. */
  readonly exhaustedUntilMs: number | undefined;
  /** True if the account can serve on credits. */
  readonly credits: boolean;
  /** Until when requests on this limit are refused, Unix ms; 0 if they are not. Refusals by the main limit are in the health. */
  readonly refusedUntilMs: number;
  /** Until when the summary is valid if no new figures arrive, Unix ms. */
  readonly goodUntilMs: number;
}

/** Weights of the windows in a score; any scale. `weekly` is the weight of every longer window. */
export interface ScoreWeights {
  readonly daily: number;
  readonly weekly: number;
}

/** The share that an unknown window counts as in a score. */
export const UNKNOWN_SHARE = 0.3;

/** The summary of an account under `limit`, one of the limits in `quota`. */
export function summaryOf(quota: Quota, limit: LimitQuota, view: QuotaView): QuotaSummary {
  const isMain = limit.id === MAIN_LIMIT_ID;
  let goodUntilMs = spendingChangeMs(quota.spending, view);
  for (const window of presentOf(limit.windows)) goodUntilMs = Math.min(goodUntilMs, changeOf(window, view));
  const untilMs = limit.refusal?.untilMs ?? 0;
  const refusedUntilMs = untilMs > view.nowMs ? untilMs : 0;
  if (refusedUntilMs > 0) goodUntilMs = Math.min(goodUntilMs, refusedUntilMs);
  const known = mapWindows(limit.windows, (window, kind) => windowSummary(window, kind, view));
  return {
    windows: limit.completeAsOfMs > 0 ? known : withUnknown(known, isMain),
    exhausted: isExhausted(quota, limit, view),
    exhaustedUntilMs: exhaustedUntilMs(quota, limit, view),
    credits: hasSpendableCredits(quota.spending, view),
    refusedUntilMs,
    goodUntilMs,
  };
}

/** The exhausted window that is reset last; undefined if no window is known to be exhausted. */
export function exhaustedWindow({ windows }: Pick<QuotaSummary, "windows">): WindowSummary | undefined {
  const resetOf = ({ resetAtMs = 0 }: WindowSummary) => resetAtMs;
  const exhausted = presentOf(windows).filter(({ left }) => left !== undefined && left <= 0);
  return exhausted.sort((a, b) => resetOf(b) - resetOf(a))[0];
}

/**
 * The score of an account, 0..1: the weighted mean of what is left of its windows (an unknown one counts as 0.30); 1 if
 * it has no windows. Negative weights count as zero; without weights the score is 0.
 */
export function scoreOf({ windows }: Pick<QuotaSummary, "windows">, weights: ScoreWeights): number {
  return weightedMean(windows, weights, ({ left }) => left ?? UNKNOWN_SHARE);
}

/**
 * The weighted mean of `value` over `windows`; 1 without windows, 0 without weights. If all windows have weight 0, they
 * count equally.
 */
export function weightedMean(
  windows: ByWindow<WindowSummary>,
  weights: ScoreWeights,
  value: (window: WindowSummary) => number,
): number {
  if (Math.max(weights.daily, 0) + Math.max(weights.weekly, 0) === 0) return 0;
  let sum = 0;
  let weight = 0;
  let plain = 0;
  let count = 0;
  for (const kind of WINDOW_KINDS) {
    const window = windows[kind];
    if (window === undefined) continue;
    const worth = value(window);
    const own = weightOf(kind, weights);
    sum += own * worth;
    weight += own;
    plain += worth;
    count++;
  }
  if (count === 0) return 1;
  return weight === 0 ? plain / count : sum / weight;
}

/** The weight of a window, never negative. */
export function weightOf(kind: WindowKind, weights: ScoreWeights): number {
  return Math.max(0, kind === "short" ? weights.daily : weights.weekly);
}

// --- internal ---

/** The main limit is assumed to have a short and a weekly window until the backend lists its windows. */
function withUnknown(known: ByWindow<WindowSummary>, isMain: boolean): ByWindow<WindowSummary> {
  const { short = unknownWindow("short"), weekly = unknownWindow("weekly") } = known;
  if (isMain) return { ...known, short, weekly };
  return presentOf(known).length > 0 ? known : { ...NO_WINDOWS, short };
}

function unknownWindow(kind: WindowKind): WindowSummary {
  return { kind, left: undefined, resetAtMs: undefined, lengthMs: USUAL_SECONDS[kind] * 1000 };
}

function windowSummary(window: QuotaWindow, kind: WindowKind, view: QuotaView): WindowSummary {
  const reset = window.resetAtMs;
  return {
    kind,
    left: remaining(window, view),
    resetAtMs: reset !== undefined && reset > view.nowMs ? reset : undefined,
    lengthMs: (window.windowSeconds ?? USUAL_SECONDS[kind]) * 1000,
  };
}

/** When `remaining` of the window next changes without new figures: at its reset, or when a figure becomes too old. */
function changeOf({ resetAtMs: reset, asOfMs }: QuotaWindow, { nowMs, ttlMs }: QuotaView): number {
  let change = Number.POSITIVE_INFINITY;
  for (const at of [reset, reset === undefined ? undefined : reset + ttlMs + 1, asOfMs + ttlMs + 1])
    if (at !== undefined && at > nowMs && at < change) change = at;
  return change;
}
