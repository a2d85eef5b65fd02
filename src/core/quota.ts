// The quota of one account: its windows, what is left of them, and how evidence from several sources is merged.
// For each window the newest evidence wins, whatever the order of arrival. A window that the backend left out of a
// complete list does not exist; any other window without figures is unknown.

import { believableEnd, believableLength, LONGEST_NAME, MOST_LIMITS, shortText } from "./bounds.ts";
import {
  believableSpending,
  forbiddenUntilMs,
  hasSpendableCredits,
  mergeSpending,
  type Spending,
  UNKNOWN_SPENDING,
} from "./spending.ts";
import { type ByWindow, mapWindows, NO_WINDOWS, presentOf } from "./windows.ts";

export type QuotaSource = "headers" | "event" | "limit_error" | "usage_api" | "stored" | "child";

/** The last known state of one rate-limit window. */
export interface QuotaWindow {
  /** 0..100. */
  readonly usedPercent: number;
  /** When the window resets, Unix ms; undefined when unknown. */
  readonly resetAtMs: number | undefined;
  /** Length of the window in seconds; undefined when unknown. */
  readonly windowSeconds: number | undefined;
  /** When this was true, Unix ms. */
  readonly asOfMs: number;
  readonly source: QuotaSource;
}

/** A refusal: requests on the limit are refused from `sinceMs` to `untilMs`, both Unix ms. */
export interface Refusal {
  readonly sinceMs: number;
  readonly untilMs: number;
}

/** One limit: a meter with its windows. */
export interface LimitQuota {
  readonly id: string;
  readonly name: string | undefined;
  /** Slug of the normal model for which the limit counts, if the backend names one. */
  readonly model: string | undefined;
  readonly windows: ByWindow<QuotaWindow>;
  /** When the backend last listed all windows of the limit, Unix ms; 0: never. Windows not listed do not exist. */
  readonly completeAsOfMs: number;
  /** The last refusal because of this limit. Refusals by the main limit are part of the account's health. */
  readonly refusal: Refusal | undefined;
}

export interface Quota {
  readonly planType: string | undefined;
  readonly main: LimitQuota;
  /** Limits of single features or models, ordered by id. */
  readonly additional: readonly LimitQuota[];
  readonly spending: Spending;
}

/** The quota as one reply, event or poll reported it, usually incomplete. */
export type QuotaEvidence = Quota;

/** The id the backend gives the account's main limit. */
export const MAIN_LIMIT_ID = "codex";

/** A limit about which nothing is known yet. */
export function unknownLimit(id: string, name?: string): LimitQuota {
  return {
    id,
    name,
    model: undefined,
    windows: NO_WINDOWS,
    completeAsOfMs: 0,
    refusal: undefined,
  };
}

export const UNKNOWN_QUOTA: Quota = {
  planType: undefined,
  main: unknownLimit(MAIN_LIMIT_ID),
  additional: [],
  spending: UNKNOWN_SPENDING,
};

/** The time at which quota is looked at, and how long figures are valid. */
export interface QuotaView {
  readonly nowMs: number;
  /** Older figures count as unknown. */
  readonly ttlMs: number;
}

/**
 * The plausible part of `quota`, which another party wrote, at `nowMs`. Implausible values become unknown, and texts
 * that are too long are cut.
 */
export function believable({ planType, main, additional, spending }: Quota, nowMs: number): Quota {
  const window = (received: QuotaWindow): QuotaWindow => ({
    ...received,
    usedPercent: Math.min(100, Math.max(0, received.usedPercent)),
    resetAtMs: received.resetAtMs === undefined ? undefined : believableEnd(received.resetAtMs, nowMs),
    windowSeconds:
      received.windowSeconds === undefined || believableLength(received.windowSeconds * 1000) === undefined
        ? undefined
        : received.windowSeconds,
    // Figures dated in the future would override all later ones.
    asOfMs: Math.min(nowMs, received.asOfMs),
  });
  const name = (text: string | undefined) => (text ? shortText(text, LONGEST_NAME) : undefined);
  const limit = (received: LimitQuota): LimitQuota => ({
    id: shortText(received.id, LONGEST_NAME),
    name: name(received.name),
    model: name(received.model),
    windows: mapWindows(received.windows, window),
    completeAsOfMs: Math.min(nowMs, received.completeAsOfMs),
    refusal: received.refusal && {
      sinceMs: Math.min(nowMs, received.refusal.sinceMs),
      untilMs: believableEnd(received.refusal.untilMs, nowMs) ?? nowMs,
    },
  });
  return {
    planType: name(planType),
    main: limit(main),
    additional: additional.slice(0, MOST_LIMITS).map(limit),
    spending: believableSpending(spending, nowMs),
  };
}

/** Merges `evidence` into `quota`; commutative for windows, because the newer `asOfMs` wins. */
export function mergeQuota(quota: Quota, evidence: QuotaEvidence): Quota {
  return {
    planType: evidence.planType ?? quota.planType,
    main: mergeLimit(quota.main, evidence.main),
    additional: mergeAdditional(quota.additional, evidence.additional),
    spending: mergeSpending(quota.spending, evidence.spending),
  };
}

