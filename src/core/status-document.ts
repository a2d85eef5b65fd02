// The status document, in the format that clients of the Go program read. Additions have names that
// the Go program does not use.

import type { AccountAnswer, ChildAnswer } from "./status-wire.ts";

export interface LimitStatus {
  readonly limit_id: string;
  readonly limit_name?: string;
  /** 0..100, -1 when unknown. */
  readonly primary_left_pct: number;
  /** Unix seconds, 0 when unknown. */
  readonly primary_reset_at: number;
  readonly primary_window_seconds: number;
  readonly secondary_left_pct: number;
  readonly secondary_reset_at: number;
  readonly secondary_window_seconds: number;
  /** The normal model for which the limit counts. */
  readonly model?: string;
  /** True if these are all windows of the limit; otherwise there may be unknown ones. */
  readonly complete?: boolean;
  /** How long requests on this limit are still refused. */
  readonly cooldown_seconds?: number;
}

/** Credits that an account can spend when its windows are exhausted. */
export interface CreditsStatus {
  readonly has_credits: boolean;
  readonly unlimited: boolean;
  readonly balance: number;
  /** True if they can be used now: neither refused nor forbidden by the workspace. */
  readonly usable: boolean;
}

/** Where one figure comes from, and how old it is. */
export interface FigureStatus {
  /** `daily` (the short window), `weekly`, `monthly`, `<limit id> primary`, `<limit id> secondary`. */
  readonly window: string;
  readonly used_percent: number;
  /** `headers`, `event`, `limit_error`, `usage_api`, or `stored` when it is the Go program's. */
  readonly source: string;
  readonly age_seconds: number;
  /** Older than quota.cache_ttl_minutes: it counts as unknown. */
  readonly outdated: boolean;
}

export interface AccountStatus {
  readonly proxy_name: string;
  readonly proxy_id: string;
  /** The same for the same ChatGPT account and user, in whatever proxy. */
  readonly identity?: string;
  readonly alias: string;
  readonly id: string;
  readonly email?: string;
  /** Short workspace id, if another account has the same e-mail address in another workspace. */
  readonly workspace?: string;
  readonly active: boolean;
  readonly pinned: boolean;
  readonly healthy: boolean;
  readonly enabled: boolean;
  readonly disabled_reason?: string;
  readonly draining?: boolean;
  readonly cooldown_seconds: number;
  readonly cooldown_reason?: string;
  readonly daily_left_pct: number;
  readonly weekly_left_pct: number;
  readonly daily_reset_at: number;
  readonly weekly_reset_at: number;
  /** Present only if the account has a monthly window. */
  readonly monthly_left_pct?: number;
  readonly monthly_reset_at?: number;
  /** All windows of the main limit: `daily`, `weekly`, `monthly`. Missing until the backend has listed them. */
  readonly windows?: readonly string[];
  readonly credits?: CreditsStatus;
  /** The workspace's limit for this member. */
  readonly individual_limit?: { readonly left_pct: number; readonly reset_at: number };
  readonly spend_control_reached?: boolean;
  /** The backend's code for why nothing is left. */
  readonly limit_reached_type?: string;
  readonly additional_limits?: readonly LimitStatus[];
  readonly score: number;
  readonly in_flight: number;
  readonly last_used_at_ms: number;
  readonly last_switch_reason?: string;
  /** Of the newest figure of the main limit; each figure's own is in `figures`. */
  readonly quota_source?: string;
  readonly quota_as_of_ms?: number;
  readonly figures: readonly FigureStatus[];
  readonly plan_type?: string;
}

/** A child proxy; what the Go program does not know of it comes last. */
export interface ChildStatus {
  readonly name: string;
  readonly url: string;
  /** It served the last request that was placed by the policy. */
  readonly active: boolean;
  readonly healthy: boolean;
  readonly reachable: boolean;
  readonly cooldown_seconds: number;
  readonly score: number;
  readonly selected_target?: string;
  readonly selection_reason?: string;
  readonly last_switch_reason?: string;
  readonly last_error?: string;
  readonly proxy_id?: string;
  readonly cooldown_reason?: string;
  readonly in_flight: number;
  /** The way from here back to here that leads through it. */
  readonly cycle?: string;
  /** What somebody has to do about `last_error`. */
  readonly next?: string;
  readonly child_proxies?: readonly ChildAnswer[];
}

export interface StatusDocument {
  readonly proxy_name: string;
  /** Made anew by every start. */
  readonly proxy_id: string;
  readonly generated_at: string;
  readonly policy: {
    readonly mode: string;
    readonly delta_percent: number;
    readonly weights: { readonly daily: number; readonly weekly: number };
  };
  readonly state: {
    readonly active_index: number;
    readonly message_counter: number;
    readonly last_rotation_at_ms: number;
    readonly pinned_account_id?: string;
  };
  readonly selected_account_id?: string;
  readonly selected_proxy_url?: string;
  readonly selected_proxy_name?: string;
  readonly selection_reason?: string;
  /** Our own, and those below child proxies, which say so in `proxy_path`. */
  readonly accounts: readonly (AccountStatus | AccountAnswer)[];
  readonly additional_limits?: readonly LimitStatus[];
  readonly child_proxies?: readonly ChildStatus[];
}
