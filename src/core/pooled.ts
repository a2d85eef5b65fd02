// What the accounts have together, as if they were one: the usage that the whole pool presents to Codex, on every
// surface: the usage endpoint, headers, events.

import { MOST_LIMITS } from "./bounds.ts";
import type { Health } from "./health.ts";
import {
  type LimitQuota,
  MAIN_LIMIT_ID,
  type Quota,
  type QuotaView,
  type QuotaWindow,
  remaining,
} from "./quota.ts";
import type { Ramp } from "./slow-start.ts";
import { MAIN_WINDOW_SECONDS, type Standing } from "./standing.ts";

/** One account as others may see it. */
export interface AccountFacts {
  readonly id: string;
  readonly alias: string;
  readonly email: string | undefined;
  /** The same for the same ChatGPT account and user. */
  readonly identity: string | undefined;
  readonly health: Health;
  readonly draining: boolean;
  readonly quota: Quota;
  readonly standing: Standing;
  /** How many requests it may have under way while it recovers; undefined: any. */
  readonly ramp: Ramp;
  readonly lastUsedMs: number;
  readonly lastSwitchReason: string | undefined;
  readonly inFlight: number;
}

/** What pooling needs of an account. */
export type PooledAccount = Pick<AccountFacts, "health" | "quota" | "standing">;

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
  /** No account has anything left of it. */
  readonly reached: boolean;
  /** No account is in service. */
  readonly closed?: boolean;
}

export interface PooledUsage {
  readonly planType: string;
  readonly main: PooledLimit;
  readonly additional: readonly PooledLimit[];
}

/** The plan shown when no account told its own. */
export const DEFAULT_PLAN = "plus";

/** Plans by what they offer; of the plans in a pool the last one here is what Codex shall believe to be on. */
const PLANS: readonly string[] = ["free", "go", "plus", "edu", "team", "business", "enterprise", "pro"];

/** What the enabled accounts have together. Disabled ones have nothing to give and do not count. */
export function pooledUsage(accounts: readonly PooledAccount[], view: QuotaView): PooledUsage {
  let planType: string | undefined;
  let members = 0;
  let withRoom = 0;
  let limitEndMs: number | undefined;
  for (const { health, quota, standing } of accounts) {
    if (health.kind === "disabled") continue;
    members++;
    planType = betterPlan(planType, quota.planType);
    const untilMs = limitEnd(health, view.nowMs);
    if (untilMs === undefined && standing.primary.left !== 0 && standing.secondary.left !== 0) withRoom++;
    else if (untilMs !== undefined) limitEndMs = Math.min(limitEndMs ?? untilMs, untilMs);
  }
  const reached = members > 0 && withRoom === 0;
  let primary = pooledStanding(accounts, "primary", reached);
  const secondary = pooledStanding(accounts, "secondary", reached);
  // Refused by the backend, although no figure says why: then it is the short window that is said to be used up.
  if (reached && primary.left !== 0 && secondary.left !== 0)
    primary = { ...primary, left: 0, resetAtMs: limitEndMs };
  return {
    planType: planType ?? DEFAULT_PLAN,
    main: { id: MAIN_LIMIT_ID, name: undefined, primary, secondary, reached, closed: members === 0 },
    additional: pooledLimits(accounts, view),
  };
}

