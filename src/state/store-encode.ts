// Writes store.json (its shape is in store-shapes.ts).

import { NO_OPTIONS } from "../core/account-options.ts";
import type { ApiBilling } from "../core/api-billing.ts";
import { fieldsOfOptions } from "../core/option-fields.ts";
import type { LimitQuota, Quota, QuotaWindow } from "../core/quota.ts";
import { goSlots } from "../core/windows.ts";
import { withoutPassword } from "../network/outbound-proxy.ts";
import type { AccountRecord } from "./account-record.ts";
import { STORE_VERSION } from "./store-shapes.ts";
import type { SpentKey, StoreState } from "./store-state.ts";

/** The texts of accounts at the last write. Of a thousand accounts, few have changed since. */
export type EncodedAccounts = WeakMap<AccountRecord, { readonly revision: number; readonly text: string }>;

/** The text of store.json. `upstream` is written to the accounts that follow the setting. */
export function encodeStore(
  state: StoreState,
  upstream: string,
  nowMs: number,
  encoded: EncodedAccounts = new WeakMap(),
): string {
  const head = {
    version: STORE_VERSION,
    updated_at: `${new Date(nowMs).toISOString().slice(0, 19)}Z`,
    state: {
      active_index: Math.max(
        0,
        state.accounts.findIndex((account) => account.id === state.activeId),
      ),
      message_counter: state.messageCounter,
      last_rotation_at_ms: state.lastRotationMs,
      ...(state.pinnedId === undefined ? {} : { pinned_account_id: state.pinnedId }),
      codexlb: { active_id: state.activeId ?? null, spent_keys: state.spentKeys?.map(spentKeyFile) },
    },
  };
  const accounts = state.accounts.map((account) => `\n    ${textOf(account, upstream, encoded)}`);
  const list = accounts.length === 0 ? "[]" : `[${accounts.join(",")}\n  ]`;
  return `${JSON.stringify(head, undefined, 2).slice(0, -2)},\n  "accounts": ${list}\n}\n`;
}

/**
 * One account in the format of store.json and `GET /admin/accounts`. `outboundProxy`: the URL to write; by default the
 * account's without its password.
 */
export function encodeAccount(
  account: AccountRecord,
  upstream: string,
  outboundProxy: string | undefined = account.outboundProxy && withoutPassword(account.outboundProxy),
): Record<string, unknown> {
  const { health, quota } = account;
  const cooling = health.kind === "cooling" ? health.untilMs : 0;
  return {
    id: account.id,
    alias: account.alias,
    home_dir: account.homeDir,
    base_url: account.ownBaseUrl ?? upstream,
    enabled: health.kind !== "disabled",
    ...(health.kind === "disabled" ? { disabled_reason: health.reason } : {}),
    cooldown_until_ms: cooling,
    last_used_at_ms: account.lastUsedMs,
    ...(account.lastSwitchReason === undefined ? {} : { last_switch_reason: account.lastSwitchReason }),
    ...(account.chatgptAccountId === undefined ? {} : { chatgpt_account_id: account.chatgptAccountId }),
    ...(account.email === undefined ? {} : { user_email: account.email }),
    quota: encodeQuota(account),
    codexlb: {
      health,
      ...(account.draining ? { draining: true } : {}),
      dead_login: account.deadLoginMark,
      user_id: account.chatgptUserId,
      outbound_proxy: outboundProxy,
      ...(account.options === NO_OPTIONS ? {} : { options: fieldsOfOptions(account.options) }),
      ...(account.billing === undefined ? {} : { api: billingFile(account.billing) }),
      ...(account.anchors === undefined ? {} : { anchors: account.anchors }),
      ...(account.resetCredits === undefined ? {} : { reset_credits: account.resetCredits }),
      redemption: account.redemption,
      auto_redeems: account.autoRedeems,
      ...encodeFigures(quota),
    },
  };
}

/** The figures of an account in the format of store.json. */
export function encodeFigures({ planType, main, additional, spending }: Quota) {
  return { plan_type: planType, main: ownLimit(main), additional: additional.map(ownLimit), spending };
}

// --- internal ---

function textOf(account: AccountRecord, upstream: string, encoded: EncodedAccounts): string {
  const before = encoded.get(account);
  if (before?.revision === account.revision) return before.text;
  const entry = encodeAccount(account, upstream, account.outboundProxy);
  const text = JSON.stringify(entry, undefined, 2).replaceAll("\n", "\n    ");
  encoded.set(account, { revision: account.revision, text });
  return text;
}

/** What is reserved counts as spent, because a killed process never learns what the turns in flight cost. */
function billingFile({ baseUrl, month, spentUsd, reservedUsd }: ApiBilling): Record<string, unknown> {
  return { base_url: baseUrl, month, spent_usd: spentUsd + reservedUsd };
}

function spentKeyFile({ mark, month, spentUsd }: SpentKey): Record<string, unknown> {
  return { mark, month, spent_usd: spentUsd };
}

function encodeQuota({ quota, quotaSyncMs, quotaSyncMessages }: AccountRecord): Record<string, unknown> {
  const daily = goWindow(quota.main.windows.short);
  const weekly = goWindow(quota.main.windows.weekly);
  return {
    daily_limit: daily.limit,
    daily_used: daily.used,
    daily_reset_at: daily.resetAt,
    weekly_limit: weekly.limit,
    weekly_used: weekly.used,
    weekly_reset_at: weekly.resetAt,
    ...(quota.additional.length === 0 ? {} : { additional_limits: quota.additional.map(encodeLimit) }),
    last_sync_at: quotaSyncMs,
    last_sync_message_counter: quotaSyncMessages,
    source: quotaSyncMs === 0 ? "" : "openai_usage_api",
  };
}

function encodeLimit(limit: LimitQuota): Record<string, unknown> {
  const slots = goSlots(limit.windows);
  const primary = goWindow(slots.primary);
  const secondary = goWindow(slots.secondary);
  return {
    limit_id: limit.id,
    ...(limit.name === undefined ? {} : { limit_name: limit.name }),
    primary_limit: primary.limit,
    primary_used: primary.used,
    primary_reset_at: primary.resetAt,
    primary_window_seconds: primary.seconds,
    secondary_limit: secondary.limit,
    secondary_used: secondary.used,
    secondary_reset_at: secondary.resetAt,
    secondary_window_seconds: secondary.seconds,
  };
}

/** Omits an empty `completeAsOfMs` or `refusal`, because few limits have a refusal. */
function ownLimit({
  id,
  name,
  model,
  windows,
  completeAsOfMs,
  refusal,
}: LimitQuota): Record<string, unknown> {
  return { id, name, model, ...windows, complete_as_of_ms: completeAsOfMs || undefined, refusal };
}

/** The Go program counts in whole percent of 100; an unknown window is limit 0. Its fields are integers. */
function goWindow(window: QuotaWindow | undefined): {
  limit: number;
  used: number;
  resetAt: number;
  seconds: number;
} {
  if (window === undefined) return { limit: 0, used: 0, resetAt: 0, seconds: 0 };
  return {
    limit: 100,
    used: Math.round(window.usedPercent),
    resetAt: window.resetAtMs === undefined ? 0 : Math.floor(window.resetAtMs / 1000),
    seconds: Math.round(window.windowSeconds ?? 0),
  };
}
