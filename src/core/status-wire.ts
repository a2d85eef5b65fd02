// `GET /status` as it is read, of this program or of the Go one: by commands that show it, and by a proxy in front.

import { z } from "zod";
import { shortLine } from "../printable.ts";

/** What another machine says is shown on terminals: nothing in it may steer them. */
const text = z.string().transform((text) => shortLine(text));

const Limit = z.looseObject({
  limit_id: text,
  limit_name: text.optional(),
  primary_left_pct: z.number(),
  primary_reset_at: z.number(),
  primary_window_seconds: z.number().default(0),
  secondary_left_pct: z.number(),
  secondary_reset_at: z.number(),
  secondary_window_seconds: z.number().default(0),
  model: text.optional(),
  complete: z.boolean().default(false),
  cooldown_seconds: z.number().default(0),
});

const HopAnswer = z.looseObject({ name: text, id: text });

export type AccountAnswer = z.output<typeof AccountAnswer>;
export const AccountAnswer = z.looseObject({
  proxy_name: text.default(""),
  /** Who owns it; the Go program does not tell. */
  proxy_id: text.optional(),
  /** The proxies between the one that was asked and the account, the owner last; empty for its own. */
  proxy_path: z.array(HopAnswer).default([]),
  alias: text,
  id: text,
  /** The same for the same ChatGPT account and user, whoever has enrolled it. */
  identity: text.optional(),
  email: text.default(""),
  workspace: text.optional(),
  active: z.boolean(),
  pinned: z.boolean(),
  healthy: z.boolean(),
  enabled: z.boolean(),
  disabled_reason: text.default(""),
  draining: z.boolean().default(false),
  cooldown_seconds: z.number(),
  cooldown_reason: text.optional(),
  daily_left_pct: z.number(),
  weekly_left_pct: z.number(),
  daily_reset_at: z.number(),
  weekly_reset_at: z.number(),
  monthly_left_pct: z.number().default(-1),
  monthly_reset_at: z.number().default(0),
  windows: z.array(text).optional(),
  credits: z
    .looseObject({
      has_credits: z.boolean(),
      unlimited: z.boolean(),
      balance: z.number(),
      usable: z.boolean().default(false),
    })
    .optional(),
  individual_limit: z.looseObject({ left_pct: z.number(), reset_at: z.number() }).optional(),
  spend_control_reached: z.boolean().default(false),
  limit_reached_type: text.optional(),
  additional_limits: z.array(Limit).nullish(),
  score: z.number(),
  in_flight: z.number().default(0),
  last_used_at_ms: z.number().default(0),
  plan_type: text.optional(),
  figures: z
    .array(
      z.looseObject({
        window: text,
        source: text,
        age_seconds: z.number(),
        outdated: z.boolean().default(false),
      }),
    )
    .default([]),
});

/** A child proxy, with its own children below it where it tells of them. */
export interface ChildAnswer {
  readonly name: string;
  readonly url: string;
  readonly proxy_id?: string | undefined;
  readonly active: boolean;
  readonly healthy: boolean;
  readonly reachable: boolean;
  readonly cooldown_seconds: number;
  readonly score: number;
  readonly selected_target?: string | undefined;
  readonly selection_reason?: string | undefined;
  readonly last_switch_reason?: string | undefined;
  readonly last_error?: string | undefined;
  /** What somebody has to do about it. */
  readonly next?: string | undefined;
  readonly child_proxies?: readonly ChildAnswer[] | undefined;
}

const ChildAnswer: z.ZodType<ChildAnswer> = z.looseObject({
  name: text,
  url: text,
  proxy_id: text.optional(),
  active: z.boolean(),
  healthy: z.boolean(),
  reachable: z.boolean(),
  cooldown_seconds: z.number(),
  score: z.number(),
  selected_target: text.optional(),
  selection_reason: text.optional(),
  last_switch_reason: text.optional(),
  last_error: text.optional(),
  next: text.optional(),
  child_proxies: z.lazy(() => z.array(ChildAnswer)).optional(),
});

export type StatusAnswer = z.output<typeof StatusAnswer>;
export const StatusAnswer = z.looseObject({
  proxy_name: text.default(""),
  proxy_id: text.optional(),
  policy: z.looseObject({ mode: text.default("") }).prefault({}),
  state: z.looseObject({ pinned_account_id: text.optional() }).prefault({}),
  selected_account_id: text.optional(),
  selected_proxy_name: text.optional(),
  selected_proxy_url: text.optional(),
  selection_reason: text.optional(),
  accounts: z
    .array(AccountAnswer)
    .nullable()
    .transform((accounts) => accounts ?? []),
  additional_limits: z.array(Limit).nullish(),
  child_proxies: z
    .array(ChildAnswer)
    .nullish()
    .transform((children) => children ?? []),
});
