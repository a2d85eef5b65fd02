// The settings of config.toml as the parts of a running proxy read them.

import type { ProxySettings } from "../proxy/context.ts";
import type { GuardSettings } from "../proxy/guard.ts";
import type { RetryBudgetSettings } from "../proxy/retry-budget.ts";
import type { Config } from "../state/settings.ts";

export function proxySettings({ proxy }: Config): ProxySettings {
  return {
    maxAttempts: proxy.max_attempts,
    cooldownMs: proxy.cooldown_default_seconds * 1000,
    timeouts: {
      connectMs: proxy.connect_timeout_seconds * 1000,
      headMs: proxy.head_timeout_seconds * 1000,
      idleMs: proxy.idle_timeout_seconds * 1000,
    },
  };
}

export function retrySettings({ proxy }: Config): RetryBudgetSettings {
  return { percent: proxy.retry_budget_percent, floor: proxy.retry_budget_floor };
}

/** How long a shutdown still accepts requests, and how long it then waits for those in flight, ms. */
export function drainSettings({ proxy }: Config): { readonly delayMs: number; readonly timeoutMs: number } {
  return { delayMs: proxy.drain_delay_seconds * 1000, timeoutMs: proxy.drain_timeout_seconds * 1000 };
}

export function guardSettings({ proxy }: Config): GuardSettings {
  return { allowedHosts: proxy.allowed_hosts, clientAuth: proxy.client_auth };
}

export function usageSettings({ usage }: Config): { enabled: boolean; keepDays: number } {
  return { enabled: usage.enabled, keepDays: usage.keep_days };
}
