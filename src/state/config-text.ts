// The text of config.toml: a new one that explains every setting, and the only edit of a user's file, which adds the name.

import { isDeepStrictEqual } from "node:util";
import { SETTINGS, type Setting } from "./settings.ts";
import { parseToml, type TomlTable } from "./toml.ts";
import { tomlPlaces } from "./toml-keys.ts";

/** The text of a new config.toml: every setting with its default and its description. */
export function newConfigText(name: string): string {
  const tables = [...new Set(SETTINGS.map(tableOf))].map((table) => {
    const lines = SETTINGS.filter((setting) => tableOf(setting) === table).map((setting) => {
      const value = setting.key === "proxy.name" ? name : setting.defaultValue;
      return `# ${setting.description}\n${setting.key.slice(table.length + 1)} = ${tomlValue(value)}\n`;
    });
    return `[${table}]\n${lines.join("")}`;
  });
  return `${HEADER}\n${tables.join("\n")}`;
}

/** A value in TOML. Settings are texts, numbers, booleans and lists of texts. */
export function tomlValue(value: unknown): string {
  return JSON.stringify(value);
}

/**
 * `text` with `name` as its `proxy.name`, and every other byte unchanged; undefined if that is not possible without
 * changing the meaning of another part.
 */
export function withProxyName(text: string, name: string): string | undefined {
  const edited = insertName(text, tomlValue(name));
  // Check that the edit changed the meaning of nothing but the name.
  return isDeepStrictEqual(meaningWith(edited, undefined), meaningWith(text, name)) ? edited : undefined;
}

// --- internal ---

const HEADER = `# codexlb settings. Every key is optional; the values below are the defaults.
# A running proxy applies changes within a second; proxy.listen and [cluster] take effect after a restart.
`;

function tableOf({ key }: Setting): string {
  return key.slice(0, key.lastIndexOf("."));
}

function insertName(text: string, value: string): string {
  const { keys, tables } = tomlPlaces(text);
  const is = (path: readonly string[], ...names: string[]) =>
    path.join("\n").toLowerCase() === names.join("\n");
  const blank = keys.find((key) => is(key.path, "proxy", "name"));
  if (blank !== undefined) return splice(text, blank.valueStart, blank.valueEnd, value);
  const header = tables.find((table) => is(table.path, "proxy"));
  const newline = text.includes("\r\n") ? "\r\n" : "\n";
  if (header !== undefined)
    return splice(text, header.headerEnd, header.headerEnd, `${newline}name = ${value}`);
  const inline = keys.find((key) => is(key.path, "proxy"));
  if (inline !== undefined) {
    const empty = /^\{\s*\}$/.test(text.slice(inline.valueStart, inline.valueEnd));
    const inside = inline.valueStart + 1;
    return splice(text, inside, inside, ` name = ${value}${empty ? " " : ","}`);
  }
  // `proxy.listen = ...` at the top defines the table already; a name beside it must be written in the same way.
  if (keys.some((key) => key.path[0]?.toLowerCase() === "proxy" && !underHeader(key.line, tables)))
    return `proxy.name = ${value}${newline}${text}`;
  const end = text === "" || text.endsWith("\n") ? "" : newline;
  return `${text}${end}${newline}[proxy]${newline}name = ${value}${newline}`;
}

function underHeader(line: number, tables: readonly { readonly line: number }[]): boolean {
  return tables.some((table) => table.line < line);
}

function splice(text: string, start: number, end: number, insert: string): string {
  return text.slice(0, start) + insert + text.slice(end);
}

/** The values of `text`, with the proxy's name set to `name` (undefined: unchanged). */
function meaningWith(text: string, name: string | undefined): unknown {
  try {
    // A copy, because the parser's tables have properties of their own that would make a difference.
    const meaning = structuredClone(parseToml(text));
    if (name === undefined) return meaning;
    const key = Object.keys(meaning).find((candidate) => candidate.toLowerCase() === "proxy") ?? "proxy";
    const proxy = (meaning[key] ?? {}) as TomlTable;
    const nameKey = Object.keys(proxy).find((candidate) => candidate.toLowerCase() === "name") ?? "name";
    return { ...meaning, [key]: { ...proxy, [nameKey]: name } };
  } catch {
    return Symbol("unreadable");
  }
}
