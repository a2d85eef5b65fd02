// The CODEX_HOME that `run` gives to Codex: stub credentials, and the settings of the user's own home.

import { existsSync, lstatSync, symlinkSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { z } from "zod";
import { advised } from "../advice.ts";
import { looksLikeStub, type StubAuth, type ThreadOwner, withThreadOwner } from "../auth/stub.ts";
import { parseJson } from "../core/json.ts";
import type { Deps } from "../deps.ts";
import { CodexlbError } from "../errors.ts";
import { quote } from "../quote.ts";
import { makePrivateDirectory, readTextIfPresent, unusable } from "../state/atomic-file.ts";
import { formatToml, type TomlTable } from "../state/toml.ts";
import { COPIED_SETTINGS, planSettingsCopy, readToml, writeIfDifferent } from "./copied-settings.ts";

export interface HomeOptions {
  /** The home to prepare. */
  readonly codexHome: string;
  /** True for the homes in codexlb's root, whose settings are all copies. Default false. */
  readonly isKept?: boolean;
  /** The owner of the threads that Codex lists. Default: that of the stub. */
  readonly owner?: ThreadOwner | undefined;
  /** Homes to copy settings from, best first. Only the first one with a config.toml counts. */
  readonly configSources: readonly string[];
  readonly stub: StubAuth;
  /** `chatgpt_base_url` to write. */
  readonly chatgptBaseUrl: string;
  /** More settings to write, in place of the user's. Default: none. */
  readonly forced?: TomlTable;
}

/**
 * Writes auth.json (the stub), config.toml and the files of profiles into `codexHome`, with the settings of
 * `configSources` (see `planSettingsCopy`), and links the user's themes. Unchanged files are not rewritten.
 * Returns newly left out settings as `KEY in PATH`. Throws `invalid_config` for invalid TOML, and `file_unusable` for a
 * home with its own login or settings.
 */
export function prepareHome(options: HomeOptions): string[] {
  const { codexHome, owner, stub, chatgptBaseUrl } = options;
  refuseForeign(codexHome, options.isKept ?? false);
  const sources = options.configSources.filter((home) => resolve(home) !== resolve(codexHome));
  const forced = { ...options.forced, chatgpt_base_url: chatgptBaseUrl };
  const copySettings = planSettingsCopy(sources, codexHome, forced);
  makePrivateDirectory(codexHome);
  const auth = owner === undefined ? stub : withThreadOwner(stub, owner);
  writeIfDifferent(join(codexHome, "auth.json"), `${JSON.stringify(auth, undefined, 2)}\n`, sameButForTime);
  linkThemes(sources, codexHome);
  return copySettings();
}

/**
 * The text of a config.toml with only the settings that decide where turns go, from the first of `configSources` that
 * has a config.toml. A test turn with it starts nothing else that the user has set up.
 */
export function routingSettings(configSources: readonly string[], chatgptBaseUrl: string): string {
  const source = configSources.map((home) => join(home, "config.toml")).find(hasText);
  const settings = source === undefined ? {} : readToml(source);
  const routing = Object.fromEntries(
    ROUTING_KEYS.flatMap((key) => (key in settings ? [[key, settings[key]]] : [])),
  );
  return formatToml({ ...routing, chatgpt_base_url: chatgptBaseUrl } as TomlTable);
}

/** The settings in `home`/config.toml; undefined if it is missing or unreadable. */
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

/** The user's own Codex homes: `$CODEX_HOME`, then `~/.codex`. */
export function userHomes(env: Deps["env"]): string[] {
  const named = env.CODEX_HOME?.trim();
  const standard = join(env.HOME || homedir(), ".codex");
  return named === undefined || named === "" ? [standard] : [named, standard];
}

// --- internal ---

/** The directory of the theme files for `tui.theme`. */
const THEMES = "themes";

/** The settings that decide where Codex sends its turns. */
const ROUTING_KEYS = ["model_provider", "model_providers", "profile", "profiles", "openai_base_url"] as const;

/**
 * Throws `file_unusable` for a home with a login or settings that codexlb did not write, because they would be lost.
 */
function refuseForeign(codexHome: string, isKept: boolean): void {
  const auth = readTextIfPresent(join(codexHome, "auth.json"));
  const token = auth === undefined ? undefined : tokenIn(auth);
  const hasLogin = token !== undefined && !looksLikeStub(token);
  const isOurs = isKept || token !== undefined || hasText(join(codexHome, COPIED_SETTINGS));
  if (!hasLogin && (isOurs || !hasText(join(codexHome, "config.toml")))) return;
  const what = hasLogin ? "a login" : "settings";
  throw new CodexlbError("file_unusable", `${codexHome} contains ${what} that codexlb run would overwrite`, {
    next: `use that home unchanged: CODEX_HOME=${quote(codexHome)} ${advised("run", "--native-home")}; ${
      hasLogin
        ? `or enrol the login, and move its auth.json elsewhere: ${advised("account import", "--from", codexHome, "ALIAS")}`
        : "or name an empty or new directory with --codex-home"
    }`,
  });
}

/** The API key or access token in an auth.json; undefined if it has neither. */
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

/** True if only the time of issue differs: a running Codex may be reading the file, so it is not rewritten for that. */
function sameButForTime(a: string, b: string): boolean {
  const timeless = (text: string) => text.replace(/"last_refresh": "[^"]*"/, "");
  return timeless(a) === timeless(b);
}
