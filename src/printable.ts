// Text from others (backends, other proxies, files) made safe to print: nothing in it can steer a terminal, reorder
// what stands around it, hide, or begin a line of its own.

/** Longest text of others in one place on the screen, in UTF-16 units; no name, reason or error of ours is longer. */
const LONGEST_SHOWN = 2_000;

/**
 * `text` on one line. Controls, format characters (bidi, zero width, tags), line separators, lone surrogates and
 * other characters that are drawn as nothing become spaces.
 */
export function oneLine(text: string): string {
  return text.replace(UNPRINTABLE, " ");
}

/** As `oneLine`, cut to `limit` UTF-16 units: for text whose length somebody else decides. */
export function shortLine(text: string, limit = LONGEST_SHOWN): string {
  if (text.length <= limit) return oneLine(text);
  // Half a surrogate pair at the cut becomes a space like any other.
  return `${oneLine(text.slice(0, limit))}...`;
}

/** `text` as it is printed: line breaks, tabs and our own colours stay, everything else is as in `oneLine`. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE_OR_OURS, (found) => (OURS.test(found) ? found : " "));
}

/**
 * `json` (a JSON text) with the same meaning and only printable characters: JSON.stringify leaves DEL, C1 controls and
 * format characters as they are.
 */
export function printableJson(json: string): string {
  return json.replace(UNPRINTABLE, (found) => JSON_SPACE[found] ?? escaped(found));
}

/** `value` (of a JSON text) with each text in it as in `oneLine`; what nests deeper than anything that is shown stays. */
export function oneLineTexts(value: unknown, depth = 0): unknown {
  if (typeof value === "string") return oneLine(value);
  if (typeof value !== "object" || value === null || depth > DEEPEST_SHOWN) return value;
  if (Array.isArray(value)) return value.map((entry) => oneLineTexts(entry, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([name, entry]) => [oneLine(name), oneLineTexts(entry, depth + 1)]),
  );
}

export interface PlainText {
  /** The part of the text so far that can be printed: line breaks and tabs stay, escape sequences are left out. */
  read(chunk: string): string;
}

/** What a program on another machine writes, as plain text. A sequence may be cut anywhere between two chunks. */
export function plainText(): PlainText {
  let held = "";
  return {
    read: (chunk) => {
      const text = (held + chunk).replace(SEQUENCE, "").replaceAll("\r\n", "\n");
      const begun = BEGUN.exec(text)?.index ?? text.length;
      held = text.length - begun > LONGEST_SEQUENCE ? "" : text.slice(begun);
      return printable(text.slice(0, text.length - held.length)).replaceAll(COLOUR, "");
    },
  };
}

// --- internal ---

/** No document of ours nests deeper, but for proxies below proxies, which are at most a few. */
const DEEPEST_SHOWN = 100;

const ESC = "\u001b";
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Default_Ignorable_Code_Point}]/gu;

/** The colours of `cli/paint.ts` and of the help. */
const COLOUR = new RegExp(`${ESC}\\[(?:0|1|2|22|31|32|33|39)m`, "g");
const OURS = new RegExp(`^(?:[\\n\\t]|${COLOUR.source})$`);
const UNPRINTABLE_OR_OURS = new RegExp(`${COLOUR.source}|${UNPRINTABLE.source}`, "gu");

/** Longer ones are no sequences, but text that somebody hides behind the beginning of one. */
const LONGEST_SEQUENCE = 64;
/** CSI and two-character sequences (ECMA-48), which are what programs colour and move with. */
const SEQUENCE = new RegExp(`${ESC}(?:\\[[0-?]{0,61}[ -/]{0,2}[@-~]|[ -/]{0,2}[0-Z\\\\^-~])`, "g");
/** The beginning of a sequence at the end of a chunk, or half a line break. */
const BEGUN = new RegExp(`(?:${ESC}(?:\\[[0-?]*[ -/]*|[ -/]*)?|\\r)$`);

/** White space between the tokens of a JSON text; within its strings there is none of these. */
const JSON_SPACE: Readonly<Record<string, string>> = { "\n": "\n", "\t": "\t", "\r": " " };

function escaped(character: string): string {
  return Array.from(
    { length: character.length },
    (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`,
  ).join("");
}
