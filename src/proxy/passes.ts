// What is edited in replies on their way down, so that Codex sees the pool and not the account that happened to
// serve: rate-limit headers and events. What no pass wants stays byte for byte.

import type { PooledLimit, PooledUsage, PooledWindow } from "../core/pooled.ts";
import { MAIN_WINDOW_SECONDS, usedPercent } from "../core/pooled.ts";

/** Replaces one account's rate-limit headers by the pool's, in place. Replies without any are left alone. */
export function poolHeaders(headers: Headers, usage: PooledUsage): void {
  const names = [...headers.keys()].filter((name) => ACCOUNT_HEADER.test(name));
  if (names.length === 0) return;
  for (const name of names) headers.delete(name);
  setLimit(headers, "x-codex", usage.main);
  for (const limit of usage.additional) {
    const prefix = `x-${limit.id.toLowerCase().replaceAll("_", "-")}`;
    if (!/^[a-z0-9-]+$/.test(prefix)) continue;
    setLimit(headers, prefix, limit);
    if (limit.name !== undefined) headers.set(`${prefix}-limit-name`, limit.name);
  }
  headers.set("x-codex-credits-has-credits", "false");
  headers.set("x-codex-credits-unlimited", "false");
  headers.set("x-codex-active-limit", "codex");
  headers.set("x-codex-plan-type", usage.planType);
}

/** The pool's version of a `codex.rate_limits` event about the main limit; undefined when it is about another one. */
export function poolRateLimitsEvent(event: unknown, usage: PooledUsage): string | undefined {
  if (typeof event !== "object" || event === null) return undefined;
  const name =
    ("metered_limit_name" in event ? event.metered_limit_name : undefined) ??
    ("limit_name" in event ? event.limit_name : undefined) ??
    "codex";
  if (name !== "codex") return undefined;
  const reached = usedPercent(usage.main.primary) >= 100 || usedPercent(usage.main.secondary) >= 100;
  return JSON.stringify({
    ...event,
    plan_type: usage.planType,
    rate_limits: {
      allowed: !reached,
      limit_reached: reached,
      primary: windowEvent(usage.main.primary, MAIN_WINDOW_SECONDS.primary),
      secondary: windowEvent(usage.main.secondary, MAIN_WINDOW_SECONDS.secondary),
    },
    credits: { has_credits: false, unlimited: false, balance: null },
  });
}

// --- internal ---

const ACCOUNT_HEADER =
  /^x-codex-(?:credits-|active-limit$|promo-message$|plan-type$|rate-limit-reached-type$)|^x-.+-(?:primary|secondary)-(?:used-percent|window-minutes|reset-at|reset-after-seconds)$|^x-.+-(?:limit-name|primary-over-secondary-limit-percent)$/;

function setLimit(headers: Headers, prefix: string, limit: PooledLimit): void {
  setWindow(headers, `${prefix}-primary`, limit.primary, MAIN_WINDOW_SECONDS.primary);
  setWindow(headers, `${prefix}-secondary`, limit.secondary, MAIN_WINDOW_SECONDS.secondary);
}

function setWindow(headers: Headers, prefix: string, window: PooledWindow, defaultSeconds: number): void {
  headers.set(`${prefix}-used-percent`, String(usedPercent(window)));
  headers.set(`${prefix}-window-minutes`, String(Math.round((window.windowSeconds ?? defaultSeconds) / 60)));
  if (window.resetAtMs !== undefined)
    headers.set(`${prefix}-reset-at`, String(Math.floor(window.resetAtMs / 1000)));
}

function windowEvent(window: PooledWindow, defaultSeconds: number): Record<string, number> {
  return {
    used_percent: usedPercent(window),
    window_minutes: Math.round((window.windowSeconds ?? defaultSeconds) / 60),
    ...(window.resetAtMs === undefined ? {} : { reset_at: Math.floor(window.resetAtMs / 1000) }),
  };
}
