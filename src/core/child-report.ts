// What a child proxy says of itself, read by the proxy in front: its accounts as if they were ours, and what they
// amount to together. Accounts that lead back to the reader are left out, whoever tells of them: requests may not go
// there.

import { believableLength } from "./bounds.ts";
import { type Capacity, NO_STANDING } from "./capacity.ts";
import { HEALTHY, type Health } from "./health.ts";
import { type Hop, wayOf } from "./hops.ts";
import type { PooledAccount } from "./pooled.ts";
import {
  believable,
  type LimitQuota,
  MAIN_LIMIT_ID,
  newestFigureMs,
  type Quota,
  type QuotaView,
  type QuotaWindow,
} from "./quota.ts";
import { MAIN_WINDOW_SECONDS, type Standing, standingOf, type WindowStanding } from "./standing.ts";
import type { AccountAnswer, ChildAnswer, StatusAnswer } from "./status-wire.ts";

/** An account below a child. */
export interface RemoteAccount {
  /** As the child told it; `proxy_path` begins with the child. */
  readonly told: AccountAnswer;
  /** Which one it is, however one gets there: the proxy that owns it, and its id there. */
  readonly key: string;
  readonly identity: string | undefined;
  readonly quota: Quota;
  readonly health: Health;
}

export interface ChildReport {
  readonly name: string;
  /** Undefined for the Go program, which tells none. */
  readonly id: string | undefined;
  /** When it was asked, Unix ms. */
  readonly askedMs: number;
  readonly accounts: readonly RemoteAccount[];
  /** Its own children, those that lead back to the reader cut off. */
  readonly children: readonly ChildAnswer[];
  readonly selectedTarget: string | undefined;
  readonly selectionReason: string | undefined;
  /** The way from the reader back to itself, `a -> b -> a`, when there is one through this child. */
  readonly cycle: string | undefined;
}

/** How long a report counts, ms. */
export const REPORT_MS = 15_000;

/** `answer` as `own`, the proxy in front, may use it. */
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

/** What the child's accounts amount to: the mean of those in service, as the Go program weighs it. */
export function capacityOfReport(report: ChildReport, view: QuotaView): Capacity {
  const endMs = report.askedMs + REPORT_MS;
  const open = report.accounts.filter(({ health, told }) => health.kind === "healthy" && !told.draining);
  if (open.length === 0) return closed(report, view, endMs);
  const standings = open.map(({ quota }) => standingOf(quota, { ...view, ttlMs: Number.POSITIVE_INFINITY }));
  const withRoom = standings.filter(({ exhausted }) => !exhausted);
  const scores = open.map(({ told }) => Math.min(1, Math.max(0, told.score)));
  const score = scores.reduce((sum, one) => sum + one, 0) / scores.length;
  const counted = withRoom.length === 0 ? standings : withRoom;
  const standing: Standing = {
    primary: meanOf(counted.map(({ primary }) => primary)),
    secondary: meanOf(counted.map(({ secondary }) => secondary)),
    exhausted: withRoom.length === 0,
    additionalLeft: 1,
    goodUntilMs: Math.min(endMs, ...standings.map(({ goodUntilMs }) => goodUntilMs)),
  };
  return { state: "available", untilMs: 0, why: undefined, standing, score };
}

/** Accounts each once: the first of those with the same key. */
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

/** Of those with the same identity the one whose figures are the newest; without identity each counts. */
export function newestOfEach<T extends { readonly identity: string | undefined; readonly quota: Quota }>(
  all: readonly T[],
): T[] {
  const newest = new Map<string, T>();
  for (const one of all) {
    if (one.identity === undefined) continue;
    const before = newest.get(one.identity);
    if (before === undefined || newestFigureMs(one.quota) > newestFigureMs(before.quota))
      newest.set(one.identity, one);
  }
  return all.filter((one) => one.identity === undefined || newest.get(one.identity) === one);
}

