// Text that a terminal must not receive from others, and a check that finds such characters in output.

/** One example of each kind. The visible text around it shows whether the example was printed at all. */
export const HOSTILE: readonly string[] = [
  "\u001b[2J\u001b[1;1H",
  "\u001b]0;title\u0007",
  "\u001b[31m",
  "\u009b2J",
  "\u009d0;title\u009c",
  "\u0000",
  "\u0008",
  "\r",
  "\n",
  "\t",
  "\u007f",
  "\u0085",
  "\u00ad",
  "\u061c",
  "\u200b",
  "\u200e",
  "\u200f",
  "\u2028",
  "\u2029",
  "\u202a",
  "\u202e",
  "\u2066",
  "\u2069",
  "\ufeff",
  "\u{e0041}",
  "\ud800",
  "\udc00",
];

/** A name that begins with `word` and contains all examples. */
export function hostile(word: string): string {
  return `${word}${HOSTILE.join("x")}end`;
}

/** The characters of `text` that no terminal may receive, as code points. Those in `allowed` are codexlb's own. */
export function unprintableIn(text: string, allowed = ""): string[] {
  return [...text]
    .filter((character) => !allowed.includes(character) && isUnprintable(character.codePointAt(0) ?? 0))
    .map((character) => `U+${(character.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`);
}

// --- internal ---

/** Lists the ranges by hand, so that a mistake in the program's own pattern is found. */
function isUnprintable(code: number): boolean {
  return RANGES.some(([first, last]) => code >= first && code <= last);
}

const RANGES: readonly (readonly [number, number])[] = [
  [0x00, 0x1f],
  [0x7f, 0x9f],
  [0xad, 0xad],
  [0x61c, 0x61c],
  [0x180e, 0x180e],
  [0x200b, 0x200f],
  [0x2028, 0x202e],
  [0x2060, 0x206f],
  [0xd800, 0xdfff],
  [0xfeff, 0xfeff],
  [0xfff9, 0xfffb],
  [0xe0000, 0xe0fff],
];
