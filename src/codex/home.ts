// The CODEX_HOME that `run` gives to Codex: stub credentials, and the settings of the user's own home.

import { homedir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { looksLikeStub, type StubAuth } from "../auth/stub.ts";
import { parseJson } from "../core/json.ts";
import type { Deps } from "../deps.ts";
import { CodexlbError, messageOf } from "../errors.ts";
import { makePrivateDirectory, readTextIfPresent, writeFileAtomic } from "../state/atomic-file.ts";
import { formatToml, parseToml, type TomlTable } from "../state/toml.ts";
import { quote } from "./command-line.ts";

export interface HomeOptions {
  /** The home to prepare. */
  readonly codexHome: string;
  /** It is the one that codexlb keeps in its root: settings in it are taken over, and nobody's own. Default false. */
  readonly isKept?: boolean;
  /** Homes whose config.toml may be taken over, best first; the first that has one is it. */
  readonly configSources: readonly string[];
  readonly stub: StubAuth;
  /** `chatgpt_base_url` to write. */
  readonly chatgptBaseUrl: string;
}

/**
 * Writes auth.json (the stub) and config.toml into `codexHome`. The settings come from the first source that has some;
 * what was changed in those of `codexHome` since they were taken over (by Codex, or by hand) holds on top of them.
 * Files that are right already are not touched. Throws `invalid_config` for TOML that cannot be read, and
 * `file_unusable` for a home that is somebody's own.
 */
export function prepareHome(options: HomeOptions): void {
  const { codexHome, configSources, stub, chatgptBaseUrl } = options;
  refuseForeign(codexHome, options.isKept ?? false);
  const target = join(codexHome, "config.toml");
  const path = configSources
    .map((home) => join(home, "config.toml"))
    .find((one) => one !== target && hasText(one));
  const source = path === undefined ? {} : readToml(path);
  const takenPath = join(codexHome, TAKEN_OVER);
  const existing = readToml(target);
  const merged = hasText(takenPath)
    ? changedAlike(source, withoutAddress(readToml(takenPath)), withoutAddress(existing))
    : { ...source, ...ownSettings(existing) };
  makePrivateDirectory(codexHome);
  writeIfDifferent(join(codexHome, "auth.json"), `${JSON.stringify(stub, undefined, 2)}\n`, sameButForTime);
  writeIfDifferent(target, formatToml({ ...merged, chatgpt_base_url: chatgptBaseUrl }), same);
  writeIfDifferent(takenPath, formatToml(source), same);
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

/** The settings as they were taken over, so that what was changed since is known. */
const TAKEN_OVER = ".codexlb-taken-over.toml";

/** What Codex writes into its config.toml itself while it runs: all that is kept of a home of which no more is known. */
const OWN_KEYS = [
  "model",
  "model_reasoning_effort",
  "check_for_update_on_startup",
  "notice",
  "projects",
] as const;

/** What decides where Codex sends its turns. */
const ROUTING_KEYS = ["model_provider", "model_providers", "profile", "profiles", "openai_base_url"] as const;

/** `codexlb run` makes its homes, and writes into no other: what is there would be lost. Throws `file_unusable`. */
function refuseForeign(codexHome: string, isKept: boolean): void {
  const auth = readTextIfPresent(join(codexHome, "auth.json"));
  const token = auth === undefined ? undefined : tokenIn(auth);
  const holdsLogin = token !== undefined && !looksLikeStub(token);
  const isOurs = isKept || token !== undefined || hasText(join(codexHome, TAKEN_OVER));
  if (!holdsLogin && (isOurs || !hasText(join(codexHome, "config.toml")))) return;
  const what = holdsLogin ? "a login" : "settings";
  throw new CodexlbError("file_unusable", `${codexHome} holds ${what} of its own, which run would replace`, {
    next: `leave it as it is, with: CODEX_HOME=${quote(codexHome)} codexlb run --native-home; ${
      holdsLogin
        ? `or enrol it, and take its auth.json away: codexlb account import --from ${quote(codexHome)} ALIAS`
        : "or have --codex-home name a directory that is empty, or not there yet"
    }`,
  });
}

/** The API key or access token in an auth.json; undefined when nobody could use it. */
function tokenIn(text: string): string | undefined {
  const { data } = AuthFile.safeParse(parseJson(text));
  return data?.OPENAI_API_KEY || data?.tokens?.access_token || undefined;
}

const AuthFile = z.object({
  OPENAI_API_KEY: z.string().nullish(),
  tokens: z.object({ access_token: z.string() }).nullish(),
});

function withoutAddress({ chatgpt_base_url: _, ...others }: TomlTable): TomlTable {
  return others;
}

/** `source`, with what differs between `before` and `after` changed in it, too. */
function changedAlike(source: TomlTable, before: TomlTable, after: TomlTable): TomlTable {
  const merged: TomlTable = { ...source };
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [was, is, now] = [before[key], after[key], source[key]];
    if (isDeepStrictEqual(was, is)) continue;
    if (is === undefined) delete merged[key];
    else merged[key] = isTable(is) && isTable(now) ? changedAlike(now, isTable(was) ? was : {}, is) : is;
  }
  return merged;
}

function isTable(value: unknown): value is TomlTable {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

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

const same = (a: string, b: string): boolean => a === b;

/** The time of issue alone is no reason to rewrite credentials that a running Codex may be reading. */
function sameButForTime(a: string, b: string): boolean {
  const timeless = (text: string) => text.replace(/"last_refresh": "[^"]*"/, "");
  return timeless(a) === timeless(b);
}
