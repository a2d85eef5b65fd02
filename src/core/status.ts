// The status document, as the Go program's clients know it.

import { coolingLeftMs, healthAt } from "./health.ts";
import type { PolicySettings } from "./policy.ts";
import { type AccountFacts, type PooledLimit, pooledLimit, pooledLimits, unixSeconds } from "./pooled.ts";
import {
  type LimitQuota,
  newestFigureMs,
  type Quota,
  type QuotaView,
  type QuotaWindow,
  remaining,
} from "./quota.ts";
import { scoreOf } from "./standing.ts";

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

/** Where one figure comes from, and how old it is. */
export interface FigureStatus {
  /** `daily`, `weekly`, `<limit id> primary`, `<limit id> secondary`. */
  readonly window: string;
  readonly used_percent: number;
  /** `headers`, `event`, `limit_error`, `usage_api`, or `stored` when it is the Go program's. */
  readonly source: string;
  readonly age_seconds: number;
  /** Older than quota.cache_ttl_minutes: it counts as unknown. */
  readonly outdated: boolean;
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
  readonly draining?: boolean;
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
  /** Of the newest figure of the main limit; each figure's own is in `figures`. */
  readonly quota_source?: string;
  readonly quota_as_of_ms?: number;
  readonly figures: readonly FigureStatus[];
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

// --- internal ---

function accountStatus(account: AccountFacts, facts: PoolFacts, view: QuotaView): AccountStatus {
  const health = healthAt(account.health, view.nowMs);
  const { quota, standing } = account;
  const { main, additional } = quota;
  const figuresMs = newestFigureMs(quota);
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
    ...(account.draining ? { draining: true } : {}),
    cooldown_seconds: Math.ceil(coolingLeftMs(health, view.nowMs) / 1000),
    ...(health.kind === "cooling" ? { cooldown_reason: health.reason } : {}),
    daily_left_pct: leftPercent(standing.primary.left),
    weekly_left_pct: leftPercent(standing.secondary.left),
    daily_reset_at: unixSeconds(main.primary?.resetAtMs),
    weekly_reset_at: unixSeconds(main.secondary?.resetAtMs),
    ...(additional.length === 0
      ? {}
      : {
          additional_limits: additional.map((limit) =>
            limitStatus(pooledLimit(limit.id, limit.name, [limit], view)),
          ),
        }),
    score: scoreOf(standing, facts.policy.weights),
    in_flight: account.inFlight,
    last_used_at_ms: account.lastUsedMs,
    ...(account.lastSwitchReason === undefined ? {} : { last_switch_reason: account.lastSwitchReason }),
    ...(figuresMs === 0 ? {} : { quota_source: newestSource(main), quota_as_of_ms: figuresMs }),
    figures: figuresOf(quota, view),
    ...(account.quota.planType === undefined ? {} : { plan_type: account.quota.planType }),
  };
}

function figuresOf({ main, additional }: Quota, view: QuotaView): FigureStatus[] {
  const figure = (window: string, told: QuotaWindow | undefined): FigureStatus[] =>
    told === undefined
      ? []
      : [
          {
            window,
            used_percent: told.usedPercent,
            source: told.source,
            age_seconds: Math.max(0, Math.round((view.nowMs - told.asOfMs) / 1000)),
            outdated: remaining(told, view) === undefined,
          },
        ];
  return [
    ...figure("daily", main.primary),
    ...figure("weekly", main.secondary),
    ...additional.flatMap(({ id, primary, secondary }) => [
      ...figure(`${id} primary`, primary),
      ...figure(`${id} secondary`, secondary),
    ]),
  ];
}

function newestSource(main: LimitQuota): string {
  const { primary, secondary } = main;
  const newest = (primary?.asOfMs ?? 0) >= (secondary?.asOfMs ?? 0) ? primary : secondary;
  return newest?.source ?? "stored";
}

function limitStatus(limit: PooledLimit): LimitStatus {
  return {
    limit_id: limit.id,
    ...(limit.name === undefined ? {} : { limit_name: limit.name }),
    primary_left_pct: leftPercent(limit.primary.left),
    primary_reset_at: unixSeconds(limit.primary.resetAtMs),
    primary_window_seconds: limit.primary.windowSeconds ?? 0,
    secondary_left_pct: leftPercent(limit.secondary.left),
    secondary_reset_at: unixSeconds(limit.secondary.resetAtMs),
    secondary_window_seconds: limit.secondary.windowSeconds ?? 0,
  };
}

function leftPercent(share: number | undefined): number {
  return share === undefined ? -1 : share * 100;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
