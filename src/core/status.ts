// The status document, as the Go program's clients know it.

import type { Capacity } from "./capacity.ts";
import { type ChildReport, distinct, pooledRemote } from "./child-report.ts";
import { coolingLeftMs, type Health, healthAt } from "./health.ts";
import type { Hop } from "./hops.ts";
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
import type { ShortFacts } from "./short-status.ts";
import { scoreOf } from "./standing.ts";
import type { AccountAnswer, ChildAnswer } from "./status-wire.ts";

/** A child proxy as others may see it. */
export interface ChildFacts {
  readonly id: string;
  readonly name: string;
  /** Without the key. */
  readonly url: string;
  readonly reachable: boolean;
  readonly healthy: boolean;
  readonly cooldownMs: number;
  readonly health: Health;
  readonly capacity: Capacity;
  /** What it says of itself, while that counts. */
  readonly report: ChildReport | undefined;
  readonly lastSwitchReason: string | undefined;
  readonly error: string | undefined;
  /** What somebody has to do about it. */
  readonly next: string | undefined;
  readonly inFlight: number;
}

export interface PoolFacts {
  /** This proxy. */
  readonly self: Hop;
  readonly policy: PolicySettings;
  /** Our own. */
  readonly accounts: readonly AccountFacts[];
  readonly children: readonly ChildFacts[];
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
  readonly proxy_id: string;
  /** The same for the same ChatGPT account and user, in whatever proxy. */
  readonly identity?: string;
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

/** A child proxy; what the Go program does not know of it comes last. */
export interface ChildStatus {
  readonly name: string;
  readonly url: string;
  /** It served the last request that was placed by the policy. */
  readonly active: boolean;
  readonly healthy: boolean;
  readonly reachable: boolean;
  readonly cooldown_seconds: number;
  readonly score: number;
  readonly selected_target?: string;
  readonly selection_reason?: string;
  readonly last_switch_reason?: string;
  readonly last_error?: string;
  readonly proxy_id?: string;
  readonly cooldown_reason?: string;
  readonly in_flight: number;
  /** The way from here back to here that leads through it. */
  readonly cycle?: string;
  /** What somebody has to do about `last_error`. */
  readonly next?: string;
  readonly child_proxies?: readonly ChildAnswer[];
}

export interface StatusDocument {
  readonly proxy_name: string;
  /** Made anew by every start. */
  readonly proxy_id: string;
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
  readonly selected_proxy_url?: string;
  readonly selected_proxy_name?: string;
  readonly selection_reason?: string;
  /** Our own, and those below child proxies, which say so in `proxy_path`. */
  readonly accounts: readonly (AccountStatus | AccountAnswer)[];
  readonly additional_limits?: readonly LimitStatus[];
  readonly child_proxies?: readonly ChildStatus[];
}

/** The status document. Accounts: the active one first, then by proxy and alias. */
export function statusDocument(facts: PoolFacts, view: QuotaView): StatusDocument {
  const { children } = facts;
  const own = facts.accounts.map((account) => accountStatus(account, facts, view));
  const reached = children.flatMap(({ id, report }) =>
    (report?.accounts ?? []).map((account) => ({
      key: account.key,
      limits: pooledRemote(account, view),
      told: { ...account.told, active: account.told.active && id === facts.activeId },
    })),
  );
  const remote = distinct(reached, ({ key }) => key);
  const accounts = [...own, ...remote.map(({ told }) => told)].sort(
    (a, b) =>
      Number(b.active) - Number(a.active) || compare(a.proxy_name, b.proxy_name) || compare(a.alias, b.alias),
  );
  const everywhere = [...facts.accounts, ...remote.map(({ limits }) => limits)];
  const additional = pooledLimits(everywhere, view).map(limitStatus);
  return {
    proxy_name: facts.self.name,
    proxy_id: facts.self.id,
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
    ...selected(facts),
    accounts,
    ...(additional.length === 0 ? {} : { additional_limits: additional }),
    ...(children.length === 0 ? {} : { child_proxies: children.map((child) => childStatus(child, facts)) }),
  };
}

/** What of it goes into the short line. */
export function shortFacts(facts: PoolFacts): ShortFacts {
  const { name } = facts.self;
  return {
    proxy_name: name,
    policy: facts.policy,
    accounts: facts.accounts.map(({ alias, id }) => ({
      alias,
      proxy_name: name,
      active: id === facts.activeId,
    })),
    ...selected(facts),
  };
}

// --- internal ---

function selected({ next, children }: PoolFacts): Partial<StatusDocument> {
  if (next === undefined) return {};
  const child = children.find(({ id }) => id === next.id);
  const who =
    child === undefined
      ? { selected_account_id: next.id }
      : { selected_proxy_url: child.url, selected_proxy_name: child.name };
  return { ...who, selection_reason: next.reason };
}

function childStatus(child: ChildFacts, { activeId }: PoolFacts): ChildStatus {
  const { report, health } = child;
  return {
    name: child.name,
    url: child.url,
    active: child.id === activeId,
    healthy: child.healthy,
    reachable: child.reachable,
    cooldown_seconds: Math.ceil(child.cooldownMs / 1000),
    score: child.capacity.score,
    ...(report?.selectedTarget === undefined ? {} : { selected_target: report.selectedTarget }),
    ...(report?.selectionReason === undefined ? {} : { selection_reason: report.selectionReason }),
    ...(child.lastSwitchReason === undefined ? {} : { last_switch_reason: child.lastSwitchReason }),
    ...(child.error === undefined ? {} : { last_error: child.error }),
    ...(report?.id === undefined ? {} : { proxy_id: report.id }),
    ...(health.kind === "cooling" && child.cooldownMs > 0 ? { cooldown_reason: health.reason } : {}),
    in_flight: child.inFlight,
    ...(report?.cycle === undefined ? {} : { cycle: report.cycle }),
    ...(child.next === undefined ? {} : { next: child.next }),
    ...(report === undefined || report.children.length === 0 ? {} : { child_proxies: report.children }),
  };
}

function accountStatus(account: AccountFacts, facts: PoolFacts, view: QuotaView): AccountStatus {
  const health = healthAt(account.health, view.nowMs);
  const { quota, standing } = account;
  const { main, additional } = quota;
  const figuresMs = newestFigureMs(quota);
  return {
    proxy_name: facts.self.name,
    proxy_id: facts.self.id,
    ...(account.identity === undefined ? {} : { identity: account.identity }),
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
