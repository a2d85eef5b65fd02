// The CODEX_HOME that `run` gives to Codex: stub credentials, and the settings of the user's own home.

import { homedir } from "node:os";
import { join } from "node:path";
import type { StubAuth } from "../auth/stub.ts";
import type { Deps } from "../deps.ts";
import { CodexlbError, messageOf } from "../errors.ts";
import { makePrivateDirectory, readTextIfPresent, writeFileAtomic } from "../state/atomic-file.ts";
import { formatToml, parseToml, type TomlTable } from "../state/toml.ts";

export interface HomeOptions {
  /** The home to prepare. */
  readonly codexHome: string;
  /** Homes whose config.toml may be taken over, best first; the first that has one is it. */
  readonly configSources: readonly string[];
  readonly stub: StubAuth;
  /** `chatgpt_base_url` to write. */
  readonly chatgptBaseUrl: string;
}

/**
 * Writes auth.json (the stub) and config.toml into `codexHome`. What Codex itself keeps in an existing config.toml
 * there (model, trusted projects, notices) survives and wins; the rest comes from the first source that has one.
 * Files that are right already are not touched. Throws `invalid_config` for TOML that cannot be read.
 */
export function prepareHome({ codexHome, configSources, stub, chatgptBaseUrl }: HomeOptions): void {
  makePrivateDirectory(codexHome);
  writeIfDifferent(join(codexHome, "auth.json"), `${JSON.stringify(stub, undefined, 2)}\n`, sameButForTime);
  const target = join(codexHome, "config.toml");
  const source = configSources
    .map((home) => join(home, "config.toml"))
    .find((path) => path !== target && hasText(path));
  const merged = {
    ...(source === undefined ? {} : readToml(source)),
    ...ownSettings(readToml(target)),
    chatgpt_base_url: chatgptBaseUrl,
  };
  writeIfDifferent(target, formatToml(merged), (a, b) => a === b);
}

/**
 * The text of a config.toml that has only what decides where turns go, from the first of `configSources` that has
 * one: enough to try that without starting anything else that the user has set up.
 */
export function routingSettings(configSources: readonly string[], chatgptBaseUrl: string): string {
  const source = configSources.map((home) => join(home, "config.toml")).find(hasText);
  const settings = source === undefined ? {} : readToml(source);
  const routing = Object.fromEntries(
    ROUTING_KEYS.flatMap((key) => (key in settings ? [[key, settings[key]]] : [])),
  );
  return formatToml({ ...routing, chatgpt_base_url: chatgptBaseUrl } as TomlTable);
}

/** The settings in `home`/config.toml; undefined when there are none that can be read. */
export function settingsIn(home: string): TomlTable | undefined {
  try {
    return readToml(join(home, "config.toml"));
  } catch {
    return undefined;
  }
}

/** Where the user's own Codex lives: `$CODEX_HOME`, then `~/.codex`. */
export function userHomes(env: Deps["env"]): string[] {
  const named = env.CODEX_HOME?.trim();
  const standard = join(env.HOME || homedir(), ".codex");
  return named === undefined || named === "" ? [standard] : [named, standard];
}

// --- internal ---

/** What Codex writes into its config.toml itself while it runs. */
const OWN_KEYS = [
  "model",
  "model_reasoning_effort",
  "check_for_update_on_startup",
  "notice",
  "projects",
] as const;

/** What decides where Codex sends its turns. */
const ROUTING_KEYS = ["model_provider", "model_providers", "profile", "profiles", "openai_base_url"] as const;

function hasText(path: string): boolean {
  return readTextIfPresent(path) !== undefined;
}

function ownSettings(existing: TomlTable): TomlTable {
  const kept: TomlTable = {};
  for (const key of OWN_KEYS) {
    const value = existing[key];
    if (value !== undefined) kept[key] = value;
  }
  return kept;
}

function readToml(path: string): TomlTable {
  const text = readTextIfPresent(path);
  if (text === undefined) return {};
  try {
    return parseToml(text);
  } catch (error) {
    throw new CodexlbError("invalid_config", `reading ${path}: ${messageOf(error)}`, {
      next: "correct the file and try again",
    });
  }
}

function writeIfDifferent(path: string, text: string, same: (a: string, b: string) => boolean): void {
  const before = readTextIfPresent(path);
  if (before === undefined || !same(before, text)) writeFileAtomic(path, text);
}

/** The time of issue alone is no reason to rewrite credentials that a running Codex may be reading. */
function sameButForTime(a: string, b: string): boolean {
  const timeless = (text: string) => text.replace(/"last_refresh": "[^"]*"/, "");
  return timeless(a) === timeless(b);
}