/** The body of `GET …/wham/usage`. Codex decodes window fields as integers, so every figure is rounded. */
export function usageBody(usage: PooledUsage, nowMs: number): Record<string, unknown> {
  return {
    user_id: "proxy-only",
    account_id: "proxy-only",
    email: "proxy-only@codexlb.internal",
    plan_type: usage.planType,
    rate_limit: rateLimitBody(usage.main, nowMs),
    code_review_rate_limit: null,
    additional_rate_limits: usage.additional.map((limit) => ({
      limit_name: limit.name ?? limit.id,
      metered_feature: limit.id,
      rate_limit: rateLimitBody(limit, nowMs),
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
    rate_limit_reached_type: usage.main.reached ? { type: "rate_limit_reached" } : null,
    promo: null,
  };
}

/**
 * Share used of a pooled window in whole percent, 0..100; unknown reads as 0. A window of a pool that still has room
 * never reads as 100: Codex would stop sending.
 */
export function usedPercent(window: PooledWindow, { reached }: Pick<PooledLimit, "reached">): number {
  if (window.left === undefined) return 0;
  return Math.min(reached ? 100 : 99, Math.max(0, Math.round(100 - window.left * 100)));
}

/** The additional limits of the enabled `accounts`, pooled by id. */
export function pooledLimits(accounts: readonly PooledAccount[], view: QuotaView): PooledLimit[] {
  const byId = new Map<string, LimitQuota[]>();
  for (const { health, quota } of accounts) {
    if (health.kind === "disabled") continue;
    for (const limit of quota.additional) {
      const limits = byId.get(limit.id);
      if (limits === undefined) byId.set(limit.id, [limit]);
      else limits.push(limit);
    }
  }
  return [...byId]
    .slice(0, MOST_LIMITS)
    .map(([id, limits]) =>
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
  const isUsedUp = ({ primary, secondary }: LimitQuota) =>
    remaining(primary, view) === 0 || remaining(secondary, view) === 0;
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
    reached: limits.length > 0 && limits.every(isUsedUp),
  };
}

/** Unix seconds of a time in ms; 0 when it is not known. */
export function unixSeconds(ms: number | undefined): number {
  return ms === undefined ? 0 : Math.floor(ms / 1000);
}

// --- internal ---

/** When the limit that an account rests for is over, Unix ms; undefined when it rests for none. */
function limitEnd(health: Health, nowMs: number): number | undefined {
  return health.kind === "cooling" && health.cause === "limit" && health.untilMs > nowMs
    ? health.untilMs
    : undefined;
}

function betterPlan(known: string | undefined, told: string | undefined): string | undefined {
  if (told === undefined || told === known) return known;
  return known === undefined || PLANS.indexOf(told) > PLANS.indexOf(known) ? told : known;
}

/**
 * One window of the main limit over all accounts. Of a pool that has nothing left (`reached`) only those count that
 * have used up this window, so that the figures say what is the matter, and when it ends. Written as one loop without
 * anything in between: it is done for every turn, for every account.
 */
function pooledStanding(
  accounts: readonly PooledAccount[],
  side: "primary" | "secondary",
  reached: boolean,
): PooledWindow {
  let known = 0;
  let sum = 0;
  let usedUp = 0;
  let resetMs = Number.POSITIVE_INFINITY;
  let usedUpResetMs = Number.POSITIVE_INFINITY;
  let lengthMs: number | undefined;
  for (const { health, standing } of accounts) {
    const { left, resetAtMs, lengthMs: length } = standing[side];
    if (health.kind === "disabled") continue;
    lengthMs ??= length;
    if (resetAtMs !== undefined && resetAtMs < resetMs) resetMs = resetAtMs;
    if (left === undefined) continue;
    known++;
    sum += left;
    if (left > 0) continue;
    usedUp++;
    if (resetAtMs !== undefined && resetAtMs < usedUpResetMs) usedUpResetMs = resetAtMs;
  }
  const blocked = reached && usedUp > 0;
  const endMs = blocked ? usedUpResetMs : resetMs;
  return {
    left: blocked ? 0 : known === 0 ? undefined : sum / known,
    resetAtMs: endMs === Number.POSITIVE_INFINITY ? undefined : endMs,
    windowSeconds: (lengthMs ?? MAIN_WINDOW_SECONDS[side] * 1000) / 1000,
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

function rateLimitBody(limit: PooledLimit, nowMs: number): Record<string, unknown> {
  return {
    allowed: !limit.reached && limit.closed !== true,
    limit_reached: limit.reached,
    primary_window: windowBody(limit, "primary", nowMs),
    secondary_window: windowBody(limit, "secondary", nowMs),
  };
}

function windowBody(
  limit: PooledLimit,
  side: "primary" | "secondary",
  nowMs: number,
): Record<string, number> {
  const window = limit[side];
  const used = usedPercent(window, limit);
  const resetAt = unixSeconds(window.resetAtMs);
  return {
    limit: 100,
    used,
    used_percent: used,
    limit_window_seconds: Math.round(window.windowSeconds ?? MAIN_WINDOW_SECONDS[side]),
    reset_after_seconds: resetAt === 0 ? 0 : Math.max(0, resetAt - Math.floor(nowMs / 1000)),
    reset_at: resetAt,
    resets_at: resetAt,
  };
}
