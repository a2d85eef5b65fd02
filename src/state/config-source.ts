// Combines the settings of the file in ROOT, the environment and the flags. Later ones override earlier ones.

import { lstatSync, realpathSync } from "node:fs";
import { isLoopback, parseListen } from "../core/listen.ts";
import { fieldsOfOptions } from "../core/option-fields.ts";
import type { Deps } from "../deps.ts";
import { CodexlbError } from "../errors.ts";
import { withoutPassword } from "../network/outbound-proxy.ts";
import { makePrivateDirectory, writeFileAtomic } from "./atomic-file.ts";
import { type ParsedConfig, parseConfig, readConfigText } from "./config.ts";
import { newConfigText, withProxyName } from "./config-text.ts";
import type { Layout } from "./layout.ts";
import { maskedWebhook, WEBHOOK_KEY } from "./notify-settings.ts";
import { optionSettings } from "./option-settings.ts";
import { priceSettings, pricesFrom } from "./price-settings.ts";
import { withAbsolutePaths } from "./setting-path.ts";
import { cleanUrls } from "./setting-types.ts";
import { ACCOUNTS_TABLE, type Config, checkSetting, SETTINGS, settingOf } from "./settings.ts";

/** Settings from the command line of `codexlb proxy`. They apply to that process only. */
export interface ConfigOverrides {
  readonly listen?: string | undefined;
  readonly upstream?: string | undefined;
  readonly maxAttempts?: number | undefined;
  readonly usageTimeoutMs?: number | undefined;
  readonly cooldownDefaultSeconds?: number | undefined;
  readonly quotaRefreshMinutes?: number | undefined;
  readonly quotaRefreshMessages?: number | undefined;
  readonly quotaCacheTtlMinutes?: number | undefined;
}

/** The settings in effect, with their sources. */
export interface EffectiveConfig {
  readonly config: Config;
  /**
   * The source of each setting, by key: `default`, `config.toml line 4`, `CODEXLB_PROXY_NAME`, `--listen`. The options of
   * accounts (`optionKey`) have one only if the file sets them.
   */
  readonly sources: ReadonlyMap<string, string>;
}

/** One setting of a running or a future proxy, as `codexlb config show` prints it. */
export interface ShownSetting {
  readonly key: string;
  readonly value: unknown;
  readonly source: string;
}

/** The settings in the file of `layout`'s root; the defaults if there is no file. Writes nothing. Throws `invalid_config`. */
export function readConfigFile(layout: Layout): ParsedConfig {
  return parseConfig(readConfigText(layout.config) ?? "", layout.config);
}

/** The settings of `readConfigFile` without their lines and warnings. */
export function readConfig(layout: Layout): Config {
  return readConfigFile(layout).config;
}

/**
 * The text of config.toml for a proxy that starts. A missing file is created, with a comment for every setting. A file
 * without a name gets one, which is reported, and keeps every other byte. A blank file stays as it is, because an editor
 * may be saving it. Throws `file_unusable`, `invalid_config`.
 */
export function prepareConfigFile(layout: Layout, { random, log }: Pick<Deps, "random" | "log">): string {
  const newName = () => `proxy-${Buffer.from(random(4)).toString("hex")}`;
  const text = readConfigText(layout.config);
  if (text === undefined) {
    makePrivateDirectory(layout.root);
    const made = newConfigText(newName());
    writeFileAtomic(targetOf(layout.config), made);
    return made;
  }
  if (text.trim() === "") {
    log.warn(`${layout.config} is empty, so the default settings apply; the file is not changed`);
    return text;
  }
  if (parseConfig(text, layout.config).config.proxy.name !== "") return text;
  const named = withProxyName(text, newName());
  if (named === undefined || readConfigText(layout.config) !== text) return text;
  writeFileAtomic(targetOf(layout.config), named);
  log.info(nameNote(layout.config, parseConfig(named, layout.config).config.proxy.name));
  return named;
}

/** The report that a starting proxy has written its name into the user's config.toml at `path`. */
export function nameNote(path: string, name: string): string {
  return `wrote proxy.name = ${JSON.stringify(name)} into ${path}, because a proxy needs a name; you can change it`;
}

/**
 * The settings of `file`, overridden by the environment and the command line. Zeros and blank texts are ignored. Throws `usage` for an invalid flag and `invalid_config` for an invalid variable.
 */
export function effectiveConfig(
  file: ParsedConfig,
  flags: ConfigOverrides,
  env: Deps["env"],
): EffectiveConfig {
  const config = structuredClone(file.config) as Config;
  const sources = new Map([
    ...SETTINGS.map(({ key }): [string, string] => [key, "default"]),
    ...[...file.lines].map(([key, line]): [string, string] => [key, lineSource(line)]),
  ]);
  for (const { key, value, source, code } of overridesOf(file.config, flags, env)) {
    const checked = checkSetting(key, value);
    if (typeof checked === "string")
      throw new CodexlbError(code, `${source}: ${checked}`, { next: "correct it, or leave it out" });
    assign(config, key, checked.value);
    sources.set(key, source);
  }
  return { config, sources };
}

/** The source of a value in line `line` of config.toml. */
export function lineSource(line: number): string;
export function lineSource(line: number | undefined): string | undefined;
export function lineSource(line: number | undefined): string | undefined {
  return line === undefined ? undefined : `config.toml line ${line}`;
}

/**
 * Every setting with its value and its source, in the order of the file, and then the options of accounts and the prices
 * of models.
 */
