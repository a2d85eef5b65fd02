// The few requests of roff, the language of manual pages, that the page needs (man(7)). Only this file escapes text.

/** Text that is roff source already. */
export interface Roff {
  readonly roff: string;
}

/** Plain text or roff source. */
export type Text = string | Roff;

/** Text to type as it is. */
export function bold(text: string): Roff {
  return { roff: `\\fB${escapeText(text)}\\fR` };
}

/** A placeholder. */
export function italic(text: string): Roff {
  return { roff: `\\fI${escapeText(text)}\\fR` };
}

/** The title line. `date` is like `2026-01-31`; programs read it, so it is not escaped. */
export function title(name: string, date: string, version: string): string {
  return `.TH ${quote(name.toUpperCase())} 1 ${date} ${quote(`${name} ${version}`)} "User Commands"`;
}

export function section(name: string): string {
  return `.SH ${quote(name)}`;
}

export function subSection(name: string): string {
  return `.SS ${quote(name)}`;
}

export function paragraph(...texts: readonly Text[]): string {
  return `.PP\n${line(texts)}`;
}

/** A line of text without space above it. */
export function line(texts: readonly Text[]): string {
  return texts.map((text) => (typeof text === "string" ? escapeText(text) : text.roff)).join("");
}

/** `term`, and its meaning indented below it. */
export function definition(term: readonly Text[], meaning: Text): string {
  return `.TP\n${line(term)}\n${line([meaning])}`;
}

// --- internal ---

const ESCAPES: Readonly<Record<string, string>> = {
  "\\": "\\e",
  "-": "\\-",
  "'": "\\(aq",
  "`": "\\(ga",
  "^": "\\(ha",
  "~": "\\(ti",
  '"': "\\(dq",
};

/** Escapes `text` so that every character appears as it is, and no line starts with a request. */
function escapeText(text: string): string {
  const one = text.replace(/\s+/g, " ").replace(/[\\'`^~"-]|[^\x20-\x7e]/gu, (character) => {
    const code = character.codePointAt(0)?.toString(16).toUpperCase().padStart(4, "0");
    return ESCAPES[character] ?? `\\[u${code}]`;
  });
  return one.replace(/^\./, "\\&.");
}

function quote(text: string): string {
  return `"${escapeText(text)}"`;
}
