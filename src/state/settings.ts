// The table of settings: their type, their defaults, what they mean, and how each is checked.

import { z } from "zod";
import { isLoopback, parseListen } from "../core/listen.ts";
import { POLICY_MODES } from "../core/policy.ts";
import { NO_OUTBOUND_PROXY, outboundProxyProblem, withoutPassword } from "../network/outbound-proxy.ts";

/** The effective settings, normalised. */
export type Config = z.output<typeof ConfigFile>;

/** One setting, as documentation and `codexlb config` show it. */
export interface Setting {
  /** `proxy.listen`. */
  readonly key: string;
  readonly description: string;
  readonly defaultValue: unknown;
  /** A change takes effect only after the proxy restarts. */
  readonly restart: boolean;
}

/** Splits and cleans a list of child proxy URLs as it comes from the environment or a file. */
export function cleanUrls(urls: readonly string[]): string[] {
  return [...new Set(urls.map((url) => withoutTrailingSlash(url.trim())).filter((url) => url !== ""))];
}

/** Checks `value` for the setting `key` as the file's own; returns it normalised, or what is wrong with it. */
export function checkSetting(key: string, value: unknown): { readonly value: unknown } | string {
  const field = FIELDS.find((candidate) => candidate.key === key);
  if (field === undefined) throw new Error(`there is no setting ${key}`);
  const parsed = field.schema.safeParse(value);
  return parsed.success ? { value: parsed.data } : (parsed.error.issues[0]?.message ?? "is not valid");
}

/**
 * What is wrong with the settings as a whole, if anything: whoever reaches the port can spend the accounts' quota,
 * so only this machine may, unless clients must show who they are or the user says that the network is theirs.
 */
export function exposureProblem({ proxy }: Config): string | undefined {
  const host = parseListen(proxy.listen)?.host ?? "";
  if (isLoopback(host) || proxy.allow_unauthenticated || proxy.client_auth) return undefined;
  return `listening on ${proxy.listen} would let every machine that reaches it use your accounts`;
}

/** What to do about `exposureProblem`. */
export const EXPOSURE_NEXT =
  "listen on 127.0.0.1; or set proxy.client_auth = true in config.toml and give clients keys (codexlb key add NAME); or set proxy.allow_unauthenticated = true if the network is yours alone";

const NO_TEXT = "must be a text in quotes";

const text = (fallback: string) =>
  z
    .string({ error: NO_TEXT })
    .transform((value) => value.trim() || fallback)
    .default(fallback);
const words = (fallback: string[]) =>
  z
    .array(z.string({ error: NO_TEXT }), { error: 'must be a list of texts, as ["a", "b"]' })
    .transform((list) => {
      const kept = list.map((word) => word.trim()).filter((word) => word !== "");
      return kept.length === 0 ? fallback : kept;
    })
    .default(fallback);
const flag = (fallback: boolean) =>
  z.boolean({ error: "must be true or false, without quotes" }).default(fallback);
const number = () =>
  z.number({
    error: ({ input }) => {
      if (typeof input === "bigint") return "is too large a number";
      return typeof input === "number" ? "must be a finite number" : "must be a number, without quotes";
    },
  });
/** As in the Go program, zero and less mean the default. */
const positive = (fallback: number, most = Number.MAX_SAFE_INTEGER) =>
  number()
    .int({ error: "must be a whole number" })
    .max(most, { error: `must be ${most} at most` })
    .transform((value) => (value > 0 ? value : fallback))
    .default(fallback);
/** A million seconds are eleven days; timers end at twice that. */
const seconds = (fallback: number) => positive(fallback, 1_000_000);
const milliseconds = (fallback: number) => positive(fallback, 1_000_000_000);
const share = (fallback: number) =>
  number()
    .max(100, { error: "must be 100 at most" })
    .transform((value) => (value < 0 ? fallback : value))
    .default(fallback);
const weight = (fallback: number) =>
  number()
    .transform((value) => Math.max(0, value))
    .default(fallback);
const address = (fallback: string) =>
  text(fallback).refine((value) => parseListen(value) !== undefined, {
    error: (issue) => `${JSON.stringify(issue.input)} is not an address; write it as "127.0.0.1:8765"`,
  });
const url = (fallback: string) =>
  z
    .string({ error: NO_TEXT })
    .transform((value) => withoutTrailingSlash(value.trim()) || fallback)
    .refine(isHttpUrl, { error: (issue) => notUrl(issue.input) })
    .default(fallback);
