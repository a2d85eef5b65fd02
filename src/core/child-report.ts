// The status of a child proxy as the proxy in front uses it: the child's accounts as if they were its own. Accounts that
// lead back to the proxy in front are left out, whichever proxy lists them, because requests must not go there.

import { believableLength } from "./bounds.ts";
import { HEALTHY, type Health } from "./health.ts";
import { type Hop, wayOf } from "./hops.ts";
import type { PooledAccount } from "./pooled-limits.ts";
import {
  believable,
  type LimitQuota,
  MAIN_LIMIT_ID,
  newestFigureMs,
  type Quota,
  type QuotaView,
  type QuotaWindow,
  unknownLimit,
} from "./quota.ts";
import { summaryOf } from "./quota-summary.ts";
import { type Spending, UNKNOWN_SPENDING } from "./spending.ts";
import type { AccountAnswer, ChildAnswer, StatusAnswer } from "./status-schema.ts";
import { byKind } from "./windows.ts";

/** An account below a child. */
export interface RemoteAccount {
  /** As the child reported it; `proxy_path` begins with the child. */
  readonly reported: AccountAnswer;
  /** Identifies the account on every way to it: the proxy that owns it, and its id there. */
  readonly key: string;
  readonly identity: string | undefined;
  readonly quota: Quota;
  readonly health: Health;
}

export interface ChildReport {
  readonly name: string;
  /** Undefined for the Go program, which reports none. */
  readonly id: string | undefined;
  /** When the child was asked, Unix ms. */
  readonly askedMs: number;
  readonly accounts: readonly RemoteAccount[];
  /** Its own children, without those that lead back to the proxy in front. */
  readonly children: readonly ChildAnswer[];
  readonly selectedTarget: string | undefined;
  readonly selectionReason: string | undefined;
  /** The way from the proxy in front back to itself, `a -> b -> a`, if there is one through this child. */
  readonly cycle: string | undefined;
}

/** How long a report is valid, ms. */
export const REPORT_MS = 15_000;

/** `answer` as `own`, the proxy in front, can use it. */
export function reportOf(answer: StatusAnswer, own: Hop, askedMs: number): ChildReport {
  const child: Hop = { name: answer.proxy_name, id: answer.proxy_id ?? "" };
  const isOwn = (name: string, id: string | undefined) =>
    id === undefined ? name !== "" && name.toLowerCase() === own.name.toLowerCase() : id === own.id;
  let cycle: string | undefined;
  const accounts = answer.accounts.flatMap((account): RemoteAccount[] => {
    const ownerName = account.proxy_name || child.name;
    const leadsBack =
      isOwn(ownerName, account.proxy_id) || account.proxy_path.some(({ name, id }) => isOwn(name, id));
    if (leadsBack) {
      cycle ??= wayOf([own, child, ...account.proxy_path.filter(({ id }) => id !== own.id), own]);
      return [];
    }
    // A child proxy does not spend money on turns from the proxy in front of it.
    if (account.api_key !== undefined) return [];
    return [remoteAccount(account, ownerName, child, askedMs)];
  });
  const children = withoutWayBack(answer.child_proxies, isOwn);
  return {
    name: child.name,
    id: answer.proxy_id,
    askedMs,
    accounts: distinct(accounts, ({ key }) => key),
    children,
    selectedTarget: answer.selected_account_id ?? answer.selected_proxy_url,
    selectionReason: answer.selection_reason,
    cycle: cycle ?? (hasWayBack(answer.child_proxies, isOwn) ? wayOf([own, child, own]) : undefined),
  };
}

