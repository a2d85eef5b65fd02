// Tables for a person: as wide as the terminal at most, with one line for each row. Text is shortened first where a
// cell has a shorter wording, and then whole columns are left out. Only a column that must not lose text wraps.

import { shortLine } from "../../printable.ts";
import { fill, fit } from "./fit.ts";
import type { TextStyle } from "./glyphs.ts";

export interface TableColumn {
  readonly heading: string;
  /** One for each row: a text, or its wordings from the longest to the shortest. */
  readonly cells: readonly (string | readonly string[])[];
  /** Colours the text of a row. */
  readonly brush?: (text: string, row: number) => string;
  /** Columns with a rank are left out if there is no room, those with the highest rank first. Default: never. */
  readonly rank?: number;
  /** A text for which there is no room continues on lines below. At most one column may do so. Default: false. */
  readonly wraps?: boolean;
}

export interface TableFrame {
  readonly columns: number;
  readonly style: TextStyle;
}

/** The table with its headings. Columns without any text are left out. */
export function fittedTable(given: readonly TableColumn[], { columns, style }: TableFrame): string {
  const { paint, glyphs } = style;
  const used = given.filter(({ cells }) => cells.some((cell) => cell.length > 0));
  const needed = used.filter(({ rank }) => rank === undefined);
  const levels = Math.max(1, ...used.flatMap(({ cells }) => cells.map((cell) => wordingsOf(cell).length)));
  const fitting = Array.from({ length: levels }, (_, index) => index).find(
    (index) => widthOf(needed, index) <= columns,
  );
  const level = fitting ?? levels - 1;
  const shown = fittingColumns(used, level, columns);
  const missing = Math.max(0, widthOf(shown, level) - columns);
  const widths = shown.map((column) => {
    const width = columnWidth(column, level);
    return column.wraps ? Math.max(Math.min(width, LEAST_WRAPPED), width - missing) : width;
  });
  const line = (texts: readonly string[]) =>
    fit(
      texts
        .map((text, index) => fill(text, widths[index] ?? 0, glyphs.ellipsis))
        .join(GAP)
        .trimEnd(),
      columns,
      glyphs.ellipsis,
    );
  const rows = Math.max(0, ...given.map(({ cells }) => cells.length));
  const lines = Array.from({ length: rows }, (_, row) => {
    const texts = shown.map(({ cells, wraps }, index) => {
      const width = widths[index] ?? 0;
      const text = longestWording(cells[row] ?? "", width);
      return wraps ? Bun.wrapAnsi(text, width, { hard: true }).split("\n") : [text];
    });
    const height = Math.max(...texts.map(({ length }) => length));
    return Array.from({ length: height }, (_, at) =>
      line(shown.map(({ brush }, index) => brushed(texts[index]?.[at] ?? "", row, brush))),
    );
  }).flat();
  return [paint.dim(line(shown.map(({ heading }) => heading))), ...lines].map((text) => `${text}\n`).join("");
}

// --- internal ---

const GAP = "  ";
/** A wrapped column is not narrower than this. */
const LEAST_WRAPPED = 20;
/** The longest text in a cell, in UTF-16 units. */
const LONGEST_CELL = 400;

function brushed(text: string, row: number, brush: TableColumn["brush"]): string {
  return brush === undefined || text === "" ? text : brush(text, row);
}

function wordingsOf(cell: string | readonly string[]): readonly string[] {
  return typeof cell === "string" ? [cell] : cell;
}

/** The wording of `cell` at `level`, on one line; 0 is the longest. */
function wordingAt(cell: string | readonly string[], level: number): string {
  const wordings = wordingsOf(cell);
  return shortLine(wordings[Math.min(level, wordings.length - 1)] ?? "", LONGEST_CELL);
}

/** The longest wording of `cell` that fits into `width`, or the shortest one. */
function longestWording(cell: string | readonly string[], width: number): string {
  const wordings = wordingsOf(cell).map((_, level) => wordingAt(cell, level));
  return wordings.find((words) => Bun.stringWidth(words) <= width) ?? wordings.at(-1) ?? "";
}

function columnWidth({ heading, cells }: TableColumn, level: number): number {
  return Math.max(heading.length, ...cells.map((cell) => Bun.stringWidth(wordingAt(cell, level))));
}

function widthOf(columns: readonly TableColumn[], level: number): number {
  const total = columns.reduce((sum, column) => sum + columnWidth(column, level) + GAP.length, 0);
  return Math.max(0, total - GAP.length);
}

/** `all` without the columns of the highest ranks that do not fit. */
function fittingColumns(all: readonly TableColumn[], level: number, columns: number): readonly TableColumn[] {
  if (widthOf(all, level) <= columns) return all;
  const highest = Math.max(...all.map(({ rank = 0 }) => rank));
  if (highest <= 0) return all;
  return fittingColumns(
    all.filter(({ rank = 0 }) => rank < highest),
    level,
    columns,
  );
}