/** The account as pooling sees it. */
export function pooledRemote({ quota, health }: RemoteAccount, view: QuotaView): PooledAccount {
  return { quota, health, standing: standingOf(quota, { ...view, ttlMs: Number.POSITIVE_INFINITY }) };
}

// --- internal ---

function remoteAccount(
  account: AccountAnswer,
  ownerName: string,
  child: Hop,
  askedMs: number,
): RemoteAccount {
  return {
    told: {
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

/** The child has judged already which of its figures count; where it says how old they are, that is kept. */
function quotaOf(account: AccountAnswer, askedMs: number): Quota {
  const ages = new Map(account.figures.map(({ window, age_seconds }) => [window, age_seconds]));
  const window = (
    name: string,
    leftPercent: number,
    resetAt: number,
    seconds: number,
  ): QuotaWindow | undefined =>
    leftPercent < 0
      ? undefined
      : {
          usedPercent: Math.min(100, Math.max(0, 100 - leftPercent)),
          resetAtMs: resetAt > 0 ? resetAt * 1000 : undefined,
          windowSeconds: seconds > 0 ? seconds : undefined,
          asOfMs: askedMs - (ages.get(name) ?? 0) * 1000,
          source: "child",
        };
  const additional = (account.additional_limits ?? []).map(
    (limit): LimitQuota => ({
      id: limit.limit_id,
      name: limit.limit_name,
      primary: window(
        `${limit.limit_id} primary`,
        limit.primary_left_pct,
        limit.primary_reset_at,
        limit.primary_window_seconds,
      ),
      secondary: window(
        `${limit.limit_id} secondary`,
        limit.secondary_left_pct,
        limit.secondary_reset_at,
        limit.secondary_window_seconds,
      ),
    }),
  );
  const quota: Quota = {
    planType: account.plan_type,
    main: {
      id: MAIN_LIMIT_ID,
      name: undefined,
      primary: window("daily", account.daily_left_pct, account.daily_reset_at, MAIN_WINDOW_SECONDS.primary),
      secondary: window(
        "weekly",
        account.weekly_left_pct,
        account.weekly_reset_at,
        MAIN_WINDOW_SECONDS.secondary,
      ),
    },
    additional,
  };
  return believable(quota, askedMs);
}

/** None of its accounts is in service: when the first of them will be, and why none is. */
function closed({ accounts, cycle }: ChildReport, { nowMs }: QuotaView, endMs: number): Capacity {
  const base = { standing: { ...NO_STANDING, goodUntilMs: endMs }, score: 0 };
  const ends = accounts.flatMap(({ health }) => (health.kind === "cooling" ? [health] : []));
  if (ends.length === 0) {
    const back = cycle === undefined ? "" : `, and it leads back here: ${cycle}`;
    const why = `${accounts.length === 0 ? "no accounts there" : "none of its accounts is in service"}${back}`;
    return { ...base, state: "disabled", untilMs: 0, why };
  }
  const rests = ends.filter(({ cause }) => cause === "fault");
  const counted = rests.length === 0 ? ends : rests;
  return {
    ...base,
    state: rests.length === 0 ? "limited" : "resting",
    untilMs: Math.max(nowMs + 1, Math.min(...counted.map(({ untilMs }) => untilMs))),
    why: rests.length === 0 ? "usage-limit" : "its accounts rest",
  };
}

function meanOf(windows: readonly WindowStanding[]): WindowStanding {
  const known = windows.map(({ left }) => left).filter((left) => left !== undefined);
  const resets = windows.map(({ resetAtMs }) => resetAtMs).filter((reset) => reset !== undefined);
  return {
    left: known.length === 0 ? undefined : known.reduce((sum, left) => sum + left, 0) / known.length,
    resetAtMs: resets.length === 0 ? undefined : Math.min(...resets),
    lengthMs: windows[0]?.lengthMs ?? MAIN_WINDOW_SECONDS.primary * 1000,
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
