// The views of the pool that others read: the status document (as the Go program's clients know it) and the
// usage that the whole pool presents to Codex as if it were one account.

import { coolingLeftMs, type Health, healthAt } from "./health.ts";
import type { PolicySettings } from "./policy.ts";
import { score } from "./policy.ts";
import {
  type LimitQuota,
  newestFigureMs,
  type Quota,
  type QuotaView,
  type QuotaWindow,
  remaining,
} from "./quota.ts";

/** One account as the status document needs it. */
export interface AccountFacts {
  readonly id: string;
  readonly alias: string;
  readonly email: string | undefined;
  readonly health: Health;
  readonly quota: Quota;
  readonly lastUsedMs: number;
  readonly lastSwitchReason: string | undefined;
  readonly inFlight: number;
}

export interface PoolFacts {
  readonly proxyName: string;
  readonly policy: PolicySettings;
  readonly accounts: readonly AccountFacts[];
  readonly activeId: string | undefined;
  readonly pinnedId: string | undefined;
  /** What the next request without a session would get. */
  readonly next: { readonly id: string; readonly reason: string } | undefined;
  readonly messageCounter: number;
  readonly lastRotationMs: number;
}

export interface LimitStatus {
  readonly limit_id: string;
  readonly limit_name?: string;
  /** 0..100, -1 when unknown. */
  readonly primary_left_pct: number;
  /** Unix seconds, 0 when unknown. */
  readonly primary_reset_at: number;
  readonly primary_window_seconds: number;
  readonly secondary_left_pct: number;
  readonly secondary_reset_at: number;
  readonly secondary_window_seconds: number;
}

export interface AccountStatus {
  readonly proxy_name: string;
  readonly alias: string;
  readonly id: string;
  readonly email?: string;
  readonly active: boolean;
  readonly pinned: boolean;
  readonly healthy: boolean;
  readonly enabled: boolean;
  readonly disabled_reason?: string;
  readonly cooldown_seconds: number;
  readonly cooldown_reason?: string;
  readonly daily_left_pct: number;
  readonly weekly_left_pct: number;
  readonly daily_reset_at: number;
  readonly weekly_reset_at: number;
  readonly additional_limits?: readonly LimitStatus[];
  readonly score: number;
  readonly in_flight: number;
  readonly last_used_at_ms: number;
  readonly last_switch_reason?: string;
  readonly quota_source?: string;
  readonly quota_as_of_ms?: number;
  readonly plan_type?: string;
}

export interface StatusDocument {
  readonly proxy_name: string;
  readonly generated_at: string;
  readonly policy: {
    readonly mode: string;
    readonly delta_percent: number;
    readonly weights: { readonly daily: number; readonly weekly: number };
  };
  readonly state: {
    readonly active_index: number;
    readonly message_counter: number;
    readonly last_rotation_at_ms: number;
    readonly pinned_account_id?: string;
  };
  readonly selected_account_id?: string;
  readonly selection_reason?: string;
  readonly accounts: readonly AccountStatus[];
  readonly additional_limits?: readonly LimitStatus[];
}

