// The shape of store.json: the Go program's schema, so that each program can open the other's root, plus an object
// `codexlb` in each account for everything else. The Go program ignores and drops that object.

import { z } from "zod";
import { OptionFields } from "../core/option-fields.ts";

/** The version of the schema. A store of a newer version is refused. */
export const STORE_VERSION = 1;

/** The version of any store.json, also of one that a later version of codexlb wrote. */
export const VersionOnly = z.looseObject({ version: z.number() });

const count = z.number().catch(0).default(0);
const maybeText = z
  .string()
  .nullish()
  .transform((value) => value || undefined);

const LimitFile = z.looseObject({
  limit_id: z.string(),
  limit_name: maybeText,
  primary_limit: count,
  primary_used: count,
  primary_reset_at: count,
  primary_window_seconds: count,
  secondary_limit: count,
  secondary_used: count,
  secondary_reset_at: count,
  secondary_window_seconds: count,
});

const WindowFile = z.object({
  usedPercent: z.number(),
  resetAtMs: z.number().optional(),
  windowSeconds: z.number().optional(),
  asOfMs: z.number(),
  source: z.enum(["headers", "event", "limit_error", "usage_api", "stored"]),
});
export type WindowFile = z.output<typeof WindowFile>;
const OwnLimitFile = z.object({
  id: z.string(),
  name: z.string().optional(),
  model: z.string().optional(),
  short: WindowFile.optional(),
  weekly: WindowFile.optional(),
  monthly: WindowFile.optional(),
  complete_as_of_ms: z.number().default(0),
  refusal: z.object({ sinceMs: z.number(), untilMs: z.number() }).optional(),
  /** An older format, from before windows were classified by length. */
  primary: WindowFile.optional(),
  secondary: WindowFile.optional(),
});
export type OwnLimitFile = z.output<typeof OwnLimitFile>;

function dated<Value extends z.ZodType>(value: Value) {
  return z.object({ value, asOfMs: z.number() }).optional();
}
const SpendingFile = z.object({
  credits: dated(z.object({ hasCredits: z.boolean(), unlimited: z.boolean(), balance: z.number() })),
  individual: dated(z.object({ remainingPercent: z.number(), resetAtMs: z.number().optional() }).optional()),
  spendControl: dated(z.boolean()),
  reachedType: dated(z.string().optional()),
  creditsRefused: dated(z.number()),
});
export type SpendingFile = z.output<typeof SpendingFile>;

export const ResetCreditsFile = z.object({
  count: z.number(),
  credits: z
    .array(
      z.object({
        id: z.string(),
        grantedAtMs: z.number(),
        expiresAtMs: z.number().optional(),
        title: z.string().optional(),
      }),
    )
    .optional(),
  asOfMs: z.number(),
});
export type ResetCreditsFile = z.output<typeof ResetCreditsFile>;

const OwnAccountFile = z.object({
  health: z.discriminatedUnion("kind", [
    z.object({ kind: z.literal("healthy") }),
    z.object({
      kind: z.literal("cooling"),
      cause: z.enum(["limit", "fault"]),
      reason: z.string(),
      sinceMs: z.number(),
      untilMs: z.number(),
      faults: z.number().default(0),
    }),
    z.object({
      kind: z.literal("disabled"),
      reason: z.string(),
      sinceMs: z.number(),
      on: z.string().optional(),
    }),
  ]),
  draining: z.boolean().default(false),
  dead_login: z.string().optional(),
  user_id: z.string().optional(),
  outbound_proxy: z.string().optional(),
  options: OptionFields.optional().catch(undefined),
  plan_type: z.string().optional(),
  anchors: z
    .object({ day: z.string(), turns: z.number(), tokens: z.number(), momentMs: z.number() })
    .optional()
    .catch(undefined),
  reset_credits: ResetCreditsFile.optional().catch(undefined),
  redemption: z
    .object({ requestId: z.string(), creditId: z.string().optional(), sinceMs: z.number() })
    .optional()
    .catch(undefined),
  api: z
    .object({ base_url: z.string(), month: z.string(), spent_usd: z.number().min(0) })
    .optional()
    .catch(undefined),
  auto_redeems: z
    .object({ day: z.string(), attempts: z.number(), redeemedMs: z.number() })
    .optional()
    .catch(undefined),
  main: OwnLimitFile,
  additional: z.array(OwnLimitFile),
  spending: SpendingFile.optional().catch(undefined),
});

export type OwnAccountFile = z.output<typeof OwnAccountFile>;

/** The figures of an account. */
export const FiguresFile = OwnAccountFile.pick({
  plan_type: true,
  main: true,
  additional: true,
  spending: true,
});
export type FiguresFile = z.output<typeof FiguresFile>;

const QuotaFile = z.looseObject({
  daily_limit: count,
  daily_used: count,
  daily_reset_at: count,
  weekly_limit: count,
  weekly_used: count,
  weekly_reset_at: count,
  additional_limits: z.array(LimitFile).nullish(),
  last_sync_at: count,
  last_sync_message_counter: count,
  source: z.string().default(""),
});
export type QuotaFile = z.output<typeof QuotaFile>;

const AccountFile = z.looseObject({
  id: z.string(),
  alias: z.string(),
  home_dir: z.string(),
  base_url: z.string().default(""),
  enabled: z.boolean().default(true),
  disabled_reason: maybeText,
  cooldown_until_ms: count,
  last_used_at_ms: count,
  last_switch_reason: maybeText,
  chatgpt_account_id: maybeText,
  user_email: maybeText,
  quota: QuotaFile.prefault({}),
  codexlb: OwnAccountFile.optional().catch(undefined),
});
export type AccountFile = z.output<typeof AccountFile>;

/** The store that this version reads. Missing counts and lists get their defaults. */
export const StoreFile = z.looseObject({
  state: z
    .looseObject({
      active_index: count,
      message_counter: count,
      last_rotation_at_ms: count,
      pinned_account_id: maybeText,
      codexlb: z
        .object({
          active_id: z.string().nullable(),
          spent_keys: z
            .array(z.object({ mark: z.string(), month: z.string(), spent_usd: z.number().min(0) }))
            .optional()
            .catch(undefined),
        })
        .optional()
        .catch(undefined),
    })
    .prefault({}),
  accounts: z
    .array(AccountFile)
    .nullish()
    .transform((accounts) => accounts ?? []),
});
