// The positions of the keys in a TOML text. The parser returns values, but no positions. The text must be one that the
// parser has accepted, so this file needs to know only where keys and values end.

export interface TomlKey {
  /** The full path, including table names. */
  readonly path: readonly string[];
  /** The first line is 1. */
  readonly line: number;
  /** Offsets of the value in the text. */
  readonly valueStart: number;
  readonly valueEnd: number;
}

export interface TomlHeader {
  readonly path: readonly string[];
  readonly line: number;
  /** Offset of the end of the header's line, before its line break. */
  readonly headerEnd: number;
}

export interface TomlPlaces {
  readonly keys: readonly TomlKey[];
  readonly tables: readonly TomlHeader[];
}

/**
 * The keys and table headers of `text`, in order. Keys in inline tables are not listed, and paths deeper than any
 * setting are shortened. The time is proportional to the length of the text.
 */
export function tomlPlaces(text: string): TomlPlaces {
  const keys: TomlKey[] = [];
  const tables: TomlHeader[] = [];
  const lineAt = lineCounter(text);
  let table: readonly string[] = [];
  let at = 0;
  for (;;) {
    at = skipBlank(text, at);
    if (at >= text.length) return { keys, tables };
    const line = lineAt(at);
    if (text[at] === "[") {
      const name = readKey(text, at + (text[at + 1] === "[" ? 2 : 1));
      table = name.path;
      at = endOfLine(text, name.end);
      tables.push({ path: table, line, headerEnd: at });
      continue;
    }
    const key = readKey(text, at);
    const valueStart = skipSpaces(text, skipSpaces(text, key.end) + 1);
    const valueEnd = endOfValue(text, valueStart);
    keys.push({ path: [...table, ...key.path].slice(0, DEEPEST), line, valueStart, valueEnd });
    at = endOfLine(text, valueEnd);
  }
}

/** Finds the line of a path, or of the nearest path that the text contains; undefined if there is none. */
export function lineFinder({
  keys,
  tables,
}: TomlPlaces): (path: readonly PropertyKey[]) => number | undefined {
  const root: PathNode = { line: undefined, below: undefined, parts: new Map() };
  for (const { path, line } of [...tables, ...keys]) {
    let node = root;
    for (const part of path) {
      node.below ??= line;
      const name = part.toLowerCase();
      const next = node.parts.get(name) ?? { line: undefined, below: undefined, parts: new Map() };
      node.parts.set(name, next);
      node = next;
    }
    node.line ??= line;
  }
  return (path) => {
    let node = root;
    let above: number | undefined;
    for (const part of path) {
      const next = node.parts.get(String(part).toLowerCase());
      if (next === undefined) return above;
      node = next;
      above = node.line ?? above;
    }
    // An entry below a path defines the path, too. A longer matching part is nearer than a shorter one.
    return node.line ?? node.below ?? above;
  };
}

// --- internal ---

/** How many names of a path are examined; settings have at most three. */
const DEEPEST = 8;

/** What is known about a path, and about the longer paths, by their next name in lower case. */
interface PathNode {
  line: number | undefined;
  /** The first line of any longer path. */
  below: number | undefined;
  readonly parts: Map<string, PathNode>;
}

const QUOTES = ['"""', "'''", '"', "'"] as const;

/** Returns the line of an offset; offsets must be given in ascending order. */
function lineCounter(text: string): (offset: number) => number {
  let line = 1;
  let next = text.indexOf("\n");
  return (offset) => {
    for (; next >= 0 && next < offset; next = text.indexOf("\n", next + 1)) line++;
    return line;
  };
}

function skipSpaces(text: string, from: number): number {
  let at = from;
  while (text[at] === " " || text[at] === "\t") at++;
  return at;
}

/** The offset after white space, line breaks and comments. */
function skipBlank(text: string, from: number): number {
  let at = from;
  for (;;) {
    while (at < text.length && /\s/.test(text[at] ?? "")) at++;
    if (text[at] !== "#") return at;
    at = endOfLine(text, at);
  }
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf("\n", from);
  if (end < 0) return text.length;
  return text[end - 1] === "\r" && end > from ? end - 1 : end;
}

/** Reads a dotted key, whose parts may be quoted. */
function readKey(text: string, from: number): { path: string[]; end: number } {
  const path: string[] = [];
  let at = from;
  for (;;) {
    at = skipSpaces(text, at);
    const quoted = text[at] === '"' || text[at] === "'";
    const end = quoted ? endOfString(text, at) : endOfBare(text, at);
    const part = quoted ? text.slice(at + 1, end - 1) : text.slice(at, end);
    if (path.length < DEEPEST) path.push(part);
    at = skipSpaces(text, end);
    if (text[at] !== ".") return { path, end };
    at++;
  }
}

function endOfBare(text: string, from: number): number {
  let at = from;
  while (/[A-Za-z0-9_-]/.test(text[at] ?? "")) at++;
  // Always advance, whatever the text.
  return Math.max(at, from + 1);
}

function endOfString(text: string, from: number): number {
  const quote = QUOTES.find((candidate) => text.startsWith(candidate, from)) ?? '"';
  let at = from + quote.length;
  while (at < text.length && !text.startsWith(quote, at)) at += quote[0] === '"' && text[at] === "\\" ? 2 : 1;
  at += quote.length;
  // A multi-line string may end in up to two more quotes that belong to it.
  while (quote.length === 3 && text[at] === quote[0]) at++;
  return at;
}

function endOfValue(text: string, from: number): number {
  let depth = 0;
  let at = from;
  while (at < text.length) {
    const char = text[at] ?? "";
    if (char === '"' || char === "'") {
      at = endOfString(text, at);
      continue;
    }
    if (depth === 0 && (char === "\n" || char === "\r" || char === "#")) break;
    if (char === "#") at = endOfLine(text, at);
    else {
      if (char === "[" || char === "{") depth++;
      if (char === "]" || char === "}") depth--;
      at++;
    }
  }
  return from + text.slice(from, at).trimEnd().length;
}
