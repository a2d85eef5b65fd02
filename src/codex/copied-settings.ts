// Copies the user's settings into another Codex home: config.toml, and the profile files for `codex --profile NAME`.

import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { CodexlbError, systemProblem } from "../errors.ts";
import { readTextIfPresent, writeFileAtomic } from "../state/atomic-file.ts";
import { formatToml, parseToml, type TomlTable } from "../state/toml.ts";
import { carriedSettings, isTable } from "./carried-settings.ts";

/** File in the prepared home with the settings as copied, to detect later changes. */
export const COPIED_SETTINGS = ".codexlb-taken-over.toml";
/** The names of that file and of those for profiles begin with this. */
const RECORD_START = ".codexlb-taken-over.";

/**
 * Reads the settings of `sources` (homes, best first) and plans how to copy them into `codexHome`. Each file comes from
 * the first source that has it. Later changes in `codexHome` (by Codex, or by hand) win. The settings in `forced` replace
 * all others in config.toml.
 * The returned function writes the files. It returns the settings left out, as `KEY in PATH`, unless they were reported
 * before. Throws `invalid_config` for invalid TOML, before anything is written.
 */
export function planSettingsCopy(
  sources: readonly string[],
  codexHome: string,
  forced: TomlTable,
): () => string[] {
  const names = new Set([...sources, codexHome].flatMap(profileFiles));
  const plans = [
    planConfig(sources, codexHome, forced),
    ...[...names].sort().map((name) => planProfile(name, sources, codexHome)),
  ];
  return () => plans.flatMap((write) => write());
}

/**
 * Copies config.toml, the files of profiles, and the records of what was copied, from one prepared home to another one,
 * which has none of them yet.
 */
export function copySettingsFiles(from: string, to: string): void {
  for (const name of [CONFIG, ...profileFiles(from), ...recordFiles(from)]) {
    const text = readTextIfPresent(join(from, name));
    if (text !== undefined) writeFileAtomic(join(to, name), text);
  }
}

/** The settings in the file at `path`; none if there is no such file. Throws `invalid_config`. */
export function readToml(path: string): TomlTable {
  const text = readTextIfPresent(path);
  if (text === undefined) return {};
  try {
    return parseToml(text);
  } catch (error) {
    throw new CodexlbError("invalid_config", `reading ${path}: ${systemProblem(error)}`, {
      next: "correct the file and try again",
    });
  }
}

/** Writes `text` to `path` unless the file is the `same`; returns true if it wrote. Throws `file_unusable`. */
export function writeIfDifferent(
  path: string,
  text: string,
  same: (before: string, after: string) => boolean = (before, after) => before === after,
): boolean {
  const before = readTextIfPresent(path);
  if (before !== undefined && same(before, text)) return false;
  writeFileAtomic(path, text);
  return true;
}

// --- internal ---

const CONFIG = "config.toml";
/** File names of profiles. */
const PROFILE_FILE = /^[^.].*\.config\.toml$/;
/** Settings that Codex itself writes while it runs. Without a record of the copied settings only these are kept. */
const OWN_KEYS = [
  "model",
  "model_reasoning_effort",
  "check_for_update_on_startup",
  "notice",
  "projects",
] as const;

function planConfig(sources: readonly string[], codexHome: string, forced: TomlTable): () => string[] {
  const target = join(codexHome, CONFIG);
  const recordPath = join(codexHome, COPIED_SETTINGS);
  const { settings, reports } = settingsOf(CONFIG, sources);
  const existing = readToml(target);
  const merged = fileExists(recordPath)
    ? withChanges(settings, withoutForced(readToml(recordPath), forced), withoutForced(existing, forced))
    : { ...settings, ...ownSettings(existing) };
  const text = formatToml(withForced(carriedSettings(merged, codexHome).settings, forced));
  return () => {
    writeIfDifferent(target, text);
    return writeIfDifferent(recordPath, formatToml(settings)) ? reports : [];
  };
}

/** Profiles get no base URLs, so that those of the run apply to them too. */
function planProfile(name: string, sources: readonly string[], codexHome: string): () => string[] {
  const target = join(codexHome, name);
  const recordPath = join(codexHome, `${RECORD_START}${name.slice(0, -CONFIG.length)}toml`);
  const wasCopied = fileExists(recordPath);
  // The user created this profile in the prepared home.
  if (!wasCopied && fileExists(target)) return () => [];
  const { settings, reports } = settingsOf(name, sources);
  const { chatgpt_base_url: _, openai_base_url: __, ...source } = settings;
  const merged = wasCopied ? withChanges(source, readToml(recordPath), readToml(target)) : source;
  const kept = carriedSettings(merged, codexHome).settings;
  return () => {
    if (!sources.some((home) => fileExists(join(home, name))) && Object.keys(kept).length === 0) {
      for (const path of [target, recordPath]) rmSync(path, { force: true });
      return [];
    }
    writeIfDifferent(target, formatToml(kept));
    return writeIfDifferent(recordPath, formatToml(source)) ? reports : [];
  };
}

/** The settings in the file `name` of the first home that has it, and the names of those left out. */
function settingsOf(name: string, homes: readonly string[]): { settings: TomlTable; reports: string[] } {
  const home = homes.find((one) => fileExists(join(one, name)));
  if (home === undefined) return { settings: {}, reports: [] };
  const path = join(home, name);
  const { settings, leftOut } = carriedSettings(readToml(path), home);
  return { settings, reports: leftOut.map((key) => `${key} in ${path}`) };
}

function profileFiles(home: string): string[] {
  return namesIn(home).filter((name) => PROFILE_FILE.test(name));
}

function recordFiles(home: string): string[] {
  return namesIn(home).filter((name) => name.startsWith(RECORD_START));
}

function namesIn(home: string): string[] {
  try {
    return readdirSync(home);
  } catch {
    return []; // no such home
  }
}

/** `settings` with those of `forced`, table by table. */
function withForced(settings: TomlTable, forced: TomlTable): TomlTable {
  const all: TomlTable = { ...settings };
  for (const [key, value] of Object.entries(forced)) {
    const own = settings[key];
    all[key] = isTable(value) && isTable(own) ? withForced(own, value) : value;
  }
  return all;
}

/** `settings` without those of `forced`, and without tables that are empty then. */
function withoutForced(settings: TomlTable, forced: TomlTable): TomlTable {
  const others: TomlTable = {};
  for (const [key, own] of Object.entries(settings)) {
    const value = forced[key];
    const kept = isTable(value) && isTable(own) ? withoutForced(own, value) : own;
    if (value === undefined || (isTable(value) && isTable(kept) && Object.keys(kept).length > 0))
      others[key] = kept;
  }
  return others;
}

/** Applies the changes between `before` and `after` to `source`. */
function withChanges(source: TomlTable, before: TomlTable, after: TomlTable): TomlTable {
  const merged: TomlTable = { ...source };
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [was, is, now] = [before[key], after[key], source[key]];
    if (isDeepStrictEqual(was, is)) continue;
    if (is === undefined) delete merged[key];
    else merged[key] = isTable(is) && isTable(now) ? withChanges(now, isTable(was) ? was : {}, is) : is;
  }
  return merged;
}

function ownSettings(existing: TomlTable): TomlTable {
  const kept: TomlTable = {};
  for (const key of OWN_KEYS) {
    const value = existing[key];
    if (value !== undefined) kept[key] = value;
  }
  return kept;
}

function fileExists(path: string): boolean {
  return readTextIfPresent(path) !== undefined;
}
