// Lays out the rows of the status frame: one line for each row at every width. The columns and their order are always
// the same; what has no room is shortened or left out, text last.

import type { ShownState } from "../../core/account-state.ts";
import { OPTION_HEADINGS } from "../../core/option-words.ts";
import type { FrameRow, FrameRows, TextColumn } from "../../core/status-rows.ts";
import { fill, fit } from "../terminal/fit.ts";
import type { TextStyle } from "../terminal/glyphs.ts";
import { stateBrush } from "./state-brush.ts";
import { type CellSize, cellWidth, windowCell } from "./window-cell.ts";

/** The width that the rows must fit, and how they are drawn. */
export interface LayoutOptions {
  readonly columns: number;
  /** Show the columns of `--wide`, even if they do not fit. */
  readonly wide: boolean;
  readonly nowMs: number;
  readonly style: TextStyle;
}

export interface RowLayout {
  /** The headings. */
  readonly caption: string;
  /**
   * The line of a row. It is wider than `columns` only if that is less than about 50, or with `wide`. A selected row
   * has a mark before its name.
   */
  line(row: FrameRow, isSelected?: boolean): string;
  /** The wording that the line of a row shows of its state. */
  wording(state: ShownState): string;
}

/** The layout that fits all of `rows`. */
export function layoutOf(rows: FrameRows, options: LayoutOptions): RowLayout {
  const all = [...rows.accounts, ...rows.limits, rows.pool];
  const plan = planOf(all, rows.captions, options);
  const { style, nowMs } = options;
  const { paint, glyphs } = style;
  // What is left of an account that is out of service does not count.
  const offStyle = { glyphs, paint: { ...paint, green: paint.dim, yellow: paint.dim, red: paint.dim } };
  const cells = (
    { isActive, isPinned, windows, texts, ...row }: FrameRow,
    name: string,
    state: string,
    isSelected: boolean,
    isOff = row.state?.level === "off",
  ): readonly (readonly [string, number])[] => [
    [`${isActive ? "*" : " "}${isSelected ? glyphs.pointer : " "}${name}`, INDENT + plan.name],
    [isPinned ? "P" : "", PIN.length],
    [state, plan.state],
    ...rows.captions.map((_caption, index): [string, number] => [
      windowCell(windows[index], plan.cell, isOff ? offStyle : style, nowMs),
      plan.window[index] ?? 0,
    ]),
    ...plan.texts.map(([column, width]): [string, number] => [texts[column] ?? "", width]),
  ];
  const join = (parts: readonly (readonly [string, number])[]) =>
    parts
      .map(([text, width]) => fill(text, width, glyphs.ellipsis))
      .join(GAP)
      .trimEnd();
  const wording = (state: ShownState) => fitting(state, plan.state);
  return {
    caption: paint.dim(
      join([
        ["  ACCOUNT", INDENT + plan.name],
        [PIN, PIN.length],
        ["STATUS", plan.state],
        ...plan.captions.map((caption, index): [string, number] => [caption, plan.window[index] ?? 0]),
        ...plan.texts,
      ]),
    ),
    line: (row, isSelected = false) => {
      const name = fit(row.name, plan.name, glyphs.ellipsis);
      const { state } = row;
      const words = state === undefined ? "" : fit(wording(state), plan.state, glyphs.ellipsis);
      const drawn = state === undefined ? words : stateBrush(state.level, paint)(words);
      return join(cells(row, row.isActive || row === rows.pool ? paint.bold(name) : name, drawn, isSelected));
    },
    wording,
  };
}

// --- internal ---

const GAP = "  ";
/** The marks of the active and of the selected account. */
const INDENT = 2;
const PIN = "PIN";
const STATUS_WIDTH = "STATUS".length;
const ACCOUNT_WIDTH = "ACCOUNT".length;
/** Longer names are shortened before any other text. */
const SHORT_NAME = 12;
/** Shorter bars say less than the percentage before them. */
const SHORTEST_BAR = 6;
/** Longer bars are harder to compare. */
const LONGEST_BAR = 24;
/** In the order in which they get room. */
const OPTIONAL: readonly TextColumn[] = ["CREDITS", "IN FLIGHT", "SESSIONS", "PLAN"];
const LAST: TextColumn = "EMAIL";
const WIDE: readonly TextColumn[] = [...OPTION_HEADINGS, "PROXY", "SCORE", "FIGURES"];

