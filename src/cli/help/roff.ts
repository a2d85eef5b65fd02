// The few words of roff, the language of manual pages, that the page needs (man(7)). Text is escaped here and nowhere
// else.

/** Text of a page that is roff already. */
export interface Roff {
  readonly roff: string;
}

export type Text = string | Roff;

/** As it is typed. */
export function bold(text: string): Roff {
  return { roff: `\\fB${escaped(text)}\\fR` };
}

/** What stands for something else. */
export function italic(text: string): Roff {
  return { roff: `\\fI${escaped(text)}\\fR` };
}

/** `date` as `2026-01-31`: it is read, and so the one thing that is not escaped. */
export function title(name: string, date: string, version: string): string {
  return `.TH ${quoted(name.toUpperCase())} 1 ${date} ${quoted(`${name} ${version}`)} "User Commands"`;
}

export function section(name: string): string {
  return `.SH ${quoted(name)}`;
}

export function subSection(name: string): string {
  return `.SS ${quoted(name)}`;
}

export function paragraph(...texts: readonly Text[]): string {
  return `.PP\n${line(texts)}`;
}

/** The first line of a section: no space above it. */
export function line(texts: readonly Text[]): string {
  return texts.map((text) => (typeof text === "string" ? escaped(text) : text.roff)).join("");
}

/** `term`, and below it, indented, what it means. */
export function explained(term: readonly Text[], meaning: string): string {
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

/** Escaped so that each character comes out as it is, and none at the beginning of a line is a command. */
function escaped(text: string): string {
  const one = text.replace(/\s+/g, " ").replace(/[\\'`^~"-]|[^\x20-\x7e]/gu, (character) => {
    const code = character.codePointAt(0)?.toString(16).toUpperCase().padStart(4, "0");
    return ESCAPES[character] ?? `\\[u${code}]`;
  });
  return one.replace(/^\./, "\\&.");
}

function quoted(text: string): string {
  return `"${escaped(text)}"`;
}
