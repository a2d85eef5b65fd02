// JSON from other parties. It is parsed only within bounds, because parsing a few megabytes of brackets can take
// gigabytes of memory and seconds. If a few fields of a large document are enough, they are found without parsing it.

export interface JsonBounds {
  /** Length of the text, in UTF-16 code units. */
  readonly chars: number;
  /** Nesting depth of objects and arrays. */
  readonly depth: number;
  /** Number of values of all kinds. */
  readonly values: number;
}

/**
 * Far larger than any document of the backend, or of a child proxy with a thousand accounts. Parsing a document of this
 * size takes about 100 ms.
 */
export const JSON_BOUNDS: JsonBounds = { chars: 16 * 1024 * 1024, depth: 128, values: 500_000 };

/** Like `JSON.parse`, but returns undefined for text that is not JSON or exceeds `bounds`. */
export function parseJson(text: string, bounds: JsonBounds = JSON_BOUNDS): unknown {
  if (!fits(text, bounds)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // callers treat invalid JSON as an empty message
  }
}

export type Fields = Readonly<Record<string, unknown>>;

/** `value` if it is an object that is not an array. */
export function objectOf(value: unknown): Fields | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
}

/** The members of a parsed value; none if it is not an object. */
export function fieldsOf(value: unknown): Fields {
  return objectOf(value) ?? NONE;
}

const NONE: Fields = {};

/** The position of a value in a text: its first character, and the one after its last. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface Member extends Span {
  readonly name: string;
  /** Where its name begins; its value begins at `start`. */
  readonly nameStart: number;
}

/**
 * The members of the object that begins at `start`, in order. Stops where the text is not valid JSON any longer. Does
 * not parse the document, recurse or check values.
 */
export function* membersOf(text: string, start = 0): Generator<Member> {
  let at = skipSpace(text, start);
  if (text.charCodeAt(at) !== OPEN_BRACE) return;
  at = skipSpace(text, at + 1);
  while (text.charCodeAt(at) === QUOTE) {
    const nameStart = at;
    const nameEnd = stringEnd(text, at);
    const name = nameEnd < 0 ? undefined : nameAt(text, { start: nameStart, end: nameEnd });
    if (name === undefined) return;
    at = skipSpace(text, nameEnd);
    if (text.charCodeAt(at) !== COLON) return;
    const valueStart = skipSpace(text, at + 1);
    const end = valueEnd(text, valueStart);
    if (end < 0) return;
    yield { name, nameStart, start: valueStart, end };
    at = skipSpace(text, end);
    if (text.charCodeAt(at) !== COMMA) return;
    at = skipSpace(text, at + 1);
  }
}

/** The elements of the array that begins at `start`, in the manner of `membersOf`. */
export function* elementsOf(text: string, start = 0): Generator<Span> {
  let at = skipSpace(text, start);
  if (text.charCodeAt(at) !== OPEN_BRACKET) return;
  at = skipSpace(text, at + 1);
  while (at < text.length && text.charCodeAt(at) !== CLOSE_BRACKET) {
    const end = valueEnd(text, at);
    if (end <= at) return;
    yield { start: at, end };
    at = skipSpace(text, end);
    if (text.charCodeAt(at) !== COMMA) return;
    at = skipSpace(text, at + 1);
  }
}

/** The member `name` of the object that begins at `start`. Of several, the last one counts, as in `JSON.parse`. */
export function memberOf(text: string, name: string, start = 0): Member | undefined {
  let found: Member | undefined;
  for (const member of membersOf(text, start)) if (member.name === name) found = member;
  return found;
}

/**
 * The fields in `names` whose values in the object `text` are strings of at most `LONGEST_FIELD` characters. If a name
 * occurs twice, the last one counts, as in `JSON.parse`.
 */
export function stringFields<Name extends string>(
  text: string,
  names: readonly Name[],
): Partial<Record<Name, string>> {
  const found: Partial<Record<Name, string>> = {};
  for (const member of membersOf(text)) {
    const name = names.find((one) => one === member.name);
    if (name === undefined) continue;
    const value = member.end - member.start > LONGEST_FIELD ? undefined : textAt(text, member);
    if (value === undefined) delete found[name];
    else found[name] = value;
  }
  return found;
}

/**
 * The string at this position; undefined if the value there is not a string. It is a copy: a slice would keep the whole
 * document in memory for as long as the string.
 */
export function textAt(text: string, { start, end }: Span): string | undefined {
  if (text.charCodeAt(start) !== QUOTE) return undefined;
  try {
    const value: unknown = JSON.parse(text.slice(start, end));
    return typeof value === "string" ? value : undefined;
  } catch {
    return undefined; // an invalid escape
  }
}

// --- internal ---

/** Names, ids and keys are short; the longest useful one is a session key. */
const LONGEST_FIELD = 4_096;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const COMMA = 0x2c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/** Like `textAt`, but quicker, and only for as long as `text` is needed anyway: it may be a slice of it. */
function nameAt(text: string, { start, end }: Span): string | undefined {
  const name = text.slice(start + 1, end - 1);
  return name.includes("\\") ? textAt(text, { start, end }) : name;
}

function fits(text: string, { chars, depth: deepest, values: most }: JsonBounds): boolean {
  if (text.length > chars) return false;
  let depth = 0;
  let values = 0;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case QUOTE:
        at = stringEnd(text, at) - 1;
        if (at < 0) return false;
        break;
      case OPEN_BRACE:
      case OPEN_BRACKET:
        if (++depth > deepest || ++values > most) return false;
        break;
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        depth--;
        break;
      case COMMA:
        if (++values > most) return false;
        break;
      default:
        break;
    }
  }
  return true;
}

/** The position after the string that begins at `start`, or -1 if it does not end. */
function stringEnd(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let before = end - 1;
    while (text.charCodeAt(before) === BACKSLASH) before--;
    if ((end - 1 - before) % 2 === 0) return end + 1;
  }
  return -1;
}

/** The position after the value that begins at `start`, or -1 if it does not end. */
function valueEnd(text: string, start: number): number {
  const first = text.charCodeAt(start);
  if (first === QUOTE) return stringEnd(text, start);
  if (first !== OPEN_BRACE && first !== OPEN_BRACKET) return scalarEnd(text, start);
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case QUOTE:
        at = stringEnd(text, at) - 1;
        if (at < 0) return -1;
        break;
      case OPEN_BRACE:
      case OPEN_BRACKET:
        depth++;
        break;
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        if (--depth === 0) return at + 1;
        break;
      default:
        break;
    }
  }
  return -1;
}

/** The position after a number or a literal, which is not checked. */
function scalarEnd(text: string, start: number): number {
  let at = start;
  while (at < text.length && !isDelimiter(text.charCodeAt(at))) at++;
  return at;
}

function isDelimiter(code: number): boolean {
  return code === COMMA || code === CLOSE_BRACE || code === CLOSE_BRACKET || isSpace(code);
}

function skipSpace(text: string, start: number): number {
  let at = start;
  while (isSpace(text.charCodeAt(at))) at++;
  return at;
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}
