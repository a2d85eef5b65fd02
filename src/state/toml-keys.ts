// Where the keys of a TOML text stand: the parser tells values, but neither lines nor places. Reads only text that
// the parser has accepted, so it needs to know no more of the grammar than where things end.

export interface TomlKey {
  /** The full path, table names included. */
  readonly path: readonly string[];
  /** From 1. */
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

/** The keys and table headers of `text` in their order. Keys inside of inline tables are not listed. */
export function tomlPlaces(text: string): TomlPlaces {
  const keys: TomlKey[] = [];
  const tables: TomlHeader[] = [];
  let table: readonly string[] = [];
  let at = 0;
  for (;;) {
    at = skipBlank(text, at);
    if (at >= text.length) return { keys, tables };
    const line = lineOf(text, at);
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
    keys.push({ path: [...table, ...key.path], line, valueStart, valueEnd });
    at = endOfLine(text, valueEnd);
  }
}

/** The line of `path` or of the nearest part of it that stands in the text; undefined when nothing of it does. */
export function lineOfPath({ keys, tables }: TomlPlaces, path: readonly PropertyKey[]): number | undefined {
  const names = path.map((part) => String(part).toLowerCase());
  const places = [...tables, ...keys];
  const agree = (path: readonly string[]) =>
    path.every((part, index) => index >= names.length || part.toLowerCase() === names[index]);
  // What stands below a path defines it, too; a longer part of it is nearer than a shorter one.
  const near = places.filter(({ path }) => path.length > 0 && agree(path));
  const below = near.find(({ path }) => path.length >= names.length);
  const above = near.reduce<TomlKey | TomlHeader | undefined>(
    (best, place) => (best === undefined || place.path.length > best.path.length ? place : best),
    undefined,
  );
  return (near.find(({ path }) => path.length === names.length) ?? below ?? above)?.line;
}

// --- internal ---

const QUOTES = ['"""', "'''", '"', "'"] as const;

function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}

function skipSpaces(text: string, from: number): number {
  let at = from;
  while (text[at] === " " || text[at] === "\t") at++;
  return at;
}

/** Past white space, line breaks and comments. */
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

/** A dotted key, bare or quoted in its parts. */
function readKey(text: string, from: number): { path: string[]; end: number } {
  const path: string[] = [];
  let at = from;
  for (;;) {
    at = skipSpaces(text, at);
    const quoted = text[at] === '"' || text[at] === "'";
    const end = quoted ? endOfString(text, at) : endOfBare(text, at);
    path.push(quoted ? text.slice(at + 1, end - 1) : text.slice(at, end));
    at = skipSpaces(text, end);
    if (text[at] !== ".") return { path, end };
    at++;
  }
}

function endOfBare(text: string, from: number): number {
  let at = from;
  while (/[A-Za-z0-9_-]/.test(text[at] ?? "")) at++;
  // Never stand still, whatever comes.
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
  return text.slice(0, at).trimEnd().length;
}
