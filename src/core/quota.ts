// The allowance of one account: its windows, what is left of them, and how evidence from several sources is
// merged. Newest evidence wins, window by window, whatever the order of arrival; what nobody told is unknown.

import { believableEnd, believableLength, LONGEST_NAME, MOST_LIMITS, shortText } from "./bounds.ts";

export type QuotaSource = "headers" | "event" | "limit_error" | "usage_api" | "stored" | "child";

/** One rate-limit window as last heard of. */
export interface QuotaWindow {
  /** 0..100. */
  readonly usedPercent: number;
  /** When the window starts anew, Unix ms; undefined when not told. */
  readonly resetAtMs: number | undefined;
  /** Length of the window in seconds; undefined when not told. */
  readonly windowSeconds: number | undefined;
  /** When this was true, Unix ms. */
  readonly asOfMs: number;
  readonly source: QuotaSource;
}

/** The windows of one limit. `primary` is the short one (5 h in practice), `secondary` the long one (a week). */
export interface LimitQuota {
  readonly id: string;
  readonly name: string | undefined;
  readonly primary: QuotaWindow | undefined;
  readonly secondary: QuotaWindow | undefined;
}

export interface Quota {
  readonly planType: string | undefined;
  readonly main: LimitQuota;
  /** Limits of single features or models, ordered by id. */
  readonly additional: readonly LimitQuota[];
}

/** What one reply, event or poll told. Same shape, usually with gaps. */
export type QuotaEvidence = Quota;

/** The id the backend gives the account's main limit. */
export const MAIN_LIMIT_ID = "codex";

export const UNKNOWN_QUOTA: Quota = {
  planType: undefined,
  main: { id: MAIN_LIMIT_ID, name: undefined, primary: undefined, secondary: undefined },
  additional: [],
};

/** How long figures count, and what "now" is, for every question below. */
export interface QuotaView {
  readonly nowMs: number;
  /** Older figures count as unknown. */
  readonly ttlMs: number;
}

/**
 * The plausible part of `quota`, which another party wrote, at `nowMs`. Implausible values become unknown, and texts
 * that are too long are cut.
 */
export function believable({ planType, main, additional }: Quota, nowMs: number): Quota {
  const window = (received: QuotaWindow | undefined): QuotaWindow | undefined =>
    received && {
      ...received,
      usedPercent: Math.min(100, Math.max(0, received.usedPercent)),
      resetAtMs: received.resetAtMs === undefined ? undefined : believableEnd(received.resetAtMs, nowMs),
      windowSeconds:
        received.windowSeconds === undefined || believableLength(received.windowSeconds * 1000) === undefined
          ? undefined
          : received.windowSeconds,
      // Figures dated in the future would override all later ones.
      asOfMs: Math.min(nowMs, received.asOfMs),
    };
  const name = (text: string | undefined) => (text ? shortText(text, LONGEST_NAME) : undefined);
  const limit = (received: LimitQuota): LimitQuota => ({
    id: shortText(received.id, LONGEST_NAME),
    name: name(received.name),
    primary: window(received.primary),
    secondary: window(received.secondary),
  });
  return {
    planType: name(planType),
    main: limit(main),
    additional: additional.slice(0, MOST_LIMITS).map(limit),
  };
}

/** Merges `evidence` into `quota`; commutative for windows, because the newer `asOfMs` wins. */
export function mergeQuota(quota: Quota, evidence: QuotaEvidence): Quota {
  return {
    planType: evidence.planType ?? quota.planType,
    main: mergeLimit(quota.main, evidence.main),
    additional: mergeAdditional(quota.additional, evidence.additional),
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

/** True when any window of any limit is known to have nothing left. */
export function exhausted(quota: Quota, view: QuotaView): boolean {
  return limitsOf(quota).some((limit) => windowsOf(limit).some((window) => remaining(window, view) === 0));
}

/** The moment the last used-up window resets, Unix ms; undefined when none is used up or no reset is known. */
export function exhaustedUntilMs(quota: Quota, view: QuotaView): number | undefined {
  const resets = limitsOf(quota)
    .flatMap(windowsOf)
    .filter((window) => remaining(window, view) === 0)
    .map((window) => window.resetAtMs)
    .filter((reset) => reset !== undefined);
  return resets.length === 0 ? undefined : Math.max(...resets);
}

/** When the newest figure of the main limit was taken, Unix ms; 0 when there is none. */
export function newestFigureMs(quota: Quota): number {
  return Math.max(0, ...windowsOf(quota.main).map((window) => window.asOfMs));
}

/** True when figures of the main limit are known and no window of any limit is used up. */
export function hasRoom(quota: Quota, view: QuotaView): boolean {
  return newestFigureMs(quota) > 0 && !exhausted(quota, view);
}

/** `quota` without the windows that are used up: nothing is known of them. */
export function withoutUsedUp({ planType, main, additional }: Quota): Quota {
  const left = (window: QuotaWindow | undefined) =>
    (window?.usedPercent ?? 100) >= 100 ? undefined : window;
  const limit = (one: LimitQuota): LimitQuota => ({
    ...one,
    primary: left(one.primary),
    secondary: left(one.secondary),
  });
  return { planType, main: limit(main), additional: additional.map(limit) };
}

// --- internal ---

function limitsOf(quota: Quota): readonly LimitQuota[] {
  return [quota.main, ...quota.additional];
}

function windowsOf(limit: LimitQuota): QuotaWindow[] {
  return [limit.primary, limit.secondary].filter((window) => window !== undefined);
}

function mergeAdditional(known: readonly LimitQuota[], told: readonly LimitQuota[]): readonly LimitQuota[] {
  if (told.length === 0) return known;
  const byId = new Map(known.map((limit) => [limit.id, limit]));
  for (const limit of told) {
    const before = byId.get(limit.id);
    byId.set(limit.id, before === undefined ? limit : mergeLimit(before, limit));
  }
  return mostRecent([...byId.values()]).sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** At most `MOST_LIMITS` of the limits: the most recent ones. */
function mostRecent(limits: LimitQuota[]): LimitQuota[] {
  if (limits.length <= MOST_LIMITS) return limits;
  const toldMs = (limit: LimitQuota) => Math.max(0, ...windowsOf(limit).map(({ asOfMs }) => asOfMs));
  return limits.sort((a, b) => toldMs(b) - toldMs(a)).slice(0, MOST_LIMITS);
}

function mergeLimit(known: LimitQuota, told: LimitQuota): LimitQuota {
  return {
    id: known.id,
    name: told.name ?? known.name,
    primary: newer(known.primary, told.primary),
    secondary: newer(known.secondary, told.secondary),
  };
}

function newer(a: QuotaWindow | undefined, b: QuotaWindow | undefined): QuotaWindow | undefined {
  if (a === undefined) return b;
  if (b === undefined) return a;
  // Equal times: the fuller window, so that the order of arrival cannot matter.
  if (a.asOfMs === b.asOfMs) return b.usedPercent > a.usedPercent ? b : a;
  return b.asOfMs > a.asOfMs ? b : a;
}
