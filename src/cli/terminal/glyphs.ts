// The characters that text for a terminal is drawn with: Unicode where the locale has UTF-8, otherwise ASCII.

import { type Paint, paintOf } from "./colours.ts";
import { wantsColour } from "./terminal.ts";

export interface Glyphs {
  /** A filled and an empty step of a bar. */
  readonly full: string;
  readonly empty: string;
  readonly arrow: string;
  /** The end of a text that was cut off. */
  readonly ellipsis: string;
  /** The marks of a check, all of the same width. */
  readonly ok: string;
  readonly warning: string;
  readonly bad: string;
  /** The mark of the selected row, one column wide. */
  readonly pointer: string;
  /** The keys that move up and down, and the Enter key. */
  readonly upDown: string;
  readonly enter: string;
}

/** How text for a person is drawn. */
export interface TextStyle {
  readonly paint: Paint;
  readonly glyphs: Glyphs;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** The style for standard output. */
export function outputStyle(env: Environment): TextStyle {
  return styleOf({ colour: wantsColour(env), utf8: hasUtf8(env) });
}

export function styleOf({ colour, utf8 }: { readonly colour: boolean; readonly utf8: boolean }): TextStyle {
  return { paint: paintOf(colour), glyphs: utf8 ? UNICODE : ASCII };
}

/** True if the locale's encoding is UTF-8: the first of LC_ALL, LC_CTYPE and LANG that is set decides, as in POSIX. */
export function hasUtf8({ LC_ALL, LC_CTYPE, LANG }: Environment): boolean {
  return /utf-?8/i.test(LC_ALL || LC_CTYPE || LANG || "");
}

// --- internal ---

const UNICODE: Glyphs = {
  full: "█",
  empty: "░",
  arrow: "→",
  ellipsis: "…",
  ok: "✓",
  warning: "!",
  bad: "✗",
  pointer: "›",
  upDown: "↑↓",
  enter: "↵",
};
const ASCII: Glyphs = {
  full: "#",
  empty: "-",
  arrow: "->",
  ellipsis: "...",
  ok: "ok",
  warning: " !",
  bad: " x",
  pointer: ">",
  upDown: "Up/Down",
  enter: "Enter",
};
