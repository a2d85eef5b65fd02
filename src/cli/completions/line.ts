// The line that is being completed, out of what the shells say of it.

export interface Line {
  /** The words before the one that is completed, without the program's name. */
  readonly before: readonly string[];
  /** The one that is completed, as far as it is there. */
  readonly current: string;
  /** So many characters at the beginning of `current` stay as they are: the shell completes what is behind them. */
  readonly kept: number;
}

/** From `words`, of which the one at `index` is completed; it may be missing when it is empty. */
export function lineOf(words: readonly string[], index: number): Line {
  return { before: words.slice(0, index), current: words[index] ?? "", kept: 0 };
}

/**
 * As `lineOf`, from bash's `COMP_WORDS`: they are quoted as on the line, and `--role=client` and `a@b` are three words
 * each.
 */
export function lineOfBash(pieces: readonly string[], index: number): Line {
  const words: string[][] = [];
  for (const [at, piece] of pieces.slice(0, index + 1).entries()) {
    const joins = BREAKS.test(piece) || BREAKS.test(pieces[at - 1] ?? "");
    if (joins && words.length > 0) words.at(-1)?.push(piece);
    else words.push([piece]);
  }
  const last = words.length > 0 && index < pieces.length ? (words.pop() ?? []) : [];
  const current = last.map(unquoted).join("");
  return {
    before: words.map((word) => word.map(unquoted).join("")),
    current,
    kept: current.length - completedOf(last).length,
  };
}

// --- internal ---

/** What is split from its neighbours, of bash's default `COMP_WORDBREAKS`. */
const BREAKS = /^[=:@]+$/;

/** What bash replaces of a word in `pieces`: its last piece, to which an @ belongs and other breaks do not. */
function completedOf(pieces: readonly string[]): string {
  const last = pieces.at(-1) ?? "";
  const text = BREAKS.test(last) ? "" : unquoted(last);
  const breaks = BREAKS.test(last) ? last : (pieces.at(-2) ?? "");
  return BREAKS.test(breaks) && breaks.endsWith("@") ? `@${text}` : text;
}

/** `text` without bash's quotes, of which the last may not be closed. Nothing in it is expanded. */
function unquoted(text: string): string {
  return text.replace(
    /'([^']*)(?:'|$)|"((?:[^"\\]|\\[\s\S])*)(?:"|\\?$)|\\([\s\S]|$)/g,
    (_match, single: string | undefined, double: string | undefined, escaped: string | undefined) =>
      single ?? double?.replace(/\\([$`"\\])/g, "$1") ?? escaped ?? "",
  );
}
