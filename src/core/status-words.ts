// The words with which every view shows accounts: times, percentages, states.

import { usdText } from "./api-billing.ts";
import { limitWindows } from "./limit-windows.ts";
import type { AccountAnswer, StatusAnswer } from "./status-schema.ts";

type Account = AccountAnswer;

const MINUTE_S = 60;
const HOUR_S = 3_600;
const DAY_S = 86_400;

/**
 * The time until `atSeconds` (Unix seconds) in words: `soon`, `in 5 min`, `in 47 hours`, `in 3 days`; `-` for 0, and for a
 * time that has passed.
 */
export function relative(atSeconds: number, nowMs: number): string {
  const left = atSeconds - nowMs / 1000;
  if (left <= 0) return "-";
  if (left < MINUTE_S) return "soon";
  if (left < HOUR_S) return `in ${Math.max(1, Math.round(left / MINUTE_S))} min`;
  if (left < 2 * DAY_S) {
    const hours = Math.round(left / HOUR_S);
    return hours === 1 ? "in 1 hour" : `in ${hours} hours`;
  }
  return `in ${Math.round(left / DAY_S)} days`;
}

/** True if everything is pinned to the account. */
export function isPinned(account: Account, status: StatusAnswer): boolean {
  const pinned = status.state.pinned_account_id;
  return account.pinned || (pinned !== undefined && (pinned === account.id || pinned === account.alias));
}

/**
 * `ready`, `draining`, `disabled(REASON)`, `cooldown(Ns)`, `unhealthy`, `limited(REASON)` if its workspace restricts
 * it, `floor(WINDOWS)`, `full(TURNS)`, `exhausted(WINDOWS)`, or for an API key `last-resort` or `cap-reached`.
 */
export function accountState(account: Account): string {
  if (!account.enabled || account.disabled_reason !== "")
    return account.disabled_reason === "" ? "disabled" : `disabled(${account.disabled_reason})`;
  if (account.cooldown_seconds > 0) return `cooldown(${account.cooldown_seconds}s)`;
  if (!account.healthy) return "unhealthy";
  const { limit_reached_type: type, individual_limit: member } = account;
  if (type !== undefined && type !== "rate_limit_reached") return `limited(${type})`;
  if (member !== undefined && member.left_pct <= 0) return "limited(member limit)";
  const floor = account.at_floor === undefined ? undefined : `floor(${account.at_floor.join(",")})`;
  if (floor !== undefined && account.kept_back) return floor;
  if (account.draining) return "draining";
  if (account.full_at !== undefined) return `full(${account.full_at})`;
  if (floor !== undefined) return floor;
  const exhausted = exhaustedWindows(account);
  if (exhausted.length > 0 && account.credits?.usable !== true) return `exhausted(${exhausted.join(",")})`;
  if (account.api_key === undefined) return "ready";
  return hasRoom(account.api_key) ? "last-resort" : "cap-reached";
}

/** The windows of the main limit of which nothing is left. */
export function exhaustedWindows(account: Account): ("daily" | "weekly" | "monthly")[] {
  return (["daily", "weekly", "monthly"] as const).filter((name) => account[`${name}_left_pct`] === 0);
}

/** `3.20 of 20.00 USD spent this month`, and while turns are in flight `…, 0.40 USD reserved`. */
export function spentWords({ spent_usd, cap_usd, reserved_usd }: NonNullable<Account["api_key"]>): string {
  const spent =
    cap_usd === undefined
      ? `${usdText(spent_usd)} spent this month, no monthly cap`
      : `${spent_usd.toFixed(2)} of ${usdText(cap_usd)} spent this month`;
  return reserved_usd > 0 ? `${spent}, ${usdText(reserved_usd)} reserved` : spent;
}

/** True if the API key may spend more this month. */
export function hasRoom({ spent_usd, cap_usd = 0 }: NonNullable<Account["api_key"]>): boolean {
  return spent_usd < cap_usd;
}

