// The settings: their type, their defaults, and reading them from TOML text with errors that name the key.

import TOML from "@iarna/toml";
import { z } from "zod";
import { POLICY_MODES } from "../core/policy.ts";
import { CodexlbError, messageOf } from "../errors.ts";

/** The effective settings, normalised. */
export type Config = z.output<typeof ConfigFile>;

/** Reads `text` (the content of `path`, which only names it in errors). Throws `invalid_config`. */
export function parseConfig(text: string, path: string): Config {
  let raw: unknown;
  try {
    raw = TOML.parse(text);
  } catch (error) {
    throw invalid(path, `is not valid TOML: ${messageOf(error).split("\n")[0]}`);
  }
  const parsed = ConfigFile.safeParse(raw);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(
    (issue) => `${issue.path.join(".") || "(top level)"}: ${issue.message}`,
  );
  throw invalid(path, problems.join("; "));
}

/** Splits and cleans a list of child proxy URLs as it comes from the environment or a file. */
export function cleanUrls(urls: readonly string[]): string[] {
  return [...new Set(urls.map((url) => withoutTrailingSlash(url.trim())).filter((url) => url !== ""))];
}

/** The text of a new config.toml: every key with its default and what it means. */
export function newConfigText(name: string): string {
  return `# codexlb settings. Every key is optional; what stands here are the defaults.
# A running proxy reads this file when it starts.

[proxy]
# How this proxy calls itself in status tables.
name = ${JSON.stringify(name)}
# Where clients connect. Anything but loopback needs allow_unauthenticated below.
listen = "127.0.0.1:8765"
# The backend that the accounts belong to.
upstream_base_url = "https://chatgpt.com/backend-api"
# Other codexlb proxies to send requests to.
child_proxy_urls = []
# Where commands (run, status) find the proxy; empty means http://<listen>.
proxy_url = ""
# How many accounts one request may try.
max_attempts = 3
# Longest wait for the usage and token endpoints.
usage_timeout_ms = 30000
# How long an account rests after a connection to the backend failed.
cooldown_default_seconds = 5
# Accept clients from other machines without credentials. Only for a network that is yours.
allow_unauthenticated = false
# Further host names that clients use for this proxy; its own addresses are always allowed.
allowed_hosts = []

[policy]
# usage_balanced: the account with the most left. sticky: stay until it cannot serve. round_robin: take turns.
mode = "usage_balanced"
# usage_balanced moves only to an account that is better by this many percent points.
delta_percent = 10
# Requests of one session stay on one account while it can serve them (keeps the prompt cache warm).
affinity = true

[policy.weights]
# What the short (5 hour) and the long (weekly) window count in an account's score.
daily = 60
weekly = 40

[quota]
# Figures are asked for again after this many minutes or messages; older than the TTL they count as unknown.
refresh_interval_minutes = 10
refresh_interval_messages = 10
cache_ttl_minutes = 30

[commands]
# Arguments with which codex logs an account in, and arguments put before those of \`codexlb run\`.
login = ["login"]
run = []

[run]
# Run codex through $SHELL -lc, so that your shell's profile applies.
inherit_shell = true
`;
}

// --- internal ---

const text = (fallback: string) =>
  z
    .string()
    .transform((value) => value.trim() || fallback)
    .default(fallback);
const url = (fallback: string) =>
  z
    .string()
    .transform((value) => withoutTrailingSlash(value.trim()) || fallback)
    .default(fallback);
/** As in the Go program, zero and less mean the default. */
const positive = (fallback: number) =>
  z
    .number()
    .int()
    .transform((value) => (value > 0 ? value : fallback))
    .default(fallback);
const weight = (fallback: number) =>
  z
    .number()
    .transform((value) => Math.max(0, value))
    .default(fallback);
const words = (fallback: string[]) =>
  z
    .array(z.string())
    .transform((list) => {
      const kept = list.map((word) => word.trim()).filter((word) => word !== "");
      return kept.length === 0 ? fallback : kept;
    })
    .default(fallback);

const DEFAULT_WEIGHTS = { daily: 60, weekly: 40 };

const Weights = z
  .looseObject({ daily: weight(DEFAULT_WEIGHTS.daily), weekly: weight(DEFAULT_WEIGHTS.weekly) })
  .transform(({ daily, weekly }) => (daily + weekly === 0 ? DEFAULT_WEIGHTS : { daily, weekly }));

const ConfigFile = z.looseObject({
  proxy: z
    .looseObject({
      name: text(""),
      listen: text("127.0.0.1:8765"),
      upstream_base_url: url("https://chatgpt.com/backend-api"),
      child_proxy_urls: z.array(z.string()).transform(cleanUrls).default([]),
      proxy_url: z
        .string()
        .transform((value) => value.trim())
        .optional(),
      max_attempts: positive(3),
      usage_timeout_ms: positive(30_000),
      cooldown_default_seconds: positive(5),
      allow_unauthenticated: z.boolean().default(false),
      allowed_hosts: z.array(z.string()).default([]),
    })
    .prefault({}),
  policy: z
    .looseObject({
      mode: z
        .string()
        .transform((mode) => mode.trim())
        .pipe(
          z.enum(POLICY_MODES, {
            error: (issue) =>
              `${JSON.stringify(issue.input)} is not a policy; allowed: ${POLICY_MODES.join(", ")}`,
          }),
        )
        .default("usage_balanced"),
      delta_percent: z
        .number()
        .transform((value) => (value < 0 ? 10 : value))
        .default(10),
      affinity: z.boolean().default(true),
      weights: Weights.prefault({}),
    })
    .prefault({}),
  quota: z
    .looseObject({
      refresh_interval_minutes: positive(10),
      refresh_interval_messages: positive(10),
      cache_ttl_minutes: positive(30),
    })
    .prefault({}),
  commands: z.looseObject({ login: words(["login"]), run: words([]) }).prefault({}),
  run: z
    .looseObject({
      inherit_shell: z.boolean().default(true),
      /** Where the key stood before it became proxy.proxy_url. */
      proxy_url: z.string().optional(),
    })
    .prefault({}),
});

function withoutTrailingSlash(value: string): string {
  return value.replace(/\/+$/, "");
}

function invalid(path: string, why: string): CodexlbError {
  return new CodexlbError("invalid_config", `reading ${path}: ${why}`, {
    next: "correct the file and try again",
  });
}
