// The CODEX_HOME that `run` gives to Codex: stub credentials, and the settings of the user's own home.

import { existsSync, lstatSync, symlinkSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { z } from "zod";
import { looksLikeStub, type StubAuth } from "../auth/stub.ts";
import { parseJson } from "../core/json.ts";
import type { Deps } from "../deps.ts";
import { CodexlbError } from "../errors.ts";
import { makePrivateDirectory, readTextIfPresent, unusable } from "../state/atomic-file.ts";
import { formatToml, type TomlTable } from "../state/toml.ts";
import { quote } from "./command-line.ts";
import { planTakeOver, readToml, TAKEN_OVER, writeIfDifferent } from "./take-over.ts";

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
 * Writes auth.json (the stub), config.toml and the files of profiles into `codexHome`, with the settings of
 * `configSources` (see `planTakeOver`), and links the user's themes. Unchanged files are not rewritten.
 * Returns newly left out settings as `KEY in PATH`. Throws `invalid_config` for invalid TOML, and `file_unusable` for a
 * home with its own login or settings.
 */
export function prepareHome(options: HomeOptions): string[] {
  const { codexHome, stub, chatgptBaseUrl } = options;
  refuseForeign(codexHome, options.isKept ?? false);
  const sources = options.configSources.filter((home) => resolve(home) !== resolve(codexHome));
  const takeOver = planTakeOver(sources, codexHome, chatgptBaseUrl);
  makePrivateDirectory(codexHome);
  writeIfDifferent(join(codexHome, "auth.json"), `${JSON.stringify(stub, undefined, 2)}\n`, sameButForTime);
  linkThemes(sources, codexHome);
  return takeOver();
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

/** The setting that makes `home` keep its login in the system keyring; undefined if the login is in auth.json. */
export function keyringOf(home: string): "keyring" | "auto" | undefined {
  const store = settingsIn(home)?.cli_auth_credentials_store;
  return store === "keyring" || store === "auto" ? store : undefined;
}

/** Where the user's own Codex lives: `$CODEX_HOME`, then `~/.codex`. */
export function userHomes(env: Deps["env"]): string[] {
  const named = env.CODEX_HOME?.trim();
  const standard = join(env.HOME || homedir(), ".codex");
  return named === undefined || named === "" ? [standard] : [named, standard];
}

// --- internal ---

/** The directory of the theme files for `tui.theme`. */
const THEMES = "themes";

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

/** Links the user's themes for `tui.theme`. An existing directory stays. */
function linkThemes(sources: readonly string[], codexHome: string): void {
  const themes = sources.map((home) => resolve(home, THEMES)).find((path) => existsSync(path));
  const link = join(codexHome, THEMES);
  if (themes === undefined || lstatSync(link, { throwIfNoEntry: false }) !== undefined) return;
  try {
    symlinkSync(themes, link);
  } catch (error) {
    throw unusable(`linking ${link} to ${themes}`, error);
  }
}

function hasText(path: string): boolean {
  return readTextIfPresent(path) !== undefined;
}

/** The time of issue alone is no reason to rewrite credentials that a running Codex may be reading. */
function sameButForTime(a: string, b: string): boolean {
  const timeless = (text: string) => text.replace(/"last_refresh": "[^"]*"/, "");
  return timeless(a) === timeless(b);
}