/** The share left of a window, 0..1, or undefined when it is unknown. */
export function remaining(window: QuotaWindow | undefined, view: QuotaView): number | undefined {
  if (window === undefined) return undefined;
  const reset = window.resetAtMs;
  if (reset !== undefined && reset <= view.nowMs) return view.nowMs - reset <= view.ttlMs ? 1 : undefined;
  // Use only grows until the reset, so "nothing left" stays true however old the figure is.
  if (reset !== undefined && window.usedPercent >= 100) return 0;
  if (view.nowMs - window.asOfMs > view.ttlMs) return undefined;
  return Math.min(1, Math.max(0, (100 - window.usedPercent) / 100));
}

/** True when a window of `limit` is exhausted, or the workspace forbids any use. */
export function isExhausted({ spending }: Quota, limit: LimitQuota, view: QuotaView): boolean {
  return (
    presentOf(limit.windows).some((window) => remaining(window, view) === 0) || isForbidden(spending, view)
  );
}

/** When `limit` stops being exhausted, Unix ms; undefined if it is not exhausted or the end is unknown. */
export function exhaustedUntilMs(
  { spending }: Quota,
  limit: LimitQuota,
  view: QuotaView,
): number | undefined {
  const ends = presentOf(limit.windows)
    .filter((window) => remaining(window, view) === 0)
    .map(({ resetAtMs }) => resetAtMs)
    .concat(forbiddenUntilMs(spending, view))
    .filter((end) => end !== undefined && Number.isFinite(end)) as number[];
  return ends.length === 0 ? undefined : Math.max(...ends);
}

/** True when requests on `limit` can be served: it is not exhausted, or `useCredits` and there are credits. */
export function canServe(quota: Quota, limit: LimitQuota, view: QuotaView, useCredits: boolean): boolean {
  return !isExhausted(quota, limit, view) || (useCredits && hasSpendableCredits(quota.spending, view));
}

/** When the newest figure of `limit` was taken, Unix ms; 0 when there is none. */
export function newestFigureMs({ windows, completeAsOfMs }: LimitQuota): number {
  return Math.max(completeAsOfMs, ...presentOf(windows).map((window) => window.asOfMs));
}

/** `quota` without its exhausted windows, as if nothing were known about them. */
export function withoutExhausted(quota: Quota): Quota {
  const limit = (one: LimitQuota): LimitQuota => {
    const windows = mapWindows(one.windows, (window) => (window.usedPercent >= 100 ? undefined : window));
    const isWhole = presentOf(windows).length === presentOf(one.windows).length;
    return { ...one, windows, completeAsOfMs: isWhole ? one.completeAsOfMs : 0, refusal: undefined };
  };
  return {
    ...quota,
    main: limit(quota.main),
    additional: quota.additional.map(limit),
    spending: { ...UNKNOWN_SPENDING, credits: quota.spending.credits },
  };
}

// --- internal ---

function isForbidden(spending: Spending, view: QuotaView): boolean {
  return forbiddenUntilMs(spending, view) !== undefined;
}

function mergeAdditional(known: readonly LimitQuota[], heard: readonly LimitQuota[]): readonly LimitQuota[] {
  if (heard.length === 0) return known;
  const byId = new Map(known.map((limit) => [limit.id, limit]));
  for (const limit of heard) {
    const before = byId.get(limit.id);
    byId.set(limit.id, before === undefined ? limit : mergeLimit(before, limit));
  }
  return mostRecent([...byId.values()]).sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** At most `MOST_LIMITS` of the limits: the most recent ones. */
function mostRecent(limits: LimitQuota[]): LimitQuota[] {
  if (limits.length <= MOST_LIMITS) return limits;
  return limits.sort((a, b) => newestFigureMs(b) - newestFigureMs(a)).slice(0, MOST_LIMITS);
}

function mergeLimit(known: LimitQuota, heard: LimitQuota): LimitQuota {
  const completeAsOfMs = Math.max(known.completeAsOfMs, heard.completeAsOfMs);
  const windows: ByWindow<QuotaWindow> = {
    short: newer(known.windows.short, heard.windows.short, completeAsOfMs),
    weekly: newer(known.windows.weekly, heard.windows.weekly, completeAsOfMs),
    monthly: newer(known.windows.monthly, heard.windows.monthly, completeAsOfMs),
  };
  return {
    id: known.id,
    name: heard.name ?? known.name,
    model: heard.model ?? known.model,
    windows,
    completeAsOfMs,
    refusal: later(known.refusal, heard.refusal),
  };
}

/** The newer of two states of a window. A state older than the last complete list belongs to a former plan. */
function newer(
  a: QuotaWindow | undefined,
  b: QuotaWindow | undefined,
  completeAsOfMs: number,
): QuotaWindow | undefined {
  const newest = a === undefined || b === undefined ? (a ?? b) : newerOf(a, b);
  return newest !== undefined && newest.asOfMs >= completeAsOfMs ? newest : undefined;
}

function newerOf(a: QuotaWindow, b: QuotaWindow): QuotaWindow {
  if (a.asOfMs !== b.asOfMs) return b.asOfMs > a.asOfMs ? b : a;
  // Equal times: a fixed order, the fuller window first, so that the order of arrival cannot matter.
  if (a.usedPercent !== b.usedPercent) return b.usedPercent > a.usedPercent ? b : a;
  return JSON.stringify(b) > JSON.stringify(a) ? b : a;
}

function later(a: Refusal | undefined, b: Refusal | undefined): Refusal | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  if (a.sinceMs === b.sinceMs) return b.untilMs > a.untilMs ? b : a;
  return b.sinceMs > a.sinceMs ? b : a;
}
