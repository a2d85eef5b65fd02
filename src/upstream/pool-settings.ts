// Picks the settings of the pool from the configuration.

import type { Config } from "../state/settings.ts";
import type { PoolSettings } from "./pool.ts";

export function poolSettings({ policy, quota }: Config): PoolSettings {
  return {
    policy: {
      mode: policy.mode,
      deltaPercent: policy.delta_percent,
      weights: policy.weights,
      affinity: policy.affinity,
      useCredits: policy.use_credits,
    },
    quotaTtlMs: quota.cache_ttl_minutes * 60_000,
  };
}
