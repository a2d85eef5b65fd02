// Reads config.toml: checks its keys and values, and names the line and the key in errors.

import type { z } from "zod";
import { CLOSE_TIMES_NEXT, closeTimeWords } from "../core/anchor/anchor-times.ts";
import { completionOf, nearest } from "../core/nearest.ts";
import { USUAL_SECONDS } from "../core/windows.ts";
import { CodexlbError, messageOf } from "../errors.ts";
import { shortLine } from "../printable.ts";
import { readTextIfPresent } from "./atomic-file.ts";
import { optionSettings } from "./option-settings.ts";
import { priceSettings } from "./price-settings.ts";
import { type Config, ConfigFile, FREE_TABLES, SETTINGS, valueAt } from "./settings.ts";
import { parseToml, type TomlTable } from "./toml.ts";
import { lineFinder, tomlPlaces } from "./toml-keys.ts";

/** The content of a config.toml. */
export interface ParsedConfig {
  readonly config: Config;
  /** The line of every setting, price and option of an account (`optionKey`) in the file, by key. */
  readonly lines: ReadonlyMap<string, number>;
  /** One message for each key or table that is not a setting; the last one counts those that are not listed. */
  readonly unknown: readonly string[];
  /** One message for each value that was replaced by another, such as the default, or has no effect. */
  readonly ignored: readonly string[];
}

/**
 * A file with every setting and its explanation has 5 KB. Parsing the worst file of this size takes a fifth of a
 * second.
 */
const LONGEST_CONFIG_BYTES = 64 * 1024;

/** The text of a config.toml; undefined if there is none. Throws `file_unusable`, also for a file of over 64 KiB. */
export function readConfigText(path: string): string | undefined {
  return readTextIfPresent(path, LONGEST_CONFIG_BYTES);
}

/** Reads `text`, the content of `path`, which is used in errors only. Throws `invalid_config`. */
export function parseConfig(text: string, path: string): ParsedConfig {
  let raw: TomlTable;
  try {
    raw = parseToml(text);
  } catch (error) {
    throw invalid(path, `not valid TOML: ${messageOf(error)}`);
  }
  const lineOf = lineFinder(tomlPlaces(text));
  const known = lowerKnownKeys(raw);
  const parsed = ConfigFile.safeParse(known);
  if (!parsed.success)
    throw invalid(
      path,
      [
        ...listed(
          parsed.error.issues.map((issue) => () => problemAt(lineOf, issue)),
          "problems",
        ),
        ...unknownKeys(raw, lineOf),
      ].join("; "),
    );
  const options = optionSettings(parsed.data).flatMap(({ key, path: names }): [string, number][] => {
    const line = lineOf(names);
    return line === undefined ? [] : [[key, line]];
  });
  const ignored: string[] = [];
  const lines = SETTINGS.flatMap(({ key }): [string, number][] => {
    const names = key.split(".");
    const given = valueAt(known, names);
    if (given === undefined) return [];
    const legacy = key === "proxy.proxy_url" && valueAt(raw, names) === undefined;
    const line = lineOf(legacy ? LEGACY_PROXY_URL.split(".") : names);
    if (line === undefined) return [];
    const effective = valueAt(parsed.data, names);
    if (!isReplaced(given, effective)) return [[key, line]];
    ignored.push(
      `line ${line}: ${key} = ${JSON.stringify(given)} is replaced by ${JSON.stringify(effective)}`,
    );
    return [];
  });
  const { at } = parsed.data.anchor;
  for (const problem of closeTimeWords(at, USUAL_SECONDS.short * 1000))
    ignored.push(`line ${lineOf(["anchor", "at"])}: ${problem}; ${CLOSE_TIMES_NEXT}`);
  for (const { key, path: names } of priceSettings(parsed.data)) {
    const line = valueAt(known, names) === undefined ? undefined : lineOf(names);
    if (line !== undefined) lines.push([key, line]);
  }
  return {
    config: parsed.data,
    lines: new Map([...lines, ...options]),
    unknown: unknownKeys(raw, lineOf),
    ignored,
  };
}

// --- internal ---