export function shownSettings({ config, sources }: EffectiveConfig): ShownSetting[] {
  const sourceOf = (key: string) => sources.get(key) ?? "default";
  return [
    ...SETTINGS.map(({ key }) => ({ key, value: shownValue(config, key), source: sourceOf(key) })),
    ...[...optionSettings(config), ...priceSettings(config)].map(({ key, value }) => ({
      key,
      value,
      source: sourceOf(key),
    })),
  ];
}

/** The value of the setting `key` without keys, passwords and other secrets. */
export function shownValue(config: Config, key: string): unknown {
  const value = settingOf(config, key);
  if (key === ACCOUNTS_TABLE)
    return Object.fromEntries(
      Object.entries(config.accounts).map(([alias, options]) => [alias, fieldsOfOptions(options)]),
    );
  return key === WEBHOOK_KEY ? maskedWebhook(value) : withoutSecrets(value);
}

/** The settings from the result of `shownSettings`. Unknown ones are left out. */
export function configFrom(shown: readonly Pick<ShownSetting, "key" | "value">[]): Config {
  const { config } = parseConfig("", "");
  for (const { key, value } of shown) {
    const checked = SETTINGS.some((setting) => setting.key === key) ? checkSetting(key, value) : "unknown";
    if (typeof checked !== "string") assign(config, key, checked.value);
  }
  return { ...config, prices: pricesFrom(shown) };
}

/** A value that is safe to show, without keys and passwords in URLs (`http://:KEY@host`). */
export function withoutSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutSecrets);
  return typeof value === "string" ? withoutPassword(value) : value;
}

// --- internal ---

interface Override extends ShownSetting {
  /** The code of the error if the value is not valid. */
  readonly code: "usage" | "invalid_config";
}

function overridesOf(file: Config, flags: ConfigOverrides, env: Deps["env"]): Override[] {
  const variable = (key: string, source: string, value: unknown): Override => ({
    key,
    source,
    value,
    code: "invalid_config",
  });
  const flag = (key: string, source: string, value: unknown): Override => ({
    key,
    source,
    value,
    code: "usage",
  });
  const text = (make: typeof flag, key: string, source: string, value: string | undefined): Override[] =>
    value?.trim() ? [make(key, source, value)] : [];
  const number = (key: string, source: string, value: number | undefined): Override[] =>
    value !== undefined && value !== 0 ? [flag(key, source, value)] : [];
  const { CODEXLB_CLUSTER_KEY_FILE: keyFile } = withAbsolutePaths(env);
  const children = cleanUrls((env.CODEXLB_CHILD_PROXY_URLS ?? "").split(/[\s,]+/));
  return [
    ...text(variable, "proxy.name", "CODEXLB_PROXY_NAME", env.CODEXLB_PROXY_NAME),
    ...text(variable, "proxy.proxy_url", "CODEXLB_PROXY_URL", env.CODEXLB_PROXY_URL),
    ...(children.length === 0
      ? []
      : [variable("proxy.child_proxy_urls", "CODEXLB_CHILD_PROXY_URLS", children)]),
    ...(env.CODEXLB_ALLOW_UNAUTHENTICATED === "1"
      ? [variable("proxy.allow_unauthenticated", "CODEXLB_ALLOW_UNAUTHENTICATED", true)]
      : []),
    ...text(variable, "proxy.upstream_base_url", "CODEXLB_UPSTREAM", env.CODEXLB_UPSTREAM),
    ...text(variable, "cluster.url", "CODEXLB_CLUSTER_URL", env.CODEXLB_CLUSTER_URL),
    ...text(variable, "cluster.key_file", "CODEXLB_CLUSTER_KEY_FILE", keyFile),
    // A published port of a container does not reach the container's loopback address, and the file may be one that
    // the host uses too, where a loopback address is right.
    ...(isLoopback(parseListen(file.proxy.listen)?.host ?? "")
      ? text(variable, "proxy.listen", "CODEXLB_CONTAINER_LISTEN", env.CODEXLB_CONTAINER_LISTEN)
      : []),
    ...text(flag, "proxy.listen", "--listen", flags.listen),
    ...text(flag, "proxy.upstream_base_url", "--upstream", flags.upstream),
    ...number("proxy.max_attempts", "--max-attempts", flags.maxAttempts),
    ...number("proxy.usage_timeout_ms", "--usage-timeout-ms", flags.usageTimeoutMs),
    ...number("proxy.cooldown_default_seconds", "--cooldown-default-seconds", flags.cooldownDefaultSeconds),
    ...number("quota.refresh_interval_minutes", "--quota-refresh-minutes", flags.quotaRefreshMinutes),
    ...number("quota.refresh_interval_messages", "--quota-refresh-messages", flags.quotaRefreshMessages),
    ...number("quota.cache_ttl_minutes", "--quota-cache-ttl-minutes", flags.quotaCacheTtlMinutes),
  ];
}

/** Sets the known setting `key` of `config` to `value`, which was checked. */
function assign(config: Config, key: string, value: unknown): void {
  const names = key.split(".");
  const last = names.pop() ?? "";
  const table = names.reduce(
    (inner, name) => inner[name] as Record<string, unknown>,
    config as Record<string, unknown>,
  );
  table[last] = value;
}

/** The file to write for `path`. If `path` is a link, that is its target, so that it stays a link. */
function targetOf(path: string): string {
  if (!lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()) return path;
  try {
    return realpathSync(path);
  } catch (error) {
    throw new CodexlbError("file_unusable", `${path} is a link to a missing file`, {
      next: "create the file, or remove the link",
      cause: error,
    });
  }
}
