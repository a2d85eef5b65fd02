// Picks the settings of the pool from the configuration.

import type { Config } from "../state/settings.ts";
import type { PoolSettings } from "./pool.ts";

export function poolSettings({ policy, quota, accounts }: Config): PoolSettings {
  return {
    policy: {
      mode: policy.mode,
      deltaPercent: policy.delta_percent,
      weights: policy.weights,
      affinity: policy.affinity,
      useCredits: policy.use_credits,
      spendFloors: policy.spend_floors,
      tags: policy.tags.length === 0 ? undefined : { tags: policy.tags, only: policy.tags_only },
    },
    fileOptions: accounts,
    quotaTtlMs: quota.cache_ttl_minutes * 60_000,
  };
}
