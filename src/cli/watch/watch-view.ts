// The view of `status --watch`: the lines that show a state on a screen. Pure.

import { exactTimeOfDay } from "../../core/time-words.ts";
import { wrappedLines } from "../../wrapped-lines.ts";
import { type FrameList, frameOf } from "../status/frame.ts";
import { firstVisible, type Viewport } from "../status/frame-crop.ts";
import { wrap } from "../status/frame-head.ts";
import { NO_ACCOUNTS } from "../status/no-accounts.ts";
import { fit } from "../terminal/fit.ts";
import { styleOf, type TextStyle } from "../terminal/glyphs.ts";
import { footerLines } from "./footer.ts";
import { helpPage } from "./help-page.ts";
import { ORDER_WORDS } from "./row-order.ts";
import { selectedIn, shownIn } from "./selection.ts";
import type { Mode, WatchState } from "./watch-state.ts";

/** The screen that a state is shown on. */
export interface WatchCanvas {
  readonly columns: number;
  readonly rows: number;
  readonly nowMs: number;
  readonly colour: boolean;
  /** True if the terminal shows UTF-8. */
  readonly utf8: boolean;
  /** Show the columns of `--wide`. */
  readonly wide: boolean;
}

/** At most `rows` lines, none wider than `columns`, and the part of the list or page that they show. */
export interface Picture {
  readonly lines: readonly string[];
  readonly viewport: Viewport;
}

export function pictureOf(state: WatchState, canvas: WatchCanvas): Picture {
  const { mode } = state;
  const picture =
    mode.kind === "help" || mode.kind === "account"
      ? pagePicture(state, mode, canvas)
      : state.known === undefined
        ? waitingPicture(state, canvas)
        : listPicture(state, state.known, canvas);
  return { ...picture, lines: picture.lines.slice(0, canvas.rows) };
}

// --- internal ---

/** How long a reply may take before the screen shows that it is missing, in ms. */
const OVERDUE_MS = 2_000;

/** `lines` and below them, in the last rows of the screen, `footer`. */
function withFooter(lines: readonly string[], footer: readonly string[], rows: number): string[] {
  const room = Math.max(0, rows - footer.length);
  const filled = [...lines.slice(0, room), ...Array<string>(Math.max(0, room - lines.length)).fill("")];
  return [...filled, ...footer];
}

function listPicture(
  state: WatchState,
  known: NonNullable<WatchState["known"]>,
  canvas: WatchCanvas,
): Picture {
  const { columns, rows, nowMs, colour, utf8 } = canvas;
  const style = styleOf({ colour, utf8 });
  const footer = footerLines(state, canvas, style);
  const { lines, viewport } = frameOf(
    { ...known, trouble: troubleOf(state, nowMs) },
    { ...canvas, height: { kind: "screen", rows: rows - footer.length, list: listOf(state, known) } },
  );
  // The footer is always at the bottom, where the eye expects it.
  return {
    lines: withFooter(
      lines.map((line) => fit(line, columns, style.glyphs.ellipsis)),
      footer,
      rows,
    ),
    viewport,
  };
}

function troubleOf({ trouble, askedMs }: WatchState, nowMs: number): string | undefined {
  if (trouble !== undefined)
    return trouble.next === undefined ? trouble.message : `${trouble.message}; ${trouble.next}`;
  return askedMs !== undefined && nowMs - askedMs > OVERDUE_MS ? "no answer yet" : undefined;
}

function listOf(state: WatchState, { status }: NonNullable<WatchState["known"]>): FrameList {
  const order = shownIn(state);
  const { sort, filter, viewport, history } = state;
  const isShown = selectedIn(state) !== undefined;
  return {
    order,
    selected: isShown ? state.position : undefined,
    viewport,
    notes: status.accounts.length > 1 ? [ORDER_WORDS[sort]] : [],
    empty: status.accounts.length === 0 ? NO_ACCOUNTS : `no alias or e-mail address contains ${filter}`,
    history,
  };
}

/** The screen before the first reply. */
function waitingPicture(state: WatchState, canvas: WatchCanvas): Picture {
  const { columns, rows } = canvas;
  const style = styleOf(canvas);
  const { trouble, expectedUrl } = state;
  const where = expectedUrl === "" ? "the proxy" : `the proxy at ${expectedUrl}`;
  const since = trouble === undefined ? "" : ` (since ${exactTimeOfDay(trouble.sinceMs)})`;
  const footer = footerLines(state, canvas, style);
  const lines = [
    ...wrapped(`waiting for ${where}${since}`, columns, style).map(style.paint.bold),
    ...wrapped(trouble?.message ?? "", columns, style),
    ...wrapped(trouble?.next ?? "", columns, style),
  ];
  return { lines: withFooter(lines, footer, rows), viewport: state.viewport };
}

function pagePicture(
  state: WatchState,
  mode: Extract<Mode, { kind: "help" | "account" }>,
  canvas: WatchCanvas,
): Picture {
  const { columns, rows } = canvas;
  const style = styleOf(canvas);
  const all = (mode.kind === "help" ? helpPage(style) : accountPage(mode, canvas)).flatMap((line) =>
    hanging(line, columns),
  );
  // The number of visible lines is in the footer, and depends on its height.
  const size = Math.max(0, rows - footerLines(state, canvas, style, "").length);
  const first = firstVisible({ count: all.length, size, from: mode.viewport.first, needed: [] });
  const shown = all.slice(first, first + size);
  const range = all.length <= size ? "" : `${first + 1}-${first + shown.length} of ${all.length}`;
  const footer = footerLines(state, canvas, style, range);
  return { lines: withFooter(shown, footer, rows), viewport: { first, rows: size } };
}

function accountPage(
  { account, details }: Extract<Mode, { kind: "account" }>,
  canvas: WatchCanvas,
): readonly string[] {
  return details === undefined ? [`reading ${account.alias} ...`] : details(canvas);
}

/** `line`, wrapped. Further lines begin below the second column of a table, or have the indentation of the line. */
function hanging(line: string, columns: number): string[] {
  if (Bun.stringWidth(line) <= columns) return [line];
  const lead = /^\s*\S.*?\s{2,}/.exec(line)?.[0] ?? "";
  const isColumn = lead !== "" && Bun.stringWidth(lead) <= columns / 2;
  const spaces = /^\s*/.exec(line)?.[0] ?? "";
  const width = isColumn ? Bun.stringWidth(lead) : Math.min(spaces.length, Math.floor(columns / 2));
  const text = line.slice((isColumn ? lead : spaces).length);
  const first = isColumn ? lead : " ".repeat(width);
  return wrappedLines(text, { columns, first, strict: true }).slice(0, MOST_LINES);
}

function wrapped(text: string, columns: number, { glyphs }: TextStyle): string[] {
  return text === "" ? [] : wrap(text, columns, MOST_LINES, glyphs.ellipsis);
}

/** A text from another machine must not fill the memory. */
const MOST_LINES = 100;
