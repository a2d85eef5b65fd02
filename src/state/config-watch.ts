// Settings that change while the proxy runs. The file is looked at every second; what is whole and valid is taken
// over, anything else leaves the last good settings as they are. Nothing is ever written.

import { isDeepStrictEqual } from "node:util";
import type { Deps } from "../deps.ts";
import { CodexlbError, messageOf } from "../errors.ts";
import { environmentProblem } from "../network/outbound-proxy.ts";
import { type ParsedConfig, parseConfig, readConfigText } from "./config.ts";
import { type ConfigOverrides, type EffectiveConfig, effectiveConfig } from "./config-source.ts";
import { type Config, EXPOSURE_NEXT, exposureProblem, SETTINGS, settingOf } from "./settings.ts";

export interface LiveConfig {
  /** The settings that hold now. */
  current(): Config;
  effective(): EffectiveConfig;
  /** The file's own settings, without flags and environment. */
  file(): Config;
  /** Starts looking at the file. */
  start(listeners: ConfigListeners): void;
  /** Looks now; false: the file is as it was. */
  look(): boolean;
  stop(): void;
}

export interface LiveConfigOptions {
  readonly deps: Pick<Deps, "clock" | "env" | "log">;
  readonly path: string;
  /** The text that the first settings are read from: later ones are compared with it. */
  readonly text: string;
  readonly flags: ConfigOverrides;
  /** The proxy's name as long as the settings give none. */
  readonly fallbackName: string;
}

export interface ConfigListeners {
  /** Told after other settings were taken over: which ones changed, and which of them only a restart brings. */
  readonly changed: (change: ConfigChange) => void;
  /** Told once for every different reason why the file is not taken over. */
  readonly failed: (error: string) => void;
  /** Told when the file is again what it was before it failed. */
  readonly mended: () => void;
}

export interface ConfigChange {
  readonly before: Config;
  readonly after: Config;
  /** Keys whose value differs and holds from now on. */
  readonly keys: readonly string[];
  /** Keys whose value differs in the file and holds after a restart. */
  readonly restart: readonly string[];
}

/** As the Go program. */
export const WATCH_INTERVAL_MS = 1_000;
/** A changed file is read once more after this time: one that is still being written is not taken over. */
const SETTLE_MS = 50;

/** Reads the first settings. Throws `invalid_config`, `usage`. */
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
      // What only a restart brings stays as it is; the file already has the new value.
      after = withListen(next.effective.config, before.proxy.listen);
      check(after, options.deps.env);
    } catch (error) {
      failed(messageOf(error));
      return;
    }
    problem = undefined;
    taken = text;
    const wanted = next.effective.config;
    const restart = differing(wanted, after);
    const sources = new Map(next.effective.sources);
    for (const key of restart) sources.set(key, `the start; ${sources.get(key)} needs a restart`);
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
    start: (told) => {
      listeners = told;
      cancel = clock.after(WATCH_INTERVAL_MS, look);
    },
    look,
    stop: () => cancel?.(),
  };
}

// --- internal ---

interface Settings {
  readonly parsed: ParsedConfig;
  readonly effective: EffectiveConfig;
}

function read({ deps, path, flags, fallbackName }: LiveConfigOptions, text: string): Settings {
  const parsed = parseConfig(text, path);
  const told = effectiveConfig(parsed, flags, deps.env);
  const { proxy } = told.config;
  const config = { ...told.config, proxy: { ...proxy, name: proxy.name || fallbackName } };
  check(config, deps.env);
  return { parsed, effective: { ...told, config } };
}

/** Throws `invalid_config` if the proxy cannot run with these settings in this environment. */
function check(config: Config, env: Deps["env"]): void {
  const exposure = exposureProblem(config);
  if (exposure !== undefined) throw new CodexlbError("invalid_config", exposure, { next: EXPOSURE_NEXT });
  const { outbound_proxy, upstream_base_url } = config.proxy;
  const problem = outbound_proxy === "" ? environmentProblem(upstream_base_url, env) : undefined;
  if (problem !== undefined) throw new CodexlbError("invalid_config", problem, { next: OUTBOUND_NEXT });
}

const OUTBOUND_NEXT =
  'set proxy.outbound_proxy in config.toml to an HTTP proxy, or to "none" to connect directly';

function withListen(config: Config, listen: string): Config {
  return { ...config, proxy: { ...config.proxy, listen } };
}

function differing(a: Config, b: Config): string[] {
  return SETTINGS.map(({ key }) => key).filter(
    (key) => !isDeepStrictEqual(settingOf(a, key), settingOf(b, key)),
  );
}

/** The text of the file; when there is none `failed` is told why. */
function readOr(path: string, failed: (why: string) => void): string | undefined {
  try {
    const text = readConfigText(path);
    if (text === undefined) failed(`${path} is gone`);
    return text;
  } catch (error) {
    failed(messageOf(error));
    return undefined;
  }
}
