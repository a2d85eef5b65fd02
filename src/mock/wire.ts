// How the simulated backend reports an account's quota: headers, usage endpoint, event, limit error.

import type { MockAccount } from "./accounts.ts";
import { resetSummary } from "./reset-credits.ts";
import type { Rate, Rates, SpendResult } from "./usage.ts";

export function rateHeaders(
  { primary, secondary, meters, credits }: Rates,
  plan: string,
): Record<string, string> {
  return {
    ...windowHeaders("x-codex-primary", primary),
    ...windowHeaders("x-codex-secondary", secondary),
    ...Object.assign(
      {},
      ...meters.map(({ name, feature, primary: window }) => {
        const prefix = `x-${feature.replaceAll("_", "-")}`;
        return { ...windowHeaders(`${prefix}-primary`, window), [`${prefix}-limit-name`]: name };
      }),
    ),
    "x-codex-credits-has-credits": String(credits.has_credits),
    "x-codex-credits-unlimited": String(credits.unlimited),
    "x-codex-credits-balance": credits.balance,
    "x-codex-plan-type": plan,
  };
}

/** The version of the catalogue for an account. It depends on the account's own catalogue, else on its plan. */
export function modelsEtag({ plan, models }: MockAccount): string {
  const of = models === undefined ? plan : Bun.hash(JSON.stringify(models)).toString(36);
  return `W/"mock-models-${of}"`;
}

export function rateEvent({ primary, secondary, credits }: Rates, plan: string) {
  return {
    type: "codex.rate_limits",
    plan_type: plan,
    rate_limits: { primary: windowEvent(primary), secondary: windowEvent(secondary) },
    credits,
    metered_limit_name: null,
    limit_name: null,
  };
}

export function usageOf(rates: Rates, account: MockAccount, nowMs: number) {
  const { primary, secondary, meters, credits, individual, reachedType } = rates;
  const window = (rate: Rate | undefined) =>
    rate === undefined
      ? null
      : {
          used_percent: rate.used,
          limit_window_seconds: rate.seconds,
          reset_after_seconds: Math.max(0, rate.resetAtS - Math.floor(nowMs / 1000)),
          reset_at: rate.resetAtS,
        };
  const isReached = primary !== undefined && primary.used >= 100;
  return {
    user_id: `user-${account.alias}`,
    account_id: account.accountId,
    email: account.email,
    plan_type: account.plan,
    rate_limit: {
      allowed: !isReached,
      limit_reached: isReached,
      primary_window: window(primary),
      secondary_window: window(secondary),
    },
    additional_rate_limits: meters.map((meter) => ({
      limit_name: meter.name,
      metered_feature: meter.feature,
      rate_limit: {
        allowed: meter.primary.used < 100,
        limit_reached: meter.primary.used >= 100,
        primary_window: window(meter.primary),
        secondary_window: null,
      },
    })),
    credits,
    ...resetSummary(account, nowMs),
    rate_limit_reached_type:
      reachedType !== undefined ? { type: reachedType } : isReached ? { type: "rate_limit_reached" } : null,
    spend_control: {
      reached: false,
      individual_limit:
        individual === undefined
          ? null
          : {
              limit: String(individual.limit),
              used: String(individual.used),
              remaining_percent: Math.round((1 - individual.used / individual.limit) * 100),
              reset_at: individual.resetAtS,
            },
    },
  };
}

/** The headers and body of a refused turn. */
export function refusalOf(spent: SpendResult & { kind: "refused" }, account: MockAccount, nowMs: number) {
  return {
    headers: { "x-codex-active-limit": spent.limit },
    error: {
      type: spent.code,
      message: "The usage limit has been reached",
      plan_type: account.plan,
      resets_at: Math.floor(spent.resetMs / 1000),
      resets_in_seconds: Math.ceil((spent.resetMs - nowMs) / 1000),
    },
  };
}

// --- internal ---

function windowHeaders(prefix: string, rate: Rate | undefined): Record<string, string> {
  if (rate === undefined) return {};
  return {
    [`${prefix}-used-percent`]: String(rate.used),
    [`${prefix}-window-minutes`]: String(rate.seconds / 60),
    [`${prefix}-reset-at`]: String(rate.resetAtS),
  };
}

function windowEvent(rate: Rate | undefined) {
  return rate === undefined
    ? null
    : { used_percent: rate.used, window_minutes: rate.seconds / 60, reset_at: rate.resetAtS };
}
