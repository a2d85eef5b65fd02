// Reloads the settings while the proxy runs. The file is read every second. A complete and valid file takes effect;
// otherwise the last valid settings stay in effect. Nothing is ever written.

import { isDeepStrictEqual } from "node:util";
import type { Deps } from "../deps.ts";
import { CodexlbError, messageOf } from "../errors.ts";
import { environmentProblem } from "../network/outbound-proxy.ts";
import { type ParsedConfig, parseConfig, readConfigText } from "./config.ts";
import { type ConfigOverrides, type EffectiveConfig, effectiveConfig } from "./config-source.ts";
import { type Config, exposureNext, exposureProblem, FREE_TABLES, SETTINGS, settingOf } from "./settings.ts";

export interface LiveConfig {
  /** The settings in effect. */
  current(): Config;
  effective(): EffectiveConfig;
  /** The file's own settings, without flags and environment. */
  file(): Config;
  /** Starts reading the file every second. */
  start(listeners: ConfigListeners): void;
  /** Reads the file now. Returns false if it is unchanged. */
  look(): boolean;
  stop(): void;
}

export interface LiveConfigOptions {
  readonly deps: Pick<Deps, "clock" | "env" | "log">;
  readonly path: string;
  /** The text of the file at the start. */
  readonly text: string;
  readonly flags: ConfigOverrides;
  /** The proxy's name while the settings have none. */
  readonly fallbackName: string;
}

export interface ConfigListeners {
  /** Called after changed settings took effect. */
  readonly changed: (change: ConfigChange) => void;
  /** Called if the file is not usable, once for each new reason. */
  readonly failed: (error: string) => void;
  /** Called when the file has the text again that it had before it became unusable. */
  readonly mended: () => void;
}

export interface ConfigChange {
  readonly before: Config;
  readonly after: Config;
  /** Keys whose new value is in effect. */
  readonly keys: readonly string[];
  /** Keys whose new value takes effect after a restart. */
  readonly restart: readonly string[];
}

/** The same interval as in the Go program. */
export const WATCH_INTERVAL_MS = 1_000;
/** A changed file is read again after this time, so that a file that is still being written does not take effect. */
const SETTLE_MS = 50;

/** Reads the settings in `options.text`. Throws `invalid_config`, `usage`. */
export function createLiveConfig(options: LiveConfigOptions): LiveConfig {
  const { clock, log } = options.deps;
  const warned = new Set<string>();
  let cancel: (() => void) | undefined;
  let problem: string | undefined;
  let taken = options.text;
  let now = read(options, taken);

  const warn = (): void => {
    const remarks = [...now.parsed.unknown, ...now.parsed.ignored];
    for (const remark of remarks) if (!warned.has(remark)) log.warn(`${options.path}: ${remark}`);
    for (const remark of remarks) warned.add(remark);
  };
  warn();

  let listeners: ConfigListeners | undefined;

  const failed = (why: string): void => {
    if (why !== problem) listeners?.failed(why);
    problem = why;
  };

  const take = (text: string): void => {
    const before = now.effective.config;
    let next: Settings;
    let after: Config;
    try {
      next = read(options, text);
      after = untilRestart(next.effective.config, before);
      requireUsable(after, options.deps.env);
    } catch (error) {
      failed(messageOf(error));
      return;
    }
    problem = undefined;
    taken = text;
    const wanted = next.effective.config;
    const restart = differing(wanted, after);
    const sources = new Map(next.effective.sources);
    for (const key of restart)
      sources.set(key, `the start of the proxy; ${sources.get(key)} needs a restart`);
    now = { ...next, effective: { config: after, sources } };
    warn();
    listeners?.changed({ before, after, keys: differing(before, after), restart });
  };

  const look = (): boolean => {
    cancel?.();
    cancel = clock.after(WATCH_INTERVAL_MS, look);
    const text = readOr(options.path, failed);
    if (text === taken) {
      if (problem !== undefined) listeners?.mended();
      problem = undefined;
      return false;
    }
    if (text === undefined) return true;
    if (text.trim() === "") {
      failed(`${options.path} is empty`);
      return true;
    }
    cancel();
    cancel = clock.after(SETTLE_MS, () => {
      if (readOr(options.path, failed) === text) take(text);
      cancel = clock.after(WATCH_INTERVAL_MS, look);
    });
    return true;
  };

  return {
    current: () => now.effective.config,
    effective: () => now.effective,
    file: () => now.parsed.config,
    start: (given) => {
      listeners = given;
      cancel = clock.after(WATCH_INTERVAL_MS, look);
    },
    look,
    stop: () => cancel?.(),
  };
}

/** Throws `invalid_config` if a proxy cannot run with these settings in this environment. */
export function requireUsable(config: Config, env: Deps["env"]): void {
  const exposure = exposureProblem(config);
  if (exposure !== undefined) throw new CodexlbError("invalid_config", exposure, { next: exposureNext() });
  const { outbound_proxy, upstream_base_url } = config.proxy;
  const problem = outbound_proxy === "" ? environmentProblem(upstream_base_url, env) : undefined;
  if (problem !== undefined) throw new CodexlbError("invalid_config", problem, { next: OUTBOUND_NEXT });
}

// --- internal ---

interface Settings {
  readonly parsed: ParsedConfig;
  readonly effective: EffectiveConfig;
}

function read({ deps, path, flags, fallbackName }: LiveConfigOptions, text: string): Settings {
  const parsed = parseConfig(text, path);
  const effective = effectiveConfig(parsed, flags, deps.env);
  const { proxy } = effective.config;
  const config = { ...effective.config, proxy: { ...proxy, name: proxy.name || fallbackName } };
  requireUsable(config, deps.env);
  return { parsed, effective: { ...effective, config } };
}

const OUTBOUND_NEXT =
  'set proxy.outbound_proxy in config.toml to an HTTP proxy, or to "none" to connect directly';

/** `wanted` with the settings of `running` that change only at a restart. */
function untilRestart(wanted: Config, { proxy: { listen }, cluster }: Config): Config {
  return { ...wanted, proxy: { ...wanted.proxy, listen }, cluster };
}

function differing(a: Config, b: Config): string[] {
  return [...SETTINGS.map(({ key }) => key), ...FREE_TABLES].filter(
    (key) => !isDeepStrictEqual(settingOf(a, key), settingOf(b, key)),
  );
}

/** The text of the file. If it cannot be read, calls `failed` with the reason. */
function readOr(path: string, failed: (why: string) => void): string | undefined {
  try {
    const text = readConfigText(path);
    if (text === undefined) failed(`${path} does not exist`);
    return text;
  } catch (error) {
    failed(messageOf(error));
    return undefined;
  }
}
