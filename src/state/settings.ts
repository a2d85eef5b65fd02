// The table of settings: names, types, defaults and descriptions.

import { z } from "zod";
import { advised } from "../advice.ts";
import { objectOf } from "../core/json.ts";
import { isLoopback, parseListen } from "../core/listen.ts";
import { waitBoundOf } from "../core/wait-bound.ts";
import { NO_OUTBOUND_PROXY, outboundProxyProblem } from "../network/outbound-proxy.ts";
import { accountOptions } from "./account-settings.ts";
import { ANCHOR } from "./anchor-settings.ts";
import { AUTO_REDEEM } from "./auto-redeem-settings.ts";
import { CLUSTER } from "./cluster-settings.ts";
import { NOTIFY } from "./notify-settings.ts";
import { DEFAULT_WEIGHTS, POLICY, WEIGHTS } from "./policy-settings.ts";
import {
  address,
  flag,
  isHttpUrl,
  milliseconds,
  notUrl,
  positive,
  price,
  seconds,
  share,
  text,
  url,
  urls,
  words,
} from "./setting-types.ts";

/** The settings in effect, normalized. */
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

/** Checks `value` as a value of the setting `key` in the file. Returns it normalized, or the problem as text. */
export function checkSetting(key: string, value: unknown): { readonly value: unknown } | string {
  const field = FIELDS.find((candidate) => candidate.key === key);
  if (field === undefined) throw new Error(`there is no setting ${key}`);
  const parsed = field.schema.safeParse(value);
  return parsed.success ? { value: parsed.data } : (parsed.error.issues[0]?.message ?? "is not valid");
}

/**
 * Why the settings would expose the accounts to other machines; undefined if they do not. Every client that reaches the
 * port can spend the accounts' quota, so the port must be local unless clients authenticate or the user allows it.
 */
export function exposureProblem({ proxy }: Config): string | undefined {
  const host = parseListen(proxy.listen)?.host ?? "";
  if (isLoopback(host) || proxy.allow_unauthenticated || proxy.client_auth) return undefined;
  return `listening on ${proxy.listen} would let every machine that reaches it use your accounts`;
}

/** The next step for an `exposureProblem`. */
export function exposureNext(): string {
  return `listen on 127.0.0.1; or set proxy.client_auth = true in config.toml and give clients keys (${advised("key add", "NAME")}); or set proxy.allow_unauthenticated = true if you trust every machine on the network`;
}

// The order here is the order in the file. `meta` has the description for the file and the documentation.
const PROXY = {
  name: text("")
    .refine((value) => !/\p{Cc}/u.test(value), { error: "must be one line, without control characters" })
    .meta({ description: "The name of this proxy in status tables, and for --proxy-name." }),
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
  drain_delay_seconds: seconds(0).meta({
    description:
      "How long a proxy that shuts down still accepts requests, while GET /readyz returns 503, so that a load balancer stops sending them; 0: not at all.",
  }),
  drain_timeout_seconds: seconds(30).meta({
    description:
      "How long requests in flight may continue when the proxy shuts down; a second signal ends them immediately.",
  }),
  wait_for_reset: text("off")
    .refine((value) => waitBoundOf(value) !== undefined, {
      error: (issue) =>
        `${JSON.stringify(issue.input)} must be "off", or a duration greater than 0 and at most 7d; write it as "6h" or "45m"`,
    })
    .meta({
      description:
        'How long a turn may wait for a reset if every account is exhausted, such as "6h", at most a week. "off": Codex shows its usage-limit error immediately.',
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
      error: 'must be names or addresses without a port, such as ["proxy.lan"]',
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
const QUOTA = {
  refresh_interval_minutes: positive(10).meta({
    description: "Fetch an account's quota figures if no response reported them for this many minutes ...",
  }),
  refresh_interval_messages: positive(10).meta({ description: "... or for this many of its turns." }),
  cache_ttl_minutes: positive(30).meta({ description: "Quota figures older than this count as unknown." }),
};
const DASHBOARD = {
  enabled: flag(true).meta({
    description: "Serve the dashboard, which codexlb dashboard opens.",
  }),
  remote: flag(false).meta({
    description:
      "Serve the dashboard also if proxy.listen is an address that other machines reach. Use it over TLS or a VPN.",
  }),
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

const USAGE = {
  enabled: flag(true).meta({
    description:
      "Record what each turn used in ROOT/usage.db, for codexlb usage. Never the content of a turn.",
  }),
  keep_days: positive(90, 3_650).meta({
    description: "How many days individual turns are kept. The sums of each day are kept forever.",
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
          auto_redeem: z.object(AUTO_REDEEM, { error: NOT_A_TABLE }).prefault({}),
        },
        { error: NOT_A_TABLE },
      )
      .prefault({}),
    quota: z.object(QUOTA, { error: NOT_A_TABLE }).prefault({}),
    anchor: z.object(ANCHOR, { error: NOT_A_TABLE }).prefault({}),
    dashboard: z.object(DASHBOARD, { error: NOT_A_TABLE }).prefault({}),
    commands: z.object(COMMANDS, { error: NOT_A_TABLE }).prefault({}),
    run: z.object(RUN, { error: NOT_A_TABLE }).prefault({}),
    notify: z.object(NOTIFY, { error: NOT_A_TABLE }).prefault({}),
    usage: z.object(USAGE, { error: NOT_A_TABLE }).prefault({}),
    cluster: z.object(CLUSTER, { error: NOT_A_TABLE }).prefault({}),
    prices: z.record(z.string(), price(), { error: NOT_A_TABLE }).prefault({}),
    accounts: z
      .record(z.string(), accountOptions(), { error: NOT_A_TABLE })
      .transform((accounts) =>
        Object.fromEntries(Object.entries(accounts).map(([alias, set]) => [alias.toLowerCase(), set])),
      )
      .prefault({}),
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
  ...fieldsOf("policy.auto_redeem", AUTO_REDEEM),
  ...fieldsOf("quota", QUOTA),
  ...fieldsOf("anchor", ANCHOR),
  ...fieldsOf("dashboard", DASHBOARD),
  ...fieldsOf("commands", COMMANDS),
  ...fieldsOf("run", RUN),
  ...fieldsOf("notify", NOTIFY),
  ...fieldsOf("usage", USAGE),
  ...fieldsOf("cluster", CLUSTER),
];

/**
 * Every setting, in the order of the file. The tables in `FREE_TABLES` have names of the user's choice, and are not among
 * them.
 */
export const SETTINGS: readonly Setting[] = FIELDS;

/** The table with the user's prices of models: `[prices."MODEL"]`. */
export const PRICES_TABLE = "prices";

/** The table with the options of accounts: `[accounts.ALIAS]`. */
export const ACCOUNTS_TABLE = "accounts";

/** The tables whose tables the user names. */
export const FREE_TABLES = [PRICES_TABLE, ACCOUNTS_TABLE] as const;

/** The value of the setting `key`. */
export function settingOf(config: Config, key: string): unknown {
  return valueAt(config, key.split("."));
}

/** The value at `path` in nested tables; undefined if there is none. */
export function valueAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((inner, name) => objectOf(inner)?.[name], value);
}
