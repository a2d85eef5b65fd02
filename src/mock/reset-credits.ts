// The reset credits of the simulated accounts. The shapes are those that Codex 0.171 decodes, and that users of the real
// backend recorded: a credit that was spent or has expired is no longer listed, `credit_id` may be missing, and every
// outcome has status 200.

import { z } from "zod";
import { firstWindowMs, type MeteredAccount } from "./usage.ts";

/** A saved reset. */
export interface MockResetCredit {
  readonly id: string;
  /** Unix ms. */
  readonly grantedMs: number;
}

/** The reset credits of an account. */
export interface ResettableAccount extends MeteredAccount {
  readonly alias: string;
  /** Undefined: the backend reports none, and does not have the endpoint for this account. */
  resets: readonly MockResetCredit[] | undefined;
  /** The requests that have spent a credit. */
  readonly redeemed: Set<string>;
}

const DAY_MS = 24 * 3_600_000;
/** Credits of the real backend were seen to expire after 30 days. */
const LIFETIME_MS = 30 * DAY_MS;

/** `count` credits, each granted a day before the next one, the last one at `nowMs`. */
export function grantedResets(alias: string, count: number, nowMs: number): MockResetCredit[] {
  return Array.from({ length: count }, (_, index) => ({
    id: `RateLimitResetCredit_${alias}_${index + 1}`,
    grantedMs: nowMs - (count - 1 - index) * DAY_MS,
  }));
}

/** The field of the usage response; absent if the backend does not report credits for the account. */
export function resetSummary(account: ResettableAccount, nowMs: number) {
  const available = availableResets(account, nowMs);
  return available === undefined ? {} : { rate_limit_reset_credits: { available_count: available.length } };
}

/** The response to `GET …/wham/rate-limit-reset-credits`; undefined: 404. */
export function resetList(account: ResettableAccount, nowMs: number) {
  const available = availableResets(account, nowMs);
  if (available === undefined) return undefined;
  return {
    credits: available.map((credit) => ({
      id: credit.id,
      reset_type: "codex_rate_limits",
      status: "available",
      granted_at: new Date(credit.grantedMs).toISOString(),
      expires_at: new Date(credit.grantedMs + LIFETIME_MS).toISOString(),
      redeem_started_at: null,
      redeemed_at: null,
      title: titleOf(account),
      description: "Thanks for using Codex! You've been granted one free rate limit reset.",
    })),
    available_count: available.length,
  };
}

/** The response to `POST …/wham/rate-limit-reset-credits/consume`; undefined: 404. `invalid`: not such a request. */
export function redeemReset(account: ResettableAccount, json: unknown, nowMs: number) {
  const available = availableResets(account, nowMs);
  if (available === undefined) return undefined;
  const asked = Redeem.safeParse(json);
  if (!asked.success) return "invalid";
  const { redeem_request_id: request, credit_id: id } = asked.data;
  if (account.redeemed.has(request)) return { code: "already_redeemed" };
  const credit = available.find((one) => id === undefined || one.id === id);
  if (credit === undefined) return { code: "no_credit" };
  if (account.used === 0) return { code: "nothing_to_reset" };
  account.redeemed.add(request);
  account.resets = available.filter((one) => one !== credit);
  account.used = 0;
  account.hasBegun = !account.beginsAtUse;
  account.resetMs = nowMs + firstWindowMs(account.windows);
  const at = new Date(nowMs).toISOString();
  return {
    code: "reset",
    credit: { id: credit.id, status: "redeemed", redeem_started_at: at, redeemed_at: at },
    windows_reset: account.windows.length,
  };
}

// --- internal ---

const Redeem = z.looseObject({ redeem_request_id: z.string().min(1), credit_id: z.string().optional() });

function availableResets({ resets }: ResettableAccount, nowMs: number): MockResetCredit[] | undefined {
  return resets?.filter(({ grantedMs }) => grantedMs + LIFETIME_MS > nowMs);
}

function titleOf({ windows }: ResettableAccount): string {
  return windows.includes("monthly") ? "Full reset (Monthly)" : "Full reset (Weekly + 5 hr)";
}
