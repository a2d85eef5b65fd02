// What the accounts have together, as if they were one: the usage that the whole pool presents to Codex.

import type { Health } from "./health.ts";
import { type LimitQuota, type Quota, type QuotaView, type QuotaWindow, remaining } from "./quota.ts";

/** One account as others may see it. */
export interface AccountFacts {
  readonly id: string;
  readonly alias: string;
  readonly email: string | undefined;
  readonly health: Health;
  readonly draining: boolean;
  readonly quota: Quota;
  readonly lastUsedMs: number;
  readonly lastSwitchReason: string | undefined;
  readonly inFlight: number;
}

/** A pooled window: the mean share left over the accounts that know it, and the earliest reset still to come. */
export interface PooledWindow {
  /** 0..1; undefined when no account knows. */
  readonly left: number | undefined;
  readonly resetAtMs: number | undefined;
  readonly windowSeconds: number | undefined;
}

export interface PooledLimit {
  readonly id: string;
  readonly name: string | undefined;
  readonly primary: PooledWindow;
  readonly secondary: PooledWindow;
}

export interface PooledUsage {
  readonly planType: string;
  readonly main: PooledLimit;
  readonly additional: readonly PooledLimit[];
}

/** The plan shown when no account told its own. */
export const DEFAULT_PLAN = "plus";

/** What the enabled accounts have together. Disabled ones have nothing to give and do not count. */
export function pooledUsage(accounts: readonly AccountFacts[], view: QuotaView): PooledUsage {
  const enabled = accounts.filter((account) => account.health.kind !== "disabled");
  const mains = enabled.map((account) => account.quota.main);
  return {
    planType:
      enabled.map((account) => account.quota.planType).find((plan) => plan !== undefined) ?? DEFAULT_PLAN,
    main: pooledLimit("codex", undefined, mains, view),
    additional: pooledLimits(enabled, view),
  };
}

/** The body of `GET …/wham/usage`. Codex decodes window fields as integers, so every figure is rounded. */
export function usageBody(usage: PooledUsage, nowMs: number): Record<string, unknown> {
  return {
    user_id: "proxy-only",
    account_id: "proxy-only",
    email: "proxy-only@codexlb.internal",
    plan_type: usage.planType,
    rate_limit: rateLimitBody(usage.main, nowMs, MAIN_WINDOW_SECONDS),
    code_review_rate_limit: null,
    additional_rate_limits: usage.additional.map((limit) => ({
      limit_name: limit.name ?? limit.id,
      metered_feature: limit.id,
      rate_limit: rateLimitBody(limit, nowMs, MAIN_WINDOW_SECONDS),
    })),
    credits: {
      has_credits: false,
      unlimited: false,
      overage_limit_reached: false,
      balance: "",
      approx_local_messages: [0, 0],
      approx_cloud_messages: [0, 0],
    },
    spend_control: { reached: false },
    rate_limit_reached_type: null,
    promo: null,
  };
}

/** Share used of a pooled window in whole percent, 0..100; unknown reads as 0. */
export function usedPercent(window: PooledWindow): number {
  return window.left === undefined ? 0 : Math.min(100, Math.max(0, Math.round(100 - window.left * 100)));
}

/** Five hours and a week: what the two windows are unless the backend says otherwise. */
export const MAIN_WINDOW_SECONDS = { primary: 18_000, secondary: 604_800 } as const;

/** The additional limits of `accounts`, pooled by id. */
export function pooledLimits(accounts: readonly AccountFacts[], view: QuotaView): PooledLimit[] {
  const byId = new Map<string, LimitQuota[]>();
  for (const limit of accounts.flatMap((account) => account.quota.additional))
    byId.set(limit.id, [...(byId.get(limit.id) ?? []), limit]);
  return [...byId].map(([id, limits]) =>
    pooledLimit(id, limits.find((limit) => limit.name !== undefined)?.name, limits, view),
  );
}

/** Several accounts' figures of one limit as one. */
export function pooledLimit(
  id: string,
  name: string | undefined,
  limits: readonly LimitQuota[],
  view: QuotaView,
): PooledLimit {
  return {
    id,
    name,
    primary: pooledWindow(
      limits.map((limit) => limit.primary),
      view,
    ),
    secondary: pooledWindow(
      limits.map((limit) => limit.secondary),
      view,
    ),
  };
}

/** Unix seconds of a time in ms; 0 when it is not known. */
export function unixSeconds(ms: number | undefined): number {
  return ms === undefined ? 0 : Math.floor(ms / 1000);
}

// --- internal ---

function pooledWindow(windows: readonly (QuotaWindow | undefined)[], view: QuotaView): PooledWindow {
  const known = windows.filter((window) => window !== undefined);
  const left = known.map((window) => remaining(window, view)).filter((share) => share !== undefined);
  const resets = known
    .map((window) => window.resetAtMs)
    .filter((reset) => reset !== undefined && reset > view.nowMs) as number[];
  return {
    left: left.length === 0 ? undefined : left.reduce((sum, share) => sum + share, 0) / left.length,
    resetAtMs: resets.length === 0 ? undefined : Math.min(...resets),
    windowSeconds: known.find((window) => window.windowSeconds !== undefined)?.windowSeconds,
  };
}

function rateLimitBody(
  limit: PooledLimit,
  nowMs: number,
  defaults: typeof MAIN_WINDOW_SECONDS,
): Record<string, unknown> {
  const reached = usedPercent(limit.primary) >= 100 || usedPercent(limit.secondary) >= 100;
  return {
    allowed: !reached,
    limit_reached: reached,
    primary_window: windowBody(limit.primary, nowMs, defaults.primary),
    secondary_window: windowBody(limit.secondary, nowMs, defaults.secondary),
  };
}

function windowBody(window: PooledWindow, nowMs: number, defaultSeconds: number): Record<string, number> {
  const used = usedPercent(window);
  const resetAt = unixSeconds(window.resetAtMs);
  return {
    limit: 100,
    used,
    used_percent: used,
    limit_window_seconds: Math.round(window.windowSeconds ?? defaultSeconds),
    reset_after_seconds: resetAt === 0 ? 0 : Math.max(0, resetAt - Math.floor(nowMs / 1000)),
    reset_at: resetAt,
    resets_at: resetAt,
  };
}
