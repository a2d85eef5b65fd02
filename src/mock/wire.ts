// How the simulated backend tells an account's allowance: headers, usage endpoint, event, limit error.

import type { MockAccount, Rates } from "./accounts.ts";

export function rateHeaders({ primary, secondary }: Rates, plan: string): Record<string, string> {
  return {
    "x-codex-primary-used-percent": String(primary.used),
    "x-codex-primary-window-minutes": "300",
    "x-codex-primary-reset-at": String(primary.resetAtS),
    "x-codex-secondary-used-percent": String(secondary.used),
    "x-codex-secondary-window-minutes": "10080",
    "x-codex-secondary-reset-at": String(secondary.resetAtS),
    "x-codex-plan-type": plan,
  };
}

/** The version of the catalogue that an account sees: it depends on its own catalogue, else on its plan. */
export function modelsEtag({ plan, models }: MockAccount): string {
  const of = models === undefined ? plan : Bun.hash(JSON.stringify(models)).toString(36);
  return `W/"mock-models-${of}"`;
}

export function rateEvent({ primary, secondary }: Rates, plan: string) {
  return {
    type: "codex.rate_limits",
    plan_type: plan,
    rate_limits: {
      primary: { used_percent: primary.used, window_minutes: 300, reset_at: primary.resetAtS },
      secondary: { used_percent: secondary.used, window_minutes: 10_080, reset_at: secondary.resetAtS },
    },
    credits: { has_credits: false, unlimited: false, balance: "0" },
    metered_limit_name: null,
    limit_name: null,
  };
}

export function usageOf({ primary, secondary }: Rates, account: MockAccount, nowMs: number) {
  const window = ({ used, resetAtS }: Rates["primary"], seconds: number) => ({
    used_percent: used,
    limit_window_seconds: seconds,
    reset_after_seconds: Math.max(0, resetAtS - Math.floor(nowMs / 1000)),
    reset_at: resetAtS,
  });
  return {
    user_id: `user-${account.alias}`,
    account_id: account.accountId,
    email: account.email,
    plan_type: account.plan,
    rate_limit: {
      allowed: primary.used < 100,
      limit_reached: primary.used >= 100,
      primary_window: window(primary, 18_000),
      secondary_window: window(secondary, 604_800),
    },
    additional_rate_limits: [],
    credits: { has_credits: false, unlimited: false, balance: "0" },
  };
}

export function limitError(account: MockAccount, nowMs: number) {
  return {
    type: "usage_limit_reached",
    message: "The usage limit has been reached",
    plan_type: account.plan,
    resets_at: Math.floor(account.resetMs / 1000),
    resets_in_seconds: Math.ceil((account.resetMs - nowMs) / 1000),
  };
}