const urls = () =>
  z
    .array(z.string({ error: NO_TEXT }), { error: 'must be a list of texts, as ["http://10.0.0.2:8765"]' })
    .transform(cleanUrls)
    .superRefine((list, context) => {
      for (const one of list)
        if (!isHttpUrl(one)) context.addIssue({ code: "custom", message: notUrl(one) });
        else if (/[?#]/.test(one))
          context.addIssue({ code: "custom", message: "a proxy's URL has no query and no fragment" });
    })
    .default([]);

const DEFAULT_WEIGHTS = { daily: 60, weekly: 40 };

// The order here is the order in the file. `meta` is what the file, the documentation and `config show` say.
const PROXY = {
  name: text("")
    .refine((value) => !/\p{Cc}/u.test(value), { error: "must be one line, without control characters" })
    .meta({ description: "The name of this proxy in status tables." }),
  listen: address("127.0.0.1:8765").meta({
    description:
      "The address on which the proxy listens. Addresses other than loopback require client_auth or allow_unauthenticated below.",
    restart: true,
  }),
  upstream_base_url: url("https://chatgpt.com/backend-api").meta({
    description: "The backend of the accounts.",
  }),
  child_proxy_urls: urls().meta({
    description:
      'Other codexlb proxies to send requests to, each with a key created there (codexlb key add --role parent NAME): ["http://:KEY@10.0.0.2:8765"].',
  }),
  outbound_proxy: text("")
    .superRefine((value, context) => {
      const problem = value === "" || value === NO_OUTBOUND_PROXY ? undefined : outboundProxyProblem(value);
      if (problem !== undefined) context.addIssue({ code: "custom", message: problem });
    })
    .meta({
      description:
        'HTTP proxy for connections to the backend, such as "http://user:password@proxy.example:3128". Empty: use HTTPS_PROXY or ALL_PROXY from the environment. "none": connect directly.',
    }),
  proxy_url: text("")
    .refine((value) => value === "" || isHttpUrl(value), { error: (issue) => notUrl(issue.input) })
    .meta({
      description: "The proxy that commands (run, status, account) use; empty: http://<listen>.",
    }),
  max_attempts: positive(3).meta({
    description:
      "How many accounts one request may try. Accounts that refuse it because of a limit or their login do not count.",
  }),
  usage_timeout_ms: milliseconds(30_000).meta({
    description: "Longest wait for a response of the usage and token endpoints, in milliseconds.",
  }),
  cooldown_default_seconds: seconds(5).meta({
    description: "How long an account cools down after a connection to the backend failed.",
  }),
  connect_timeout_seconds: seconds(10).meta({
    description:
      "Longest wait for a connection to the backend (over WebSocket: for the handshake). Codex itself gives up after 15.",
  }),
  head_timeout_seconds: seconds(120).meta({
    description:
      "Longest wait until the backend begins to respond to a turn; then another account gets the turn.",
  }),
  drain_timeout_seconds: seconds(30).meta({
    description:
      "How long requests in flight may continue when the proxy shuts down; a second signal ends them immediately.",
  }),
  idle_timeout_seconds: seconds(900).meta({
    description:
      "Longest silence within a response. Reasoning can be silent for minutes; Codex itself gives up after 300 seconds.",
  }),
  retry_budget_percent: share(25).meta({
    description: "Retries are limited to this percentage of the requests in flight ...",
  }),
  retry_budget_floor: positive(10).meta({ description: "... but this many retries are always allowed." }),
  client_auth: flag(false).meta({
    description:
      "Clients must send a key (codexlb key add NAME) or the credentials that codexlb run gives to Codex.",
  }),
  allow_unauthenticated: flag(false).meta({
    description: "Accept clients on other machines without credentials. Only for a network that is yours.",
  }),
  allowed_hosts: words([])
    .refine((list) => list.every((host) => /^[\w.:[\]-]+$/.test(host)), {
      error: 'must be names or addresses without a port, as ["proxy.lan"]',
    })
    .meta({
      description:
        "Additional host names by which clients reach this proxy; its own addresses are always allowed.",
    }),
  allowed_paths: words([])
    .refine((list) => list.every((path) => path === "*" || /^[\w.~-]+(?:\/[\w.~-]+)*$/.test(path)), {
      error: 'must be path segments without leading or trailing slashes, such as ["conversations"], or ["*"]',
    })
    .meta({
      description:
        'Additional backend paths that clients can reach with an account\'s login, by first segment, such as ["conversations"]. The paths that Codex uses are always allowed; ["*"] allows every path.',
    }),
};
const POLICY = {
  mode: z
    .string({ error: NO_TEXT })
    .transform((mode) => mode.trim() || "usage_balanced")
    .pipe(
      z.enum(POLICY_MODES, {
        error: (issue) =>
          `${JSON.stringify(issue.input)} is not a policy; allowed: ${POLICY_MODES.join(", ")}`,
      }),
    )
    .default("usage_balanced")
    .meta({
      description:
        "How new sessions are placed. usage_balanced: the account with the most quota left. sticky: one account until it cannot serve. round_robin: take turns. least_in_flight: the account with the fewest requests in flight. reset_aware: first the quota that would expire unused.",
    }),
  delta_percent: number()
    .transform((value) => (value < 0 ? 10 : value))
    .default(10)
    .meta({
      description:
        "usage_balanced changes the account only if another one is better by this many percentage points (reset_aware: percent).",
    }),
  affinity: flag(true).meta({
    description:
      "Keep a session on one account while that account can serve it, because its prompt cache is warm.",
  }),
  use_credits: flag(true).meta({
    description: "Spend credits once every account's ordinary quota is exhausted. false: never spend them.",
  }),
};
const WEIGHTS = {
  daily: weight(DEFAULT_WEIGHTS.daily).meta({
    description: "Weight of the short (5 hour) window in an account's score.",
  }),
  weekly: weight(DEFAULT_WEIGHTS.weekly).meta({ description: "Weight of longer windows (weekly, monthly)." }),
};
const QUOTA = {
  refresh_interval_minutes: positive(10).meta({
    description: "Fetch an account's quota figures if no response reported them for this many minutes ...",
  }),
  refresh_interval_messages: positive(10).meta({ description: "... or for this many of its turns." }),
  cache_ttl_minutes: positive(30).meta({ description: "Quota figures older than this count as unknown." }),
};
const COMMANDS = {
  login: words(["login"]).meta({ description: "Arguments with which codexlb account login starts codex." }),
  run: words([]).meta({
    description: "Arguments that codexlb run always gives to Codex, before those of the command line.",
  }),
};
const RUN = {
  inherit_shell: flag(true).meta({
    description:
      "Start Codex with the environment of a login shell ($SHELL -lc), so that your shell's profile applies.",
  }),
};

const NOT_A_TABLE = "must be a table";

/** config.toml as a whole. */
export const ConfigFile = z
  .object({
    proxy: z.object(PROXY, { error: NOT_A_TABLE }).prefault({}),
    policy: z
      .object(
        {
          ...POLICY,
          weights: z
            .object(WEIGHTS, { error: NOT_A_TABLE })
            .transform(({ daily, weekly }) => (daily + weekly === 0 ? DEFAULT_WEIGHTS : { daily, weekly }))
            .prefault({}),
        },
        { error: NOT_A_TABLE },
      )
      .prefault({}),
    quota: z.object(QUOTA, { error: NOT_A_TABLE }).prefault({}),
    commands: z.object(COMMANDS, { error: NOT_A_TABLE }).prefault({}),
    run: z.object(RUN, { error: NOT_A_TABLE }).prefault({}),
  })
  .readonly();

interface Field extends Setting {
  readonly schema: z.ZodType;
}

const fieldsOf = (table: string, shape: Readonly<Record<string, z.ZodType>>): Field[] =>
  Object.entries(shape).map(([name, schema]) => ({
    key: `${table}.${name}`,
    schema,
    description: schema.description ?? "",
    defaultValue: schema.parse(undefined),
    restart: schema.meta()?.restart === true,
  }));

const FIELDS: readonly Field[] = [
  ...fieldsOf("proxy", PROXY),
  ...fieldsOf("policy", POLICY),
  ...fieldsOf("policy.weights", WEIGHTS),
  ...fieldsOf("quota", QUOTA),
  ...fieldsOf("commands", COMMANDS),
  ...fieldsOf("run", RUN),
];

/** Every setting, in the order of the file. */
export const SETTINGS: readonly Setting[] = FIELDS;

/** The value of the setting `key`. */
export function settingOf(config: Config, key: string): unknown {
  return valueAt(config, key.split("."));
}

/** The value at `path` in nested tables; undefined when there is none. */
export function valueAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (inner, name) =>
      typeof inner === "object" && inner !== null && !Array.isArray(inner)
        ? (inner as Record<string, unknown>)[name]
        : undefined,
    value,
  );
}

// --- internal ---

function isHttpUrl(value: string): boolean {
  return /^https?:\/\//.test(value) && URL.canParse(value);
}

function notUrl(value: unknown): string {
  // It may hold a key.
  const shown = JSON.stringify(typeof value === "string" ? withoutPassword(value) : value);
  return `${shown} is not an http(s) URL`;
}

function withoutTrailingSlash(value: string): string {
  return value.replace(/\/+$/, "");
}
