// The accounts of a pool as the forecast sees them: the proxy's own, and those below child proxies, each once.

import { distinct, pooledRemote, type RemoteAccount } from "../child-report.ts";
import type { Condition } from "../condition.ts";
import { type Health, healthAt } from "../health.ts";
import { optionsOfStatus } from "../option-words.ts";
import type { AccountFacts, PoolFacts } from "../pool-facts.ts";
import type { Quota, QuotaView } from "../quota.ts";
import { type QuotaSummary, summaryOf } from "../quota-summary.ts";
import { presentOf, WINDOW_KINDS } from "../windows.ts";
import type { MeterFigure } from "./meter-history.ts";
import type { SpendingOrder } from "./spending-order.ts";

export interface ForecastAccount {
  /** Identifies the account in every proxy. */
  readonly key: string;
  /** "" if unknown. */
  readonly plan: string;
  /** What its windows were when they were last reported. */
  readonly figures: readonly MeterFigure[];
  /** Under the main limit, however old the figures are: use only grows. */
  readonly summary: QuotaSummary;
  /** False if it takes no new turns until the user changes that: disabled or draining. */
  readonly inService: boolean;
  /** Until when a limit keeps it from serving, although its windows do not show that, Unix ms; 0 if none does. */
  readonly closedUntilMs: number;
  readonly order: SpendingOrder;
}

/** The key of an account with this `identity` and, in the proxy that owns it, this `id`. */
export function accountKey(identity: string | undefined, id: string): string {
  return identity ?? id;
}

/**
 * The accounts of the pool, without those with an API key, which have no windows. An account that is reached in several
 * ways occurs once, the proxy's own first.
 */
export function forecastAccounts(
  { accounts, children, policy }: PoolFacts,
  view: QuotaView,
): ForecastAccount[] {
  const keepsFloors = policy.spendFloors === "never";
  const own = accounts
    .filter(({ billing }) => billing === undefined)
    .map((account) => ownAccount(account, keepsFloors, view));
  const remote = children
    .flatMap(({ report }) => report?.accounts ?? [])
    .filter(({ reported }) => reported.api_key === undefined)
    .map((account) => remoteAccount(account, view));
  return distinct([...own, ...remote], ({ key }) => key);
}

// --- internal ---

/** An account that spends credits serves, but its windows do not show it. */
const SERVES: ReadonlySet<Condition> = new Set(["ready", "probing"]);

function ownAccount(
  { identity, id, quota, health, candidate }: AccountFacts,
  keepsFloors: boolean,
  view: QuotaView,
): ForecastAccount {
  const summary = summaryOf(quota, quota.main, { ...view, ttlMs: Number.POSITIVE_INFINITY });
  const inService = candidate.condition !== "disabled" && !candidate.draining;
  const serves = inService && SERVES.has(candidate.condition);
  return {
    ...accountWith(quota, healthAt(health, view.nowMs), summary, serves, view.nowMs),
    key: accountKey(identity, id),
    inService,
    order: { ...candidate.options, keepsFloors },
  };
}

function remoteAccount(account: RemoteAccount, view: QuotaView): ForecastAccount {
  const { quota, summary } = pooledRemote(account, view);
  const health = healthAt(account.health, view.nowMs);
  const inService = health.kind !== "disabled" && !account.reported.draining;
  const serves = inService && health.kind === "healthy" && !summary.exhausted;
  return {
    ...accountWith(quota, health, summary, serves, view.nowMs),
    key: accountKey(account.identity, account.key),
    inService,
    // The priorities of a child proxy's accounts count only among themselves.
    order: { ...optionsOfStatus(account.reported), priority: 0, keepsFloors: account.reported.kept_back },
  };
}

function accountWith(
  { planType: plan = "", main }: Quota,
  health: Health,
  summary: QuotaSummary,
  serves: boolean,
  nowMs: number,
): Omit<ForecastAccount, "key" | "inService" | "order"> {
  const limitMs = health.kind === "cooling" && health.cause === "limit" ? health.untilMs : 0;
  // A workspace may forbid any use while its windows have room.
  const isForbidden = summary.exhausted && presentOf(summary.windows).every(({ left }) => left !== 0);
  const forbiddenMs = isForbidden ? (summary.exhaustedUntilMs ?? Number.POSITIVE_INFINITY) : 0;
  return {
    plan,
    summary,
    figures: WINDOW_KINDS.flatMap((kind): MeterFigure[] => {
      const window = main.windows[kind];
      if (window === undefined) return [];
      const { usedPercent, resetAtMs, windowSeconds, asOfMs } = window;
      return [{ kind, usedPercent, resetAtMs, windowSeconds, asOfMs: Math.min(asOfMs, nowMs), plan, serves }];
    }),
    closedUntilMs: Math.max(limitMs, forbiddenMs),
  };
}
