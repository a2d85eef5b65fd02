// The status document (`GET /status`): the one schema from which all its types are inferred, as it is written here and
// as it is read from another proxy, of this program or of the Go program. Fields that the Go program does not have are
// optional or have a default. Additions have names that the Go program does not use.

import { z } from "zod";
import { shortLine } from "../printable.ts";
import { PoolForecastAnswer, WindowForecastAnswer } from "./forecast/forecast-schema.ts";

/** Text from another machine is shown on terminals, so it is reduced to one line without control characters. */
const text = z.string().transform((text) => shortLine(text));
/** In percent; -1 if unknown. */
const leftPercent = z.number();
/** Unix seconds; 0 if unknown. */
const unixSeconds = z.number();

const LIMIT = {
  limit_id: text,
  limit_name: text.optional(),
  primary_left_pct: leftPercent,
  primary_reset_at: unixSeconds,
  primary_window_seconds: z.number().default(0),
  secondary_left_pct: leftPercent,
  secondary_reset_at: unixSeconds,
  secondary_window_seconds: z.number().default(0),
  /** The normal model for which the limit counts. */
  model: text.optional(),
  /** True if these are all windows of the limit; otherwise there may be unknown ones. */
  complete: z.boolean().default(false),
  /** How long requests on this limit are still refused. */
  cooldown_seconds: z.number().default(0),
};
const Limit = z.looseObject(LIMIT);

/** The source and the age of one figure. */
const FIGURE = {
  /** `daily` (the short window), `weekly`, `monthly`, `<limit id> primary`, `<limit id> secondary`. */
  window: text,
  used_percent: z.number().optional(),
  /** `headers`, `event`, `limit_error`, `usage_api`, or `stored` for a figure of the Go program. */
  source: text,
  age_seconds: z.number(),
  /** Older than quota.cache_ttl_minutes: it counts as unknown. */
  outdated: z.boolean().default(false),
};

const Hop = z.looseObject({ name: text, id: text });

const ACCOUNT = {
  proxy_name: text.default(""),
  /** The proxy that owns the account; absent in the Go program's document. */
  proxy_id: text.optional(),
  /** The proxies between the reporting one and the account, the owner last; empty for its own accounts. */
  proxy_path: z.array(Hop).default([]),
  alias: text,
  id: text,
  /** Identifies the ChatGPT account and user, in any proxy. */
  identity: text.optional(),
  email: text.default(""),
  /** Short workspace id, if another account has the same e-mail address in another workspace. */
  workspace: text.optional(),
  active: z.boolean(),
  pinned: z.boolean(),
  healthy: z.boolean(),
  enabled: z.boolean(),
  disabled_reason: text.default(""),
  /** The name of the replica on which the user disabled it, if it is not the one that reports it. */
  disabled_on: text.optional(),
  draining: z.boolean().default(false),
  cooldown_seconds: z.number(),
  cooldown_reason: text.optional(),
  daily_left_pct: leftPercent,
  weekly_left_pct: leftPercent,
  daily_reset_at: unixSeconds,
  weekly_reset_at: unixSeconds,
  /** Written only if the account has a monthly window. */
  monthly_left_pct: leftPercent.default(-1),
  monthly_reset_at: unixSeconds.default(0),
  /** All windows of the main limit: `daily`, `weekly`, `monthly`. Absent until the backend has listed them. */
  windows: z.array(text).optional(),
  /** Credits that the account can spend when its windows are exhausted. */
  credits: z
    .looseObject({
      has_credits: z.boolean(),
      unlimited: z.boolean(),
      balance: z.number(),
      /** True if they can be used now: neither refused nor forbidden by the workspace. */
      usable: z.boolean().default(false),
    })
    .optional(),
  /** The workspace's limit for this member. */
  individual_limit: z.looseObject({ left_pct: leftPercent, reset_at: unixSeconds }).optional(),
  spend_control_reached: z.boolean().default(false),
  /** Saved resets of its limits that it can spend; absent while unknown. */
  reset_credits: z
    .looseObject({
      count: z.number(),
      /** When the first of them expires; 0 if that is unknown, or if none expires. */
      expires_at: unixSeconds.default(0),
      /** When the backend reported them, Unix ms. */
      as_of_ms: z.number(),
    })
    .optional(),
  /** The backend's code for the reason why nothing is left. */
  limit_reached_type: text.optional(),
  additional_limits: z.array(Limit).nullish(),
  /** What its API key has spent this month. Absent for a ChatGPT account. */
  api_key: z
    .looseObject({
      /** The only address to which the key is sent. */
      base_url: text,
      spent_usd: z.number(),
      /** What the turns in flight may cost. */
      reserved_usd: z.number().default(0),
      /** The monthly cap; absent if none is set, in which case the account serves no turns. */
      cap_usd: z.number().optional(),
      /** When the next month begins. */
      reset_at: unixSeconds,
    })
    .optional(),
  /** What the user has set for the account; each is absent without a value. */
  priority: z.number().optional(),
  floor_daily_pct: z.number().optional(),
  floor_weekly_pct: z.number().optional(),
  tags: z.array(text).optional(),
  note: text.optional(),
  /** The most concurrent turns of the account. */
  concurrency: z.number().optional(),
  /**
   * Present while the account could serve, but takes no more turns because it serves this many: its limit, or its share
   * of the limit while the replicas do not hear from each other.
   */
  full_at: z.number().optional(),
  /** The windows of the main limit that have reached their floor: `daily`, `weekly`, `monthly`. */
  at_floor: z.array(text).optional(),
  /** True if the account takes no turns because of that; otherwise it takes those that no other account can serve. */
  kept_back: z.boolean().default(false),
  /**
   * The windows of the main limit of which nothing is left, while the account is not cooling down: `daily`, `weekly`,
   * `monthly`. It gets turns only if no other account can serve.
   */
  exhausted: z.array(text).optional(),
  score: z.number(),
  in_flight: z.number().default(0),
  /** The number of sessions that stay with it. */
  sessions: z.number().optional(),
  last_used_at_ms: z.number().default(0),
  last_switch_reason: text.optional(),
  /** Of the newest figure of the main limit; each figure's own source is in `figures`. */
  quota_source: text.optional(),
  quota_as_of_ms: z.number().optional(),
  figures: z.array(z.looseObject(FIGURE)).default([]),
  plan_type: text.optional(),
  /** When its windows are exhausted; absent until the proxy has made a forecast, and for accounts out of service. */
  forecast: z.array(WindowForecastAnswer).optional(),
};

