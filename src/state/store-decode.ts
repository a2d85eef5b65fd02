// Reads store.json (its shape is in store-shapes.ts).

import { changedOptions, NO_OPTIONS } from "../core/account-options.ts";
import { HEALTHY, type Health } from "../core/health.ts";
import { optionsOfFields } from "../core/option-fields.ts";
import {
  believable,
  type LimitQuota,
  MAIN_LIMIT_ID,
  type Quota,
  type QuotaWindow,
  unknownLimit,
} from "../core/quota.ts";
import type { ResetCredits } from "../core/reset-credits.ts";
import { type Dated, type Spending, UNKNOWN_SPENDING } from "../core/spending.ts";
import { byKind } from "../core/windows.ts";
import { messageOf } from "../errors.ts";
import { type AccountRecord, newAccount } from "./account-record.ts";
import {
  type AccountFile,
  type FiguresFile,
  type OwnLimitFile,
  type QuotaFile,
  type ResetCreditsFile,
  type SpendingFile,
  STORE_VERSION,
  StoreFile,
  VersionOnly,
  type WindowFile,
} from "./store-shapes.ts";
import { MOST_SPENT_KEYS, type StoreState } from "./store-state.ts";

export type DecodedStore =
  | { readonly kind: "ok"; readonly state: StoreState }
  | { readonly kind: "newer"; readonly version: number }
  | { readonly kind: "damaged"; readonly why: string };

/**
 * Reads store.json. `upstream` is the configured backend: accounts on it, or on the default, follow the setting.
 * Figures that are not plausible at `nowMs` are dropped.
 */
export function decodeStore(text: string, upstream: string, nowMs: number): DecodedStore {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch (error) {
    return { kind: "damaged", why: messageOf(error) };
  }
  const version = VersionOnly.safeParse(raw);
  if (version.success && version.data.version > STORE_VERSION)
    return { kind: "newer", version: version.data.version };
  const parsed = StoreFile.safeParse(raw);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    return { kind: "damaged", why: `${issue?.path.join(".") ?? ""}: ${issue?.message ?? "not a store"}` };
  }
  const { state, accounts } = parsed.data;
  const records = accounts.map((account) => decodeAccount(account, upstream, nowMs));
  const activeId =
    state.codexlb === undefined ? records[state.active_index]?.id : (state.codexlb.active_id ?? undefined);
  return {
    kind: "ok",
    state: {
      accounts: records,
      activeId: records.some((record) => record.id === activeId) ? activeId : undefined,
      pinnedId: records.find((record) => record.id === state.pinned_account_id)?.id,
      messageCounter: state.message_counter,
      lastRotationMs: state.last_rotation_at_ms,
      spentKeys: state.codexlb?.spent_keys
        ?.slice(-MOST_SPENT_KEYS)
        .map(({ mark, month, spent_usd: spentUsd }) => ({ mark, month, spentUsd })),
    },
  };
}

/** The figures of an account in store.json. */
export function decodeFigures(own: FiguresFile): Quota {
  const window = (file: WindowFile | undefined): QuotaWindow | undefined =>
    file && { ...file, resetAtMs: file.resetAtMs, windowSeconds: file.windowSeconds };
  const limit = (file: OwnLimitFile): LimitQuota => {
    const former = byKind(window(file.primary), window(file.secondary));
    return {
      id: file.id,
      name: file.name,
      model: file.model,
      windows: {
        short: window(file.short) ?? former.short,
        weekly: window(file.weekly) ?? former.weekly,
        monthly: window(file.monthly) ?? former.monthly,
      },
      completeAsOfMs: file.complete_as_of_ms,
      refusal: file.refusal,
    };
  };
  return {
    planType: own.plan_type,
    main: limit(own.main),
    additional: own.additional.map(limit),
    spending: own.spending === undefined ? UNKNOWN_SPENDING : spendingOf(own.spending),
  };
}

// --- internal ---

/** The backend that the Go program writes into every account unless another is configured. */
const BUILT_IN_UPSTREAM = "https://chatgpt.com/backend-api";

