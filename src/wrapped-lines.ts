// Wraps text for a terminal, at spaces. Text that a person copies stays in one piece (commands, paths, URLs, settings), and
// so does a number with its unit.

import { ADVISED_COMMANDS } from "./advice.ts";

export interface Wrapping {
  /** The width of the terminal. */
  readonly columns: number;
  /** The text before the first line; the other lines are indented by its width. Default: "". */
  readonly first?: string;
  /**
   * True for a screen or a cell of a table, where no line may be wider than `columns`. Otherwise a word or a command that
   * is wider has a line of its own, without indentation, which the terminal wraps.
   */
  readonly strict?: boolean;
}

/**
 * The lines of `given` after `first`. Spaces at the start of `given` count as part of `first`. Widths are those that a
 * terminal shows, whatever the colours and wide characters.
 */
export function wrappedLines(
  given: string,
  { columns, first: before = "", strict = false }: Wrapping,
): string[] {
  const trimmed = given.trimStart();
  // A coloured text may have its first spaces after the code of its colour.
  const [inColour = ""] = /^ */.exec(Bun.stripANSI(trimmed)) ?? [];
  const text = inColour === "" ? trimmed : Bun.sliceAnsi(trimmed, inColour.length);
  const first = before + given.slice(0, given.length - trimmed.length) + inColour;
  const indent = " ".repeat(Bun.stringWidth(first));
  const width = Math.max(strict ? 1 : LEAST_COLUMNS, columns - indent.length);
  if (Bun.stringWidth(text) <= width) return [`${first}${text}`];
  const glued = text.replace(WHOLE, (piece) =>
    strict && Bun.stringWidth(piece) > width ? piece : piece.replaceAll(" ", GLUE),
  );
  return Bun.wrapAnsi(glued, width, { hard: strict })
    .split("\n")
    .map((line, index) => {
      const words = line.replaceAll(GLUE, " ").trimEnd();
      if (index === 0) return `${first}${words}`;
      return Bun.stringWidth(words) > width ? words : `${indent}${words}`;
    });
}

// --- internal ---

/** Shorter lines are hard to read, so a narrower terminal has to wrap these itself. */
const LEAST_COLUMNS = 12;

/** A no-break space, which replaces the spaces in a command because `wrapAnsi` does not wrap there. */
const GLUE = "\u00a0";

/** A word of a command line. It does not include the punctuation of the sentence. */
const WORD = String.raw`(?:'[^']*'|"[^"]*"|[;,](?=\S)|[^\s'"();,])+`;
const OWN = `codexlb (?:${Object.keys(ADVISED_COMMANDS)
  .sort((one, other) => other.length - one.length)
  .join("|")})(?![\\w-])`;
const OTHERS =
  "codex|sudo|systemctl|loginctl|launchctl|journalctl|npm|brew|apt-get|docker|make|pgrep|kill|chmod|eval";
/** At the start or after a colon, a command extends to the end of the phrase. After `warning: ` it may be the subject. */
const PHRASE = `(?<=^|(?<!warning): )(?:[A-Z][A-Z0-9_]*=${WORD} )*(?:${OWN}|(?:${OTHERS})(?= ))(?: ${WORD})*`;
/** Elsewhere, it is one of our own commands, with flags and with words in capitals. */
const IN_SENTENCE = String.raw`${OWN}(?: (?:--[\w-]+(?:[ =]${WORD})?|[A-Z]{2,}\b))*`;
/** A header of a request, and a setting in config.toml. */
const HEADER = String.raw`\bAuthorization: Bearer [\w$-]+`;
const SETTING = String.raw`\b[a-z_]+(?:\.[a-z_]+)* = (?:"[^"]*"|[\w.]+)`;
/** Text in backquotes. */
const QUOTED = "`[^`]+`";
/** A number and what it counts: `7 days`, `20.00 USD`, `2 reset credits`. */
const UNITS =
  "%|ms|s|min|h|(?:second|minute|hour|day|week|month)s?|USD|bytes|[KMG]i?B|points|characters|columns|times?|(?:reset )?credits?|(?:turn|request|account|session|warning)s?";
const FIGURE = String.raw`(?<![\d.,])\d[\d.,]* (?:${UNITS})(?!\w)`;
const WHOLE = new RegExp([PHRASE, IN_SENTENCE, HEADER, SETTING, QUOTED, FIGURE].join("|"), "g");