/** An account as it is read. */
export type AccountAnswer = z.output<typeof AccountAnswer>;
export const AccountAnswer = z.looseObject(ACCOUNT);

/** A move of turns from one account or child proxy to another, or several for the same reason. */
const SWITCH = {
  /** When the last of them moved, Unix ms. */
  at_ms: z.number(),
  /** When the first of them moved, Unix ms; absent if the proxy is older. */
  first_at_ms: z.number().optional(),
  /** How many turns moved; absent if the proxy is older. */
  count: z.number().optional(),
  /** Alias or name. */
  from: text,
  to: text,
  /** `AccountSwitch` in pool-facts.ts lists the codes. */
  reason: text,
  /** `daily`, `weekly` or `monthly`: the window of `from` that is exhausted or has reached its floor. */
  window: text.optional(),
  /** The beginning of the id of the session that moved last. */
  session: text.optional(),
  /** The name of the replica on which the turns moved, if it is another one. */
  replica: text.optional(),
};
export type SwitchAnswer = z.output<typeof SwitchAnswer>;
export const SwitchAnswer = z.looseObject(SWITCH);

/** A child proxy. */
const CHILD = {
  name: text,
  url: text,
  /** True if it served the last request that the policy placed. */
  active: z.boolean(),
  healthy: z.boolean(),
  reachable: z.boolean(),
  cooldown_seconds: z.number(),
  score: z.number(),
  selected_target: text.optional(),
  selection_reason: text.optional(),
  last_switch_reason: text.optional(),
  last_error: text.optional(),
  proxy_id: text.optional(),
  cooldown_reason: text.optional(),
  in_flight: z.number().optional(),
  /** The way from the reporting proxy back to itself that leads through the child. */
  cycle: text.optional(),
  /** What the user can do about `last_error`. */
  next: text.optional(),
  /** Its own children, if it reports them. */
  get child_proxies(): z.ZodOptional<z.ZodArray<typeof ChildAnswer>> {
    return z.array(ChildAnswer).optional();
  },
};

/** A child proxy as it is read. */
export type ChildAnswer = z.output<typeof ChildAnswer>;
const ChildAnswer = z.looseObject(CHILD);