/** The sources and ages of the main limit's figures, without repetitions: `headers 5s`, `usage_api 40m (too old)`. */
export function figuresText({ figures }: Account): string {
  const sources = figures
    .filter(({ window }) => window === "daily" || window === "weekly")
    .map(
      ({ source, age_seconds, outdated }) => `${source} ${age(age_seconds)}${outdated ? " (too old)" : ""}`,
    );
  return sources.length === 0 ? "-" : [...new Set(sources)].join(", ");
}

/** `5s`, `40m`, `3h`, `4d`. */
export function age(seconds: number): string {
  if (seconds < MINUTE_S) return `${seconds}s`;
  if (seconds < HOUR_S) return `${Math.round(seconds / MINUTE_S)}m`;
  return seconds < 2 * DAY_S ? `${Math.round(seconds / HOUR_S)}h` : `${Math.round(seconds / DAY_S)}d`;
}

/** `80.0%`; `-` if it is unknown. */
export function percent(value: number): string {
  return value < 0 ? "-" : `${value.toFixed(1)}%`;
}

/** Below this percentage little is left. */
export const LITTLE_PCT = 20;

/** Whole percents. Only 0 is shown as `0%`, and only 100 as `100%`. */
export function wholePercent(leftPct: number): string {
  if (leftPct < 0) return "-";
  const rounded = Math.round(leftPct);
  if (rounded === 0 && leftPct > 0) return "1%";
  return rounded === 100 && leftPct < 100 ? "99%" : `${rounded}%`;
}

/** True if an account or a limit has a monthly window. */
export function showsMonthly({ accounts, additional_limits: limits }: StatusAnswer): boolean {
  return (
    accounts.some(hasMonthly) || (limits ?? []).some((limit) => limitWindows(limit).monthly !== undefined)
  );
}

/** True if the account has a monthly window. */
export function hasMonthly(account: Account): boolean {
  return account.monthly_left_pct >= 0 || account.windows?.includes("monthly") === true;
}

export function hasCredits({ credits }: Account): boolean {
  return credits?.has_credits === true;
}

/** The e-mail address, with plan and workspace if two accounts share the address. */
export function emailOf({ email, workspace, plan_type: plan }: Account): string {
  if (workspace === undefined) return email;
  return `${email} (${plan === undefined ? "" : `${plan}, `}workspace ${workspace})`;
}

/**
 * The balance, `unlimited`, or `-` if the account has no credits. `(not usable)` follows while the backend or the
 * workspace refuses them.
 */
export function creditsText({ credits }: Account): string {
  if (credits === undefined || !credits.has_credits) return "-";
  const amount = credits.unlimited ? "unlimited" : String(credits.balance);
  return credits.usable ? amount : `${amount} (not usable)`;
}

/** The fields with what is left of a window. */
export type LeftField = "daily_left_pct" | "weekly_left_pct" | "monthly_left_pct";

/**
 * The average of what the pool may use of the accounts in service, 0..100; -1 if it is unknown for all of them. What the
 * floors of the proxy's own accounts keep back does not count if floors are never spent.
 */
export function meanLeft(
  { accounts, policy, proxy_name }: Pick<StatusAnswer, "accounts" | "policy" | "proxy_name">,
  key: LeftField,
): number {
  const usable = accounts.flatMap((account) => {
    const { enabled, disabled_reason, floor_daily_pct: daily = 0, floor_weekly_pct: weekly = 0 } = account;
    if (!enabled || disabled_reason !== "" || account[key] < 0) return [];
    const isOwn = account.proxy_name === "" || account.proxy_name === proxy_name;
    const floor = isOwn && policy.spend_floors === "never" ? (key === "daily_left_pct" ? daily : weekly) : 0;
    return [Math.max(0, account[key] - floor)];
  });
  return usable.length === 0 ? -1 : usable.reduce((sum, value) => sum + value, 0) / usable.length;
}