/** The widths of all columns. */
interface ColumnPlan {
  readonly name: number;
  readonly state: number;
  readonly captions: readonly string[];
  readonly window: readonly number[];
  readonly cell: CellSize;
  readonly texts: readonly (readonly [TextColumn, number])[];
}

/** Starts with the narrowest columns, and gives the room to one thing after another. */
function planOf(
  rows: readonly FrameRow[],
  fullCaptions: readonly string[],
  { columns, wide }: LayoutOptions,
): ColumnPlan {
  const count = fullCaptions.length;
  const longestName = Math.max(ACCOUNT_WIDTH, ...rows.map(({ name }) => Bun.stringWidth(name)));
  const states = rows.flatMap((row) => row.state ?? []);
  const textWidth = (column: TextColumn): number => {
    const widest = Math.max(0, ...rows.map(({ texts }) => Bun.stringWidth(texts[column] ?? "")));
    return widest === 0 ? 0 : Math.max(column.length, widest);
  };
  let name = Math.min(longestName, SHORT_NAME);
  let state = Math.max(STATUS_WIDTH, ...states.map(shortestWidth));
  let captions = fullCaptions.map(shortCaption);
  let cell: CellSize = { bar: 0, reset: "none" };
  const windowWidths = (size: CellSize, words: readonly string[]) =>
    words.map((word) => Math.max(word.length, cellWidth(size)));
  const total = (widths: readonly number[]) => widths.reduce((sum, width) => sum + width, 0);
  const texts = new Map<TextColumn, number>();
  const addText = (column: TextColumn) => {
    const width = textWidth(column);
    if (width > 0 && take(GAP.length + width)) texts.set(column, width);
  };
  let room =
    columns -
    (INDENT + name + GAP.length + PIN.length + GAP.length + state) -
    (count * GAP.length + total(windowWidths(cell, captions)));
  const take = (wanted: number): boolean => {
    if (wanted > room) return false;
    room -= wanted;
    return true;
  };
  const resize = (size: CellSize, words: readonly string[]): boolean => {
    if (!take(total(windowWidths(size, words)) - total(windowWidths(cell, captions)))) return false;
    cell = size;
    captions = [...words];
    return true;
  };

  /** Gives the state column as much room as the longest of these wordings that fits. */
  const widenState = (wordingsOf: (state: ShownState) => readonly string[]) => {
    const widths = states.flatMap(wordingsOf).map((words) => Bun.stringWidth(words));
    const widest = Math.max(state, ...widths.filter((width) => width - state <= room));
    room -= widest - state;
    state = widest;
  };

  if (wide)
    for (const column of WIDE) {
      const width = textWidth(column);
      room -= width === 0 ? 0 : GAP.length + width;
      if (width > 0) texts.set(column, width);
    }
  resize({ bar: 0, reset: "short" }, captions);
  resize(cell, fullCaptions);
  widenState(({ wordings, command }) => (command === undefined ? wordings : wordings.slice(1)));
  if (take(longestName - name)) name = longestName;
  widenState(({ wordings }) => wordings);
  const hasBars = resize({ ...cell, bar: SHORTEST_BAR }, captions);
  for (const column of OPTIONAL) addText(column);
  if (cell.reset === "short") resize({ ...cell, reset: "long" }, captions);
  addText(LAST);
  if (hasBars)
    for (let bar = LONGEST_BAR; bar > cell.bar; bar--) if (resize({ ...cell, bar }, captions)) break;
  return {
    name,
    state,
    captions,
    window: windowWidths(cell, captions),
    cell,
    texts: [...OPTIONAL, LAST, ...WIDE].flatMap((column): [TextColumn, number][] => {
      const width = texts.get(column);
      return width === undefined ? [] : [[column, width]];
    }),
  };
}

function shortestWidth({ wordings }: ShownState): number {
  return Math.min(...wordings.map((words) => Bun.stringWidth(words)));
}

/** The first wording that fits into `width`; the column has room for one of every state. */
function fitting({ wordings }: ShownState, width: number): string {
  return wordings.find((words) => Bun.stringWidth(words) <= width) ?? wordings[0];
}

/** `5h limit` without `limit`. */
function shortCaption(caption: string): string {
  return caption.replace(/ limit$/, "");
}