const DOCUMENT = {
  proxy_name: text.default(""),
  /** A new id each time the proxy starts. */
  proxy_id: text.optional(),
  generated_at: text.optional(),
  policy: z
    .looseObject({
      mode: text.default(""),
      delta_percent: z.number().optional(),
      /** Only if an account has a floor: `last` or `never`. */
      spend_floors: text.optional(),
      weights: z.looseObject({ daily: z.number(), weekly: z.number() }).optional(),
    })
    .prefault({}),
  state: z
    .looseObject({
      active_index: z.number().optional(),
      message_counter: z.number().optional(),
      last_rotation_at_ms: z.number().optional(),
      pinned_account_id: text.optional(),
    })
    .prefault({}),
  selected_account_id: text.optional(),
  selected_proxy_name: text.optional(),
  selected_proxy_url: text.optional(),
  selection_reason: text.optional(),
  /** The proxy's own, and those below child proxies, which have a `proxy_path`. */
  accounts: z
    .array(AccountAnswer)
    .nullable()
    .transform((accounts) => accounts ?? []),
  additional_limits: z.array(Limit).nullish(),
  /** When all accounts are exhausted. */
  forecast: PoolForecastAnswer.optional(),
  /** In the answer to a refresh: the proxy's own accounts whose figures could not be refreshed. */
  refresh_failed: z.array(z.looseObject({ alias: text, why: text })).optional(),
  /** The turns that wait for a reset; absent if none does. */
  waiting: z
    .looseObject({
      turns: z.number(),
      /** The earliest reset that one of them waits for, Unix ms. */
      until_ms: z.number(),
      /** The account or child proxy with that reset, and the window: `daily`, `weekly` or `monthly`. */
      account: text.optional(),
      window: text.optional(),
    })
    .optional(),
  /** How many turns wait for a slot on a full account; absent if none does. */
  queued_turns: z.number().optional(),
  /** Why the proxy cannot record turns now. */
  usage_problem: text.optional(),
  /** The turns of the day that started windows of the proxy's own accounts. Absent while anchoring is off and unused. */
  anchor: z
    .looseObject({
      turns: z.number(),
      /** Input and output. */
      tokens: z.number(),
      /** The model in the settings, if no account has it. */
      unknown_model: text.optional(),
    })
    .optional(),
  /** The replica that sent the document; absent for a proxy that works alone. */
  cluster: z
    .looseObject({
      pool: text,
      /** The id of the replica. */
      replica: text,
      /** How many changes of operators the pool's server does not have yet. */
      pending: z.number(),
      /** Since when the pool cannot be used, Unix ms, and why; absent while it can. */
      degraded_since_ms: z.number().optional(),
      error: text.optional(),
      error_code: text.optional(),
      /** All replicas of the pool, as this one last read them from the server. */
      replicas: z
        .array(
          z.looseObject({
            id: text,
            name: text,
            version: text,
            /** When it was last connected to the server, Unix ms. */
            last_seen_ms: z.number(),
            /** False if it was stopped, or missed its last report to the server. Earlier versions do not send it. */
            connected: z.boolean().optional(),
            /** True if its proxy was stopped; otherwise absent. */
            stopped: z.boolean().optional(),
          }),
        )
        .optional(),
    })
    .optional(),
  /** The last switches, newest first. After a restart they come from the event log. */
  switches: z.array(SwitchAnswer).optional(),
  child_proxies: z
    .array(ChildAnswer)
    .nullish()
    .transform((children) => children ?? []),
};

/** The document as it is read. */
export type StatusAnswer = z.output<typeof StatusAnswer>;
export const StatusAnswer = z.looseObject(DOCUMENT);

/** The fields of a schema before defaults and transforms. Unlike in what is read, there are no others. */
type Fields<Shape extends z.ZodRawShape> = z.input<z.ZodObject<Shape>>;
/** What this program writes: `All` fields, with those in `Always` that the Go program may leave out. */
type Written<All, Always extends keyof All> = Readonly<
  Omit<All, Always> & { [Name in Always]-?: NonNullable<All[Name]> }
>;

export type LimitStatus = Written<
  Fields<typeof LIMIT>,
  "primary_window_seconds" | "secondary_window_seconds"
>;
export type FigureStatus = Written<Fields<typeof FIGURE>, "used_percent" | "outdated">;
export type AccountStatus = Written<
  Fields<typeof ACCOUNT>,
  "proxy_name" | "proxy_id" | "in_flight" | "sessions" | "last_used_at_ms" | "figures"
>;
export type SwitchStatus = Readonly<Fields<typeof SWITCH>>;
export type ChildStatus = Written<Fields<typeof CHILD>, "in_flight">;
export type StatusDocument = Omit<
  Written<Fields<typeof DOCUMENT>, "proxy_name" | "proxy_id" | "generated_at" | "policy" | "state">,
  "accounts"
> & { readonly accounts: readonly (AccountStatus | AccountAnswer)[] };