/** True if the default replaced `given`: a zero, a blank text or an empty list. */
function isReplaced(given: unknown, effective: unknown): boolean {
  if (typeof given === "number") return given !== effective;
  if (typeof given === "string") return given.trim() === "" && effective !== "";
  return Array.isArray(given) && given.length === 0 && Array.isArray(effective) && effective.length > 0;
}

type LineFinder = ReturnType<typeof lineFinder>;

/** The largest number of messages of one kind. */
const MOST_LISTED = 20;

/** The first of `lines`, and a line with the number of further `what`. */
function listed(lines: readonly (() => string)[], what: string): string[] {
  const shown = lines.slice(0, MOST_LISTED).map((line) => line());
  const more = lines.length - shown.length;
  return more > 0 ? [...shown, `and ${more} more ${what}`] : shown;
}

/** The former key of `proxy.proxy_url`. */
const LEGACY_PROXY_URL = "run.proxy_url";

const TABLES = new Set(
  SETTINGS.flatMap(({ key }) => {
    const names = key.split(".").slice(0, -1);
    return names.map((_name, index) => names.slice(0, index + 1).join("."));
  }),
);
const FREE: ReadonlySet<string> = new Set(FREE_TABLES);
const KEYS = new Set([...SETTINGS.map(({ key }) => key), LEGACY_PROXY_URL]);

/** Like the Go program, accepts keys in upper and lower case, and a former key in place of its successor. */
function lowerKnownKeys(raw: TomlTable, prefix = ""): Record<string, unknown> {
  const entries = Object.entries(raw).map(([name, value]): [string, unknown] => {
    const lower = name.toLowerCase();
    const path = `${prefix}${lower}`;
    if (TABLES.has(path)) return [lower, isTable(value) ? lowerKnownKeys(value, `${path}.`) : value];
    return [KEYS.has(path) ? lower : name, value];
  });
  const folded = Object.fromEntries(entries);
  if (prefix !== "") return folded;
  const legacy = valueAt(folded, LEGACY_PROXY_URL.split("."));
  if (legacy === undefined || valueAt(folded, ["proxy", "proxy_url"]) !== undefined) return folded;
  const proxy = isTable(folded.proxy) ? folded.proxy : {};
  return { ...folded, proxy: { ...proxy, proxy_url: legacy } };
}

function unknownKeys(raw: TomlTable, lineOf: LineFinder): string[] {
  const describe = (path: string) => () => {
    const line = lineOf(path.split("."));
    const lower = path.toLowerCase();
    const meant = nearest(lower, [...KEYS, ...TABLES]) ?? completionOf(lower, [...KEYS]);
    const hint = meant === undefined ? "" : `; did you mean ${meant}?`;
    const where = line === undefined ? "" : `line ${line}: `;
    return `${where}${shortLine(path, LONGEST_KEY)} is not a setting and has no effect${hint}`;
  };
  return listed(unknownPaths(raw).map(describe), "keys that are not settings");
}

/** Longer keys are cut in messages. */
const LONGEST_KEY = 100;

function unknownPaths(raw: TomlTable, prefix = ""): string[] {
  return Object.entries(raw).flatMap(([name, value]) => {
    const path = `${prefix}${name}`;
    const lower = path.toLowerCase();
    if (KEYS.has(lower) || FREE.has(path)) return [];
    if (TABLES.has(lower)) return isTable(value) ? unknownPaths(value, `${path}.`) : [];
    return [path];
  });
}

function problemAt(lineOf: LineFinder, issue: z.core.$ZodIssue): string {
  const line = lineOf(issue.path);
  const key = issue.path.filter((part) => typeof part === "string").join(".");
  const entry = issue.path.find((part) => typeof part === "number");
  const where = entry === undefined ? key : `${key}, entry ${entry + 1}`;
  return `${line === undefined ? "" : `line ${line}: `}${where}: ${issue.message}`;
}

function isTable(value: unknown): value is TomlTable {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function invalid(path: string, why: string): CodexlbError {
  return new CodexlbError("invalid_config", `reading ${path}: ${why}`, {
    next: "correct the file and try again",
  });
}