/** `all` without duplicates: of those with the same key, the first. Those without a key all stay. */
export function distinct<T>(all: readonly T[], keyOf: (one: T) => string | undefined): T[] {
  const seen = new Set<string>();
  return all.filter((one) => {
    const key = keyOf(one);
    if (key === undefined) return true;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

/** Of those with the same identity, the one with the newest figures. Those without an identity all stay. */
export function newestOfEach<T extends { readonly identity: string | undefined; readonly quota: Quota }>(
  all: readonly T[],
): T[] {
  const newest = new Map<string, T>();
  for (const one of all) {
    if (one.identity === undefined) continue;
    const before = newest.get(one.identity);
    if (before === undefined || newestFigureMs(one.quota.main) > newestFigureMs(before.quota.main))
      newest.set(one.identity, one);
  }
  return all.filter((one) => one.identity === undefined || newest.get(one.identity) === one);
}

/** The account as a pool counts it. */
export function pooledRemote({ quota, health }: RemoteAccount, view: QuotaView): PooledAccount {
  const summary = summaryOf(quota, quota.main, { ...view, ttlMs: Number.POSITIVE_INFINITY });
  return { quota, health, summary };
}

// --- internal ---

function remoteAccount(
  account: AccountAnswer,
  ownerName: string,
  child: Hop,
  askedMs: number,
): RemoteAccount {
  return {
    reported: {
      ...account,
      proxy_name: ownerName,
      proxy_path: [{ ...child }, ...account.proxy_path],
    },
    key: `${account.proxy_id ?? `name ${ownerName}`} ${account.id}`,
    identity: account.identity,
    quota: quotaOf(account, askedMs),
    health: healthOf(account, askedMs),
  };
}

function healthOf(account: AccountAnswer, askedMs: number): Health {
  const { enabled, disabled_reason, cooldown_seconds, cooldown_reason, healthy } = account;
  if (!enabled || disabled_reason !== "")
    return { kind: "disabled", reason: disabled_reason || "disabled", sinceMs: askedMs };
  if (cooldown_seconds <= 0 && healthy) return HEALTHY;
  const reason = cooldown_reason ?? "unhealthy";
  return {
    kind: "cooling",
    cause: reason === "usage-limit" ? "limit" : "fault",
    reason,
    sinceMs: askedMs,
    untilMs: askedMs + (believableLength(Math.max(1, cooldown_seconds) * 1000) ?? 1000),
    faults: 1,
  };
}

/** The figures of an account, with the child's ages where it reports them. */
function quotaOf(account: AccountAnswer, askedMs: number): Quota {
  const ages = new Map(account.figures.map(({ window, age_seconds }) => [window, age_seconds]));
  const window = (
    name: string,
    leftPercent: number,
    resetAt: number,
    seconds: number | undefined,
  ): QuotaWindow | undefined =>
    leftPercent < 0
      ? undefined
      : {
          usedPercent: Math.min(100, Math.max(0, 100 - leftPercent)),
          resetAtMs: resetAt > 0 ? resetAt * 1000 : undefined,
          windowSeconds: seconds,
          asOfMs: askedMs - (ages.get(name) ?? 0) * 1000,
          source: "child",
        };
  const additional = (account.additional_limits ?? []).map((limit): LimitQuota => {
    const { limit_id: id } = limit;
    return {
      ...unknownLimit(id, limit.limit_name),
      model: limit.model,
      windows: byKind(
        window(
          `${id} primary`,
          limit.primary_left_pct,
          limit.primary_reset_at,
          secondsOf(limit.primary_window_seconds),
        ),
        window(
          `${id} secondary`,
          limit.secondary_left_pct,
          limit.secondary_reset_at,
          secondsOf(limit.secondary_window_seconds),
        ),
      ),
      completeAsOfMs: limit.complete ? askedMs : 0,
      refusal:
        limit.cooldown_seconds > 0
          ? { sinceMs: askedMs, untilMs: askedMs + limit.cooldown_seconds * 1000 }
          : undefined,
    };
  });
  const { daily_left_pct, daily_reset_at, weekly_left_pct, weekly_reset_at } = account;
  const quota: Quota = {
    planType: account.plan_type,
    main: {
      ...unknownLimit(MAIN_LIMIT_ID),
      windows: {
        short: window("daily", daily_left_pct, daily_reset_at, undefined),
        weekly: window("weekly", weekly_left_pct, weekly_reset_at, undefined),
        monthly: window("monthly", account.monthly_left_pct, account.monthly_reset_at, undefined),
      },
      // The child omits old figures, so a window listed without a figure is unknown, not missing.
      completeAsOfMs: namesAllKnown(account) ? 1 : 0,
    },
    additional,
    spending: spendingOf(account, askedMs),
  };
  return believable(quota, askedMs);
}

function secondsOf(seconds: number): number | undefined {
  return seconds > 0 ? seconds : undefined;
}

/** True when every window of the account comes with its figure. */
function namesAllKnown({ windows, ...account }: AccountAnswer): boolean {
  const left: Readonly<Record<string, number>> = {
    daily: account.daily_left_pct,
    weekly: account.weekly_left_pct,
    monthly: account.monthly_left_pct,
  };
  return windows?.every((name) => (left[name] ?? -1) >= 0) ?? false;
}

function spendingOf(account: AccountAnswer, asOfMs: number): Spending {
  const { credits, individual_limit: individual, limit_reached_type: type } = account;
  const value = credits && {
    hasCredits: credits.has_credits && credits.usable,
    unlimited: credits.unlimited,
    balance: credits.balance,
  };
  return {
    ...UNKNOWN_SPENDING,
    credits: value && { value, asOfMs },
    individual: individual && {
      value: {
        remainingPercent: individual.left_pct,
        resetAtMs: individual.reset_at > 0 ? individual.reset_at * 1000 : undefined,
      },
      asOfMs,
    },
    spendControl: account.spend_control_reached ? { value: true, asOfMs } : undefined,
    reachedType: type === undefined ? undefined : { value: type, asOfMs },
  };
}

type IsOwn = (name: string, id: string | undefined) => boolean;

function hasWayBack(children: readonly ChildAnswer[], isOwn: IsOwn): boolean {
  return children.some(
    ({ name, proxy_id, child_proxies }) => isOwn(name, proxy_id) || hasWayBack(child_proxies ?? [], isOwn),
  );
}

function withoutWayBack(children: readonly ChildAnswer[], isOwn: IsOwn): ChildAnswer[] {
  return children
    .filter(({ name, proxy_id }) => !isOwn(name, proxy_id))
    .map((child) =>
      child.child_proxies === undefined
        ? child
        : { ...child, child_proxies: withoutWayBack(child.child_proxies, isOwn) },
    );
}
