// Adds the two base URLs to the text of a user's config.toml, and removes them. All other bytes stay unchanged.

import { isDeepStrictEqual } from "node:util";
import { parseToml, type TomlTable } from "../state/toml.ts";
import { tomlPlaces } from "../state/toml-keys.ts";
import type { CodexAddresses } from "./addresses.ts";

/** The keys of config.toml and their values. */
export type BaseUrls = Readonly<Record<BaseUrlKey, string>>;
export type BaseUrlKey = (typeof BASE_URL_KEYS)[number];
export const BASE_URL_KEYS = ["openai_base_url", "chatgpt_base_url"] as const;

/** The replaced values, exactly as they were written. */
export type FormerValues = { readonly [Key in BaseUrlKey]?: string | undefined };

export function baseUrlsOf({ openai, chatgpt }: CodexAddresses): BaseUrls {
  return { openai_base_url: openai, chatgpt_base_url: chatgpt };
}

/** The base URLs in `text`, a config.toml. Throws the parser error for invalid TOML. */
export function baseUrlsIn(text: string): Partial<BaseUrls> {
  const settings = parseToml(text);
  return Object.fromEntries(
    BASE_URL_KEYS.flatMap((key) => (typeof settings[key] === "string" ? [[key, settings[key]]] : [])),
  );
}

/**
 * Adds `urls` to `text` and returns the replaced values too. Undefined when that cannot be done without changing other
 * settings. Throws the parser error for invalid TOML.
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
  // Verify the edit: only the URLs may have changed in meaning.
  const isRight = isDeepStrictEqual(meaningOf(edited), { ...meaningOf(text), ...urls });
  return isRight ? { text: edited, former } : undefined;
}

/**
 * Removes `urls` from `text` and restores the former values. A URL that was changed in between stays, and its key is
 * listed in `kept`. Throws the parser error for invalid TOML.
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

/** The comment after each added line, which says where the line comes from. */
const MARK = "by codexlb setup";
const BOM = "\uFEFF";

/** The position of the top-level value of `key`. */
function placeOf(text: string, key: BaseUrlKey) {
  return tomlPlaces(withoutMark(text)).keys.find(({ path }) => path.length === 1 && path[0] === key);
}

/** The insert position: after the last top-level key, else at the top. Later it would belong to a table. */
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

/** Keeps the length, because positions are offsets. */
function withoutMark(text: string): string {
  return text.startsWith(BOM) ? ` ${text.slice(1)}` : text;
}

/** The offset of the line after the one that contains `offset`. */
function endOfLine(text: string, offset: number): number {
  const end = text.indexOf("\n", offset);
  return end < 0 ? text.length : end + 1;
}

function splice(text: string, start: number, end: number, insert: string): string {
  return text.slice(0, start) + insert + text.slice(end);
}

/** A copy without the symbols that the parser adds to its tables. */
function meaningOf(text: string): TomlTable {
  return structuredClone(parseToml(text));
}
