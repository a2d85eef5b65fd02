// Makes text from other parties (backends, other proxies, files) safe to print: it cannot control the terminal, reorder
// the text around it, hide, or start a new line.

/** Longest text from another party in one place, in UTF-16 units; none of our own texts is longer. */
const LONGEST_SHOWN = 2_000;

/**
 * `text` on one line. Controls, format characters (bidi, zero width, tags), line separators, lone surrogates and
 * other invisible characters become spaces.
 */
export function oneLine(text: string): string {
  return text.replace(UNPRINTABLE, " ");
}

/** Like `oneLine`, cut to `limit` UTF-16 units: for text whose length another party controls. */
export function shortLine(text: string, limit = LONGEST_SHOWN): string {
  if (text.length <= limit) return oneLine(text);
  // Half a surrogate pair at the cut becomes a space, too.
  return `${oneLine(text.slice(0, limit))}...`;
}

/** `text` for printing: keeps line breaks, tabs and our own colours, and treats everything else like `oneLine`. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE_OR_OURS, (found) => (OURS.test(found) ? found : " "));
}

/**
 * `json` (a JSON text) with the same meaning but only printable characters. Needed because JSON.stringify does not
 * escape DEL, C1 controls and format characters.
 */
export function printableJson(json: string): string {
  return json.replace(UNPRINTABLE, (found) => JSON_SPACE[found] ?? escaped(found));
}

/** Applies `oneLine` to every string in `value` (parsed JSON), down to `DEEPEST_SHOWN`: nothing deeper is shown. */
export function oneLineTexts(value: unknown, depth = 0): unknown {
  if (typeof value === "string") return oneLine(value);
  if (typeof value !== "object" || value === null || depth > DEEPEST_SHOWN) return value;
  if (Array.isArray(value)) return value.map((entry) => oneLineTexts(entry, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([name, entry]) => [oneLine(name), oneLineTexts(entry, depth + 1)]),
  );
}

export interface PlainText {
  /** Returns what can be printed so far: keeps line breaks and tabs, removes escape sequences. */
  read(chunk: string): string;
}

/** Converts the output of a program on another machine to plain text. Chunks may end in the middle of a sequence. */
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

/** Our documents do not nest deeper: only a chain of proxies adds levels, and chains are short. */
const DEEPEST_SHOWN = 100;

const ESC = "\u001b";
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Default_Ignorable_Code_Point}]/gu;

/** The colours and styles of `cli/terminal/colours.ts` and of the help. */
const COLOUR = new RegExp(`${ESC}\\[(?:0|1|2|7|22|27|31|32|33|39)m`, "g");
const OURS = new RegExp(`^(?:[\\n\\t]|${COLOUR.source})$`);
const UNPRINTABLE_OR_OURS = new RegExp(`${COLOUR.source}|${UNPRINTABLE.source}`, "gu");

/** Anything longer is not a sequence but text hidden behind the beginning of one. */
const LONGEST_SEQUENCE = 64;
/** CSI and two-character sequences (ECMA-48), which programs use for colours and cursor movement. */
const SEQUENCE = new RegExp(`${ESC}(?:\\[[0-?]{0,61}[ -/]{0,2}[@-~]|[ -/]{0,2}[0-Z\\\\^-~])`, "g");
/** An incomplete sequence or half a line break at the end of a chunk. */
const BEGUN = new RegExp(`(?:${ESC}(?:\\[[0-?]*[ -/]*|[ -/]*)?|\\r)$`);

/** White space between the tokens of a JSON text. Inside its strings these characters are always escaped. */
const JSON_SPACE: Readonly<Record<string, string>> = { "\n": "\n", "\t": "\t", "\r": " " };

function escaped(character: string): string {
  return Array.from(
    { length: character.length },
    (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`,
  ).join("");
}