/** The status document. Accounts: the active one first, then by proxy and alias. */
export function statusDocument(facts: PoolFacts, view: QuotaView): StatusDocument {
  const accounts = facts.accounts
    .map((account) => accountStatus(account, facts, view))
    .sort((a, b) => Number(b.active) - Number(a.active) || compare(a.alias, b.alias));
  const additional = pooledLimits(facts.accounts, view).map(limitStatus);
  return {
    proxy_name: facts.proxyName,
    generated_at: new Date(view.nowMs).toISOString(),
    policy: {
      mode: facts.policy.mode,
      delta_percent: facts.policy.deltaPercent,
      weights: { daily: facts.policy.weights.daily, weekly: facts.policy.weights.weekly },
    },
    state: {
      active_index: Math.max(
        0,
        facts.accounts.findIndex((account) => account.id === facts.activeId),
      ),
      message_counter: facts.messageCounter,
      last_rotation_at_ms: facts.lastRotationMs,
      ...(facts.pinnedId === undefined ? {} : { pinned_account_id: facts.pinnedId }),
    },
    ...(facts.next === undefined
      ? {}
      : { selected_account_id: facts.next.id, selection_reason: facts.next.reason }),
    accounts,
    ...(additional.length === 0 ? {} : { additional_limits: additional }),
  };
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
const DEFAULT_PLAN = "plus";

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

// --- internal ---

function accountStatus(account: AccountFacts, facts: PoolFacts, view: QuotaView): AccountStatus {
  const health = healthAt(account.health, view.nowMs);
  const { main, additional } = account.quota;
  const figuresMs = newestFigureMs(account.quota);
  return {
    proxy_name: facts.proxyName,
    alias: account.alias,
    id: account.id,
    ...(account.email === undefined ? {} : { email: account.email }),
    active: account.id === facts.activeId,
    pinned: account.id === facts.pinnedId,
    healthy: health.kind === "healthy",
    enabled: health.kind !== "disabled",
    ...(health.kind === "disabled" ? { disabled_reason: health.reason } : {}),
    cooldown_seconds: Math.ceil(coolingLeftMs(health, view.nowMs) / 1000),
    ...(health.kind === "cooling" ? { cooldown_reason: health.reason } : {}),
    daily_left_pct: leftPercent(remaining(main.primary, view)),
    weekly_left_pct: leftPercent(remaining(main.secondary, view)),
    daily_reset_at: seconds(main.primary?.resetAtMs),
    weekly_reset_at: seconds(main.secondary?.resetAtMs),
    ...(additional.length === 0
      ? {}
      : {
          additional_limits: additional.map((limit) =>
            limitStatus(pooledLimit(limit.id, limit.name, [limit], view)),
          ),
        }),
    score: score(account.quota, facts.policy.weights, view),
    in_flight: account.inFlight,
    last_used_at_ms: account.lastUsedMs,
    ...(account.lastSwitchReason === undefined ? {} : { last_switch_reason: account.lastSwitchReason }),
    ...(figuresMs === 0 ? {} : { quota_source: newestSource(main), quota_as_of_ms: figuresMs }),
    ...(account.quota.planType === undefined ? {} : { plan_type: account.quota.planType }),
  };
}

function newestSource(main: LimitQuota): string {
  const { primary, secondary } = main;
  const newest = (primary?.asOfMs ?? 0) >= (secondary?.asOfMs ?? 0) ? primary : secondary;
  return newest?.source ?? "stored";
}

function pooledLimits(accounts: readonly AccountFacts[], view: QuotaView): PooledLimit[] {
  const byId = new Map<string, LimitQuota[]>();
  for (const limit of accounts.flatMap((account) => account.quota.additional))
    byId.set(limit.id, [...(byId.get(limit.id) ?? []), limit]);
  return [...byId].map(([id, limits]) =>
    pooledLimit(id, limits.find((limit) => limit.name !== undefined)?.name, limits, view),
  );
}

function pooledLimit(
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

function limitStatus(limit: PooledLimit): LimitStatus {
  return {
    limit_id: limit.id,
    ...(limit.name === undefined ? {} : { limit_name: limit.name }),
    primary_left_pct: leftPercent(limit.primary.left),
    primary_reset_at: seconds(limit.primary.resetAtMs),
    primary_window_seconds: limit.primary.windowSeconds ?? 0,
    secondary_left_pct: leftPercent(limit.secondary.left),
    secondary_reset_at: seconds(limit.secondary.resetAtMs),
    secondary_window_seconds: limit.secondary.windowSeconds ?? 0,
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
  const resetAt = seconds(window.resetAtMs);
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

function leftPercent(share: number | undefined): number {
  return share === undefined ? -1 : share * 100;
}

function seconds(ms: number | undefined): number {
  return ms === undefined ? 0 : Math.floor(ms / 1000);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
