// Lays out the rows of the status frame: one line for each row at every width. The columns and their order are always
// the same; what has no room is shortened or left out, text last.

import type { ShownState } from "../../core/account-state.ts";
import type { FrameRow, FrameRows } from "../../core/status-rows.ts";
import { fill, fit } from "../terminal/fit.ts";
import type { TextStyle } from "../terminal/glyphs.ts";
import { GAP, INDENT, PIN, planOf, stateWidth, windowWidths } from "./row-plan.ts";
import { stateBrush } from "./state-brush.ts";
import { windowCell } from "./window-cell.ts";

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
  const widths = windowWidths(plan);
  const cells = (
    { isActive, isPinned, windows, texts, ...row }: FrameRow,
    name: string,
    state: string,
    isSelected: boolean,
    isOff = row.state?.level === "off",
  ): readonly (readonly [string, number])[] => [
    [`${isActive ? "*" : " "}${isSelected ? glyphs.pointer : " "}${name}`, INDENT + plan.name],
    [isPinned ? "P" : "", PIN.length],
    [state, row.state === undefined ? plan.state : stateWidth(row.state, plan)],
    ...(row.state?.isDead ? [] : widths).map((width, index): [string, number] => [
      windowCell(windows[index], plan.cell, isOff ? offStyle : style, nowMs),
      width,
    ]),
    ...plan.texts.map(([column, width]): [string, number] => [texts[column] ?? "", width]),
  ];
  const join = (parts: readonly (readonly [string, number])[]) =>
    parts
      .map(([text, width]) => fill(text, width, glyphs.ellipsis))
      .join(GAP)
      .trimEnd();
  const wording = (state: ShownState) => fitting(state, stateWidth(state, plan));
  return {
    caption: paint.dim(
      join([
        ["  ACCOUNT", INDENT + plan.name],
        [PIN, PIN.length],
        ["STATUS", plan.state],
        ...plan.captions.map((caption, index): [string, number] => [caption, widths[index] ?? 0]),
        ...plan.texts,
      ]),
    ),
    line: (row, isSelected = false) => {
      const name = fit(row.name, plan.name, glyphs.ellipsis);
      const { state } = row;
      const words = state === undefined ? "" : fit(wording(state), stateWidth(state, plan), glyphs.ellipsis);
      const drawn = state === undefined ? words : stateBrush(state.level, paint)(words);
      return join(cells(row, row.isActive || row === rows.pool ? paint.bold(name) : name, drawn, isSelected));
    },
    wording,
  };
}

// --- internal ---

/** The first wording that fits into `width`, or the shortest one. */
function fitting({ wordings }: ShownState, width: number): string {
  return wordings.find((words) => Bun.stringWidth(words) <= width) ?? wordings.at(-1) ?? "";
}
