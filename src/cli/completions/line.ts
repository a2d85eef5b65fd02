// The command line that is being completed, from the arguments that the shells pass.

/** A command line with a word to complete. */
export interface Line {
  /** The words before the word to complete, without the name of the program. */
  readonly before: readonly string[];
  /** The typed part of the word to complete. */
  readonly current: string;
  /** The number of characters at the start of `current` that the shell keeps; it replaces only the rest. */
  readonly kept: number;
}

/** The line from `words`. The word to complete is at `index`; it may be missing if it is empty. */
export function lineOf(words: readonly string[], index: number): Line {
  return { before: words.slice(0, index), current: words[index] ?? "", kept: 0 };
}

/**
 * Like `lineOf`, but from bash's `COMP_WORDS`, where words are quoted as on the line, and `--role=client` and `a@b` are
 * three words each.
 */
export function lineOfBash(pieces: readonly string[], index: number): Line {
  const words: string[][] = [];
  for (const [at, piece] of pieces.slice(0, index + 1).entries()) {
    const joins = BREAKS.test(piece) || BREAKS.test(pieces[at - 1] ?? "");
    if (joins && words.length > 0) words.at(-1)?.push(piece);
    else words.push([piece]);
  }
  const last = words.length > 0 && index < pieces.length ? (words.pop() ?? []) : [];
  const current = last.map(unquote).join("");
  return {
    before: words.map((word) => word.map(unquote).join("")),
    current,
    kept: current.length - replacedPart(last).length,
  };
}

// --- internal ---

/** The characters of bash's default `COMP_WORDBREAKS` that split words. */
const BREAKS = /^[=:@]+$/;

/** The part of a word that bash replaces: the last of `pieces`, including an @ before it but no other break. */
function replacedPart(pieces: readonly string[]): string {
  const last = pieces.at(-1) ?? "";
  const text = BREAKS.test(last) ? "" : unquote(last);
  const breaks = BREAKS.test(last) ? last : (pieces.at(-2) ?? "");
  return BREAKS.test(breaks) && breaks.endsWith("@") ? `@${text}` : text;
}

/** `text` without bash's quotes; the last one may be open. Nothing is expanded. */
function unquote(text: string): string {
  return text.replace(
    /'([^']*)(?:'|$)|"((?:[^"\\]|\\[\s\S])*)(?:"|\\?$)|\\([\s\S]|$)/g,
    (_match, single: string | undefined, double: string | undefined, escaped: string | undefined) =>
      single ?? double?.replace(/\\([$`"\\])/g, "$1") ?? escaped ?? "",
  );
}
