// The pool's usage as the usage endpoint writes it. Codex decodes window fields as integers, so every figure is rounded.

import { balanceText, type PooledUsage, slotsOf, usedPercent } from "./pooled.ts";
import type { PooledLimit, PooledWindow } from "./pooled-limits.ts";
import { unixSeconds } from "./quota-wire.ts";

/** The body of `GET …/wham/usage`. `resets`: how many reset credits the pool has; undefined if that is unknown. */
export function usageBody(usage: PooledUsage, nowMs: number, resets?: number): Record<string, unknown> {
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
      ...(limit.model === undefined ? {} : { normal_model_slug: limit.model }),
      rate_limit: rateLimitBody(limit, nowMs),
    })),
    credits: {
      has_credits: usage.credits !== undefined,
      unlimited: usage.credits?.unlimited ?? false,
      overage_limit_reached: false,
      balance: balanceText(usage.credits),
      approx_local_messages: [0, 0],
      approx_cloud_messages: [0, 0],
    },
    rate_limit_reset_credits: resets === undefined ? null : { available_count: resets },
    spend_control: { reached: usage.spendControlReached },
    rate_limit_reached_type: usage.main.reached ? { type: usage.reachedType ?? "rate_limit_reached" } : null,
    promo: null,
  };
}

// --- internal ---

function rateLimitBody(limit: PooledLimit, nowMs: number): Record<string, unknown> {
  const { primary, secondary } = slotsOf(limit);
  return {
    allowed: !limit.reached && limit.closed !== true,
    limit_reached: limit.reached,
    primary_window: primary === undefined ? null : windowBody(primary, limit, nowMs),
    secondary_window: secondary === undefined ? null : windowBody(secondary, limit, nowMs),
  };
}

function windowBody(window: PooledWindow, limit: PooledLimit, nowMs: number): Record<string, number> {
  const used = usedPercent(window, limit);
  const resetAt = unixSeconds(window.resetAtMs);
  return {
    limit: 100,
    used,
    used_percent: used,
    limit_window_seconds: Math.round(window.windowSeconds),
    reset_after_seconds: resetAt === 0 ? 0 : Math.max(0, resetAt - Math.floor(nowMs / 1000)),
    reset_at: resetAt,
    resets_at: resetAt,
  };
}
