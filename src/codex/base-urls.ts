// The two base URLs in the text of a user's own config.toml: put in and taken out with every other byte as it was.

import { isDeepStrictEqual } from "node:util";
import { parseToml, type TomlTable } from "../state/toml.ts";
import { tomlPlaces } from "../state/toml-keys.ts";
import type { CodexAddresses } from "./addresses.ts";

/** The keys of config.toml and their values. */
export type BaseUrls = Readonly<Record<BaseUrlKey, string>>;
export type BaseUrlKey = (typeof BASE_URL_KEYS)[number];
export const BASE_URL_KEYS = ["openai_base_url", "chatgpt_base_url"] as const;

/** The values that were there before, as they were written. */
export type FormerValues = { readonly [Key in BaseUrlKey]?: string | undefined };

export function baseUrlsOf({ openai, chatgpt }: CodexAddresses): BaseUrls {
  return { openai_base_url: openai, chatgpt_base_url: chatgpt };
}

/** What `text`, a config.toml, has as base URLs. Throws what is wrong with TOML that cannot be read. */
export function baseUrlsIn(text: string): Partial<BaseUrls> {
  const settings = parseToml(text);
  return Object.fromEntries(
    BASE_URL_KEYS.flatMap((key) => (typeof settings[key] === "string" ? [[key, settings[key]]] : [])),
  );
}

/**
 * `text` with `urls` in it, and the values that they replaced; undefined when the text has no place where that can be
 * done without doubt. Throws what is wrong with TOML that cannot be read.
 */
export function withBaseUrls(
  text: string,
  urls: BaseUrls,
): { readonly text: string; readonly former: FormerValues } | undefined {
  const former: Partial<Record<BaseUrlKey, string>> = {};
  let edited = text;
  for (const key of BASE_URL_KEYS) {
    const place = placeOf(edited, key);
    if (place === undefined) {
      edited = withLine(edited, `${key} = ${JSON.stringify(urls[key])} # ${MARK}`);
      continue;
    }
    former[key] = edited.slice(place.valueStart, place.valueEnd);
    edited = splice(edited, place.valueStart, place.valueEnd, JSON.stringify(urls[key]));
  }
  // Whatever the edit did: nothing but the URLs may mean something else now.
  const isRight = isDeepStrictEqual(meaningOf(edited), { ...meaningOf(text), ...urls });
  return isRight ? { text: edited, former } : undefined;
}

/**
 * `text` without `urls`, and with the former values in their place. A URL that was changed since stays; the keys of those
 * are `kept`. Throws what is wrong with TOML that cannot be read.
 */
export function withoutBaseUrls(
  text: string,
  urls: BaseUrls,
  former: FormerValues,
): { readonly text: string; readonly kept: readonly BaseUrlKey[] } {
  const kept: BaseUrlKey[] = [];
  let edited = text;
  for (const key of BASE_URL_KEYS) {
    const place = placeOf(edited, key);
    if (place === undefined) continue;
    const value = former[key];
    if (meaningOf(edited)[key] !== urls[key]) kept.push(key);
    else if (value !== undefined) edited = splice(edited, place.valueStart, place.valueEnd, value);
    else {
      const start = edited.lastIndexOf("\n", place.valueStart) + 1;
      edited = splice(
        edited,
        edited.startsWith(BOM) && start === 0 ? 1 : start,
        endOfLine(edited, place.valueEnd),
        "",
      );
    }
  }
  return { text: edited, kept };
}

// --- internal ---

/** Behind each line that is put in, so that a reader knows where it comes from. */
const MARK = "by codexlb setup";
const BOM = "\uFEFF";

/** Where the value of `key` is, outside of every table. */
function placeOf(text: string, key: BaseUrlKey) {
  return tomlPlaces(withoutMark(text)).keys.find(({ path }) => path.length === 1 && path[0] === key);
}

/** Behind the last key outside of tables, else at the top: in a table it would be a key of the table. */
function withLine(text: string, line: string): string {
  const newline = text.includes("\r\n") ? "\r\n" : "\n";
  const { keys, tables } = tomlPlaces(withoutMark(text));
  const last = keys.findLast((key) => !tables.some((table) => table.line < key.line));
  if (last === undefined) {
    const start = text.startsWith(BOM) ? 1 : 0;
    return splice(text, start, start, `${line}${newline}`);
  }
  const end = endOfLine(text, last.valueEnd);
  const isOpen = text[end - 1] !== "\n";
  return splice(text, end, end, isOpen ? `${newline}${line}` : `${line}${newline}`);
}

/** Of the same length, because places are offsets. */
function withoutMark(text: string): string {
  return text.startsWith(BOM) ? ` ${text.slice(1)}` : text;
}

/** Behind the line break of the line that has `offset` in it. */
function endOfLine(text: string, offset: number): number {
  const end = text.indexOf("\n", offset);
  return end < 0 ? text.length : end + 1;
}

function splice(text: string, start: number, end: number, insert: string): string {
  return text.slice(0, start) + insert + text.slice(end);
}

/** A copy without the marks that the parser leaves on its tables. */
function meaningOf(text: string): TomlTable {
  return structuredClone(parseToml(text));
}
