// The last lines of the live status: a question, a message, or the keys that work now. Pure.

import { exactTimeOfDay } from "../../core/time-words.ts";
import { wrap } from "../status/frame-head.ts";
import { fit } from "../terminal/fit.ts";
import type { TextStyle } from "../terminal/glyphs.ts";
import { type ChangeKind, changeKinds } from "./account-change.ts";
import { selectedIn, shownIn } from "./selection.ts";
import type { Trouble, WatchState } from "./watch-state.ts";

/** Room for the footer. */
export interface FooterSpace {
  readonly columns: number;
  /** The rows of the whole screen. */
  readonly rows: number;
  readonly nowMs: number;
}

/**
 * The lines below the list or the page. At most a third of the screen, and one of three rows: none of them is wider than
 * `columns`. `range` is the part of the page that is visible, such as `1-20 of 45`; undefined for the list.
 */
export function footerLines(
  state: WatchState,
  { columns, rows, nowMs }: FooterSpace,
  style: TextStyle,
  range: string | undefined = undefined,
): string[] {
  const { ellipsis } = style.glyphs;
  const message = messageOf(state, nowMs, style, range !== undefined);
  const lines =
    message === undefined
      ? []
      : wrap(message.text, columns, Math.max(1, Math.floor(rows / MESSAGE_SHARE)), ellipsis).map(
          message.brush,
        );
  if (message?.isQuestion || rows < ROWS_WITH_KEYS) return lines;
  const keys = range === undefined ? listKeys(state, style) : pageKeys(range, style);
  return [...lines, keyLine(keys, columns, style)];
}

// --- internal ---

/** A message gets at most a third of the screen. */
const MESSAGE_SHARE = 3;
/** Smaller screens do not name the keys. */
const ROWS_WITH_KEYS = 4;
/** How long a good outcome is shown, in ms. */
const DONE_MS = 15_000;

interface Message {
  readonly text: string;
  readonly brush: (text: string) => string;
  /** True if the keys only answer it. */
  readonly isQuestion: boolean;
}

function messageOf(
  state: WatchState,
  nowMs: number,
  { paint }: TextStyle,
  isPage: boolean,
): Message | undefined {
  const { mode, notice, trouble } = state;
  if (mode.kind === "confirm")
    return { text: `${mode.change.question}. y/n`, brush: paint.bold, isQuestion: true };
  if (mode.kind === "filter")
    return {
      text: `filter: ${state.filter}_  ${matchWords(state)}  Enter keep  Esc clear`,
      brush: paint.bold,
      isQuestion: true,
    };
  if (notice !== undefined && (notice.kind !== "done" || nowMs - notice.atMs < DONE_MS)) {
    const brush = { done: paint.green, note: paint.bold, problem: paint.red }[notice.kind];
    return { text: notice.kind === "problem" ? `! ${notice.text}` : notice.text, brush, isQuestion: false };
  }
  if (state.filter !== "" && !isPage)
    return {
      text: `filter: ${state.filter}  ${matchWords(state)}  Esc clear`,
      brush: paint.bold,
      isQuestion: false,
    };
  // The list has this in its head.
  if (isPage && trouble !== undefined && state.known !== undefined)
    return { text: `! ${troubleWords(trouble)}`, brush: paint.bold, isQuestion: false };
  return undefined;
}

/** How many accounts contain the filter. */
function matchWords(state: WatchState): string {
  return `${shownIn(state).length} of ${state.known?.status.accounts.length ?? 0}`;
}

function troubleWords({ message, sinceMs }: Trouble): string {
  return `no answer since ${exactTimeOfDay(sinceMs)}: ${message}`;
}

/** A key and what it does. Keys with a higher rank are left out first, or replaced by `shorter`. */
interface KeyHint {
  readonly key: string;
  readonly does: string;
  readonly rank: number;
  readonly shorter?: KeyHint;
}

const HELP: KeyHint = { key: "?", does: "help", rank: 1 };
const QUIT: KeyHint = { key: "q", does: "quit", rank: 0 };

const KEY_WORDS: Readonly<Record<ChangeKind, string>> = {
  pin: "pin",
  unpin: "unpin",
  drain: "drain",
  undrain: "end drain",
  disable: "disable",
  enable: "enable",
};

function listKeys(state: WatchState, { glyphs }: TextStyle): readonly KeyHint[] {
  const { known, trouble, isChanging } = state;
  if (known === undefined) return [HELP, QUIT];
  const account = trouble === undefined && !isChanging ? selectedIn(state) : undefined;
  const kinds = account === undefined ? undefined : changeKinds(account, known.status);
  const count = shownIn(state).length;
  return [
    ...(count > 1 ? [{ key: glyphs.upDown, does: "select", rank: 9 }] : []),
    ...(kinds === undefined
      ? []
      : [
          { key: glyphs.enter, does: "open", rank: 5 },
          { key: "p", does: KEY_WORDS[kinds.pin], rank: 2 },
          ...(kinds.drain === undefined ? [] : [{ key: "d", does: KEY_WORDS[kinds.drain], rank: 3 }]),
          { key: "e", does: KEY_WORDS[kinds.enable], rank: 4 },
        ]),
    ...(count > 1 ? [{ key: "s", does: "sort", rank: 8 }] : []),
    ...(known.status.accounts.length > 1 ? [{ key: "/", does: "filter", rank: 7 }] : []),
    { key: "h", does: state.history ? "hide" : "history", rank: 6 },
    HELP,
    QUIT,
  ];
}

function pageKeys(range: string, { glyphs }: TextStyle): readonly KeyHint[] {
  return [
    ...(range === "" ? [] : [{ key: glyphs.upDown, does: "scroll", rank: 4 }]),
    { key: "Esc", does: "back", rank: 1 },
    { ...QUIT, rank: 2 },
    // On a narrow screen, too, it must be visible that there are more lines.
    ...(range === "" ? [] : [{ key: "", does: `lines ${range}`, rank: 3, shorter: shortRange(range) }]),
  ];
}

/** `1-20/45` for `1-20 of 45`. */
function shortRange(range: string): KeyHint {
  return { key: "", does: range.replace(" of ", "/"), rank: 0 };
}

/** The hints that fit on one line. */
function keyLine(hints: readonly KeyHint[], columns: number, { paint, glyphs }: TextStyle): string {
  const widthOf = (shown: readonly KeyHint[]) =>
    Bun.stringWidth(shown.map(({ key, does }) => `${key} ${does}`.trim()).join(GAP));
  let shown = hints;
  while (shown.length > 1 && widthOf(shown) > columns) {
    const highest = Math.max(...shown.map(({ rank }) => rank));
    shown = shown.flatMap((hint) => (hint.rank !== highest ? [hint] : (hint.shorter ?? [])));
  }
  const line = shown.map(({ key, does }) =>
    key === "" ? paint.dim(does) : `${paint.bold(key)} ${paint.dim(does)}`,
  );
  return fit(line.join(GAP), columns, glyphs.ellipsis);
}

const GAP = "  ";