function decodeAccount(file: AccountFile, upstream: string, nowMs: number): AccountRecord {
  const own = file.codexlb;
  const shared = file.base_url === "" || file.base_url === upstream || file.base_url === BUILT_IN_UPSTREAM;
  return newAccount(file.alias, file.home_dir, {
    id: file.id,
    ownBaseUrl: shared ? undefined : file.base_url,
    outboundProxy: own?.outbound_proxy,
    options: own?.options === undefined ? NO_OPTIONS : changedOptions({}, optionsOfFields(own.options)),
    draining: own?.draining ?? false,
    chatgptAccountId: file.chatgpt_account_id,
    chatgptUserId: own?.user_id,
    email: file.user_email,
    deadLoginMark: own?.dead_login,
    health: own === undefined ? goHealth(file) : own.health,
    quota: believable(own === undefined ? goQuota(file.quota) : decodeFigures(own), nowMs),
    lastUsedMs: file.last_used_at_ms,
    lastSwitchReason: file.last_switch_reason,
    quotaSyncMs: file.quota.last_sync_at,
    quotaSyncMessages: file.quota.last_sync_message_counter,
    billing: own?.api && {
      baseUrl: own.api.base_url,
      month: own.api.month,
      spentUsd: own.api.spent_usd,
      reservedUsd: 0,
    },
    anchors: own?.anchors,
    resetCredits: own?.reset_credits && resetCreditsOf(own.reset_credits),
    redemption: own?.redemption && { ...own.redemption, creditId: own.redemption.creditId },
    autoRedeems: own?.auto_redeems,
  });
}

function goHealth(file: AccountFile): Health {
  if (file.disabled_reason !== undefined)
    return { kind: "disabled", reason: file.disabled_reason, sinceMs: 0 };
  if (file.cooldown_until_ms === 0) return HEALTHY;
  const reason = file.last_switch_reason ?? "cooldown";
  const cause = reason === "usage-limit" ? "limit" : "fault";
  const faults = cause === "fault" ? 1 : 0;
  return { kind: "cooling", cause, reason, sinceMs: 0, untilMs: file.cooldown_until_ms, faults };
}

function goQuota(file: QuotaFile): Quota {
  const asOfMs = file.last_sync_at;
  const window = (limit: number, used: number, resetAt: number, seconds: number): QuotaWindow | undefined =>
    limit <= 0
      ? undefined
      : {
          usedPercent: Math.min(100, Math.max(0, (used / limit) * 100)),
          resetAtMs: resetAt > 0 ? resetAt * 1000 : undefined,
          windowSeconds: seconds > 0 ? seconds : undefined,
          asOfMs,
          source: "stored",
        };
  return {
    planType: undefined,
    main: {
      ...unknownLimit(MAIN_LIMIT_ID),
      windows: byKind(
        window(file.daily_limit, file.daily_used, file.daily_reset_at, 0),
        window(file.weekly_limit, file.weekly_used, file.weekly_reset_at, 0),
      ),
    },
    additional: (file.additional_limits ?? []).map((limit) => ({
      ...unknownLimit(limit.limit_id, limit.limit_name),
      windows: byKind(
        window(limit.primary_limit, limit.primary_used, limit.primary_reset_at, limit.primary_window_seconds),
        window(
          limit.secondary_limit,
          limit.secondary_used,
          limit.secondary_reset_at,
          limit.secondary_window_seconds,
        ),
      ),
    })),
    spending: UNKNOWN_SPENDING,
  };
}

/** JSON has no undefined: a value missing in the file was undefined, here and below. */
function spendingOf(file: SpendingFile): Spending {
  const part = <Value>(
    one: { value?: Value; asOfMs: number } | undefined,
  ): Dated<Value | undefined> | undefined => one && { value: one.value, asOfMs: one.asOfMs };
  const individual = part(file.individual);
  return {
    credits: file.credits,
    individual: individual && {
      ...individual,
      value: individual.value && { ...individual.value, resetAtMs: individual.value.resetAtMs },
    },
    spendControl: file.spendControl,
    reachedType: part(file.reachedType),
    creditsRefused: file.creditsRefused,
  };
}

function resetCreditsOf({ count, credits, asOfMs }: ResetCreditsFile): ResetCredits {
  return {
    count,
    credits: credits?.map(({ id, grantedAtMs, expiresAtMs, title }) => ({
      id,
      grantedAtMs,
      expiresAtMs,
      title,
    })),
    asOfMs,
  };
}
