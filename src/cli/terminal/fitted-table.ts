// Tables for a person: as wide as the terminal at most, with one line for each row. Without room, texts get shorter
// where a cell has a shorter wording, and whole columns are left out. Only a column that must not lose text wraps.

import { shortLine } from "../../printable.ts";
import { wrappedLines } from "../../wrapped-lines.ts";
import { fill, fit } from "./fit.ts";
import type { TextStyle } from "./glyphs.ts";

export interface TableColumn {
  readonly heading: string;
  /** One for each row: a text, or its wordings from the longest to the shortest. */
  readonly cells: readonly (string | readonly string[])[];
  /** Colours the text of a row. */
  readonly brush?: (text: string, row: number) => string;
  /** Columns with a rank, 1 or higher, are left out if there is no room, the highest rank first. Default: never. */
  readonly rank?: number;
  /** A text for which there is no room continues on lines below. At most one column may do so. Default: false. */
  readonly wraps?: boolean;
}

export interface TableFrame {
  readonly columns: number;
  readonly style: TextStyle;
}

/**
 * The table with its headings. Columns without any text are left out. A wider terminal shows everything that a narrower
 * one shows.
 */
export function fittedTable(given: readonly TableColumn[], { columns, style }: TableFrame): string {
  const { paint, glyphs } = style;
  const shown = fittingColumns(given, columns);
  const line = (texts: readonly string[]) =>
    fit(
      texts
        .map((text, index) => fill(text, shown[index]?.width ?? 0, glyphs.ellipsis))
        .join(GAP)
        .trimEnd(),
      columns,
      glyphs.ellipsis,
    );
  const rows = Math.max(0, ...given.map(({ cells }) => cells.length));
  const lines = Array.from({ length: rows }, (_, row) => {
    const texts = shown.map(({ column: { cells, wraps }, width }) => {
      const text = longestWording(cells[row] ?? "", width);
      return wraps ? wrappedLines(text, { columns: width, strict: true }) : [text];
    });
    const height = Math.max(...texts.map(({ length }) => length));
    return Array.from({ length: height }, (_, at) =>
      line(shown.map(({ column }, index) => brushed(texts[index]?.[at] ?? "", row, column.brush))),
    );
  }).flat();
  return [paint.dim(line(shown.map(({ column }) => column.heading))), ...lines]
    .map((text) => `${text}\n`)
    .join("");
}

// --- internal ---

const GAP = "  ";
/** A wrapped column is not narrower than this. */
const LEAST_WRAPPED = 20;
/** Texts get at most this width before the columns of the first rank, of the second, and of the third. */
const WIDTH_BEFORE_FIRST = 24;
const WIDTH_BEFORE_SECOND = 32;
const WIDTH_BEFORE_THIRD = 48;
/** The longest text in a cell, in UTF-16 units. */
const LONGEST_CELL = 400;

function brushed(text: string, row: number, brush: TableColumn["brush"]): string {
  return brush === undefined || text === "" ? text : brush(text, row);
}

function wordingsOf(cell: string | readonly string[]): readonly string[] {
  return typeof cell === "string" ? [cell] : cell;
}

/** The wordings of `cell`, each on one line. */
function linesOf(cell: string | readonly string[]): string[] {
  return wordingsOf(cell).map((words) => shortLine(words, LONGEST_CELL));
}

/** The longest wording of `cell` that fits into `width`, or the shortest one. */
function longestWording(cell: string | readonly string[], width: number): string {
  const wordings = linesOf(cell);
  return wordings.find((words) => Bun.stringWidth(words) <= width) ?? wordings.at(-1) ?? "";
}

/** A column with its width. 0: it is left out. */
interface SizedColumn {
  readonly column: TableColumn;
  readonly width: number;
}

/** The columns that fit. They grow in a fixed order, and stop at the first step for which there is no room. */
function fittingColumns(given: readonly TableColumn[], columns: number): SizedColumn[] {
  const used = given.filter(({ cells }) => cells.some((cell) => cell.length > 0));
  let sized = used.map(
    (column): SizedColumn => ({
      column,
      width: column.rank === undefined ? leastWidth(column) : 0,
    }),
  );
  for (const grow of growthOf(used)) {
    const wider = sized.map(grow);
    if (widthOf(wider) > columns) break;
    sized = wider;
  }
  return sized.filter(({ width }) => width > 0);
}

type Growth = (sized: SizedColumn) => SizedColumn;

/** The steps in which columns grow. The higher the rank of a column, the longer are the texts that come before it. */
function growthOf(used: readonly TableColumn[]): Growth[] {
  const ranks = [...new Set(used.flatMap(({ rank }) => rank ?? []))].sort((a, b) => a - b);
  const added = (isAdded: (rank: number) => boolean) => ranks.filter(isAdded).map(withRank);
  return [
    ...used.filter(({ wraps }) => wraps).flatMap(unwrapped),
    ...wordingSteps(used, 0, WIDTH_BEFORE_FIRST),
    ...added((rank) => rank <= 1),
    ...wordingSteps(used, WIDTH_BEFORE_FIRST, WIDTH_BEFORE_SECOND),
    ...added((rank) => rank === 2),
    ...wordingSteps(used, WIDTH_BEFORE_SECOND, WIDTH_BEFORE_THIRD),
    ...added((rank) => rank > 2),
    ...wordingSteps(used, WIDTH_BEFORE_THIRD, Number.POSITIVE_INFINITY),
  ];
}

function withRank(rank: number): Growth {
  return ({ column, width }) => ({ column, width: column.rank === rank ? leastWidth(column) : width });
}

/** Gives a column that wraps more room, until it need not wrap. */
function unwrapped(column: TableColumn): Growth[] {
  const least = leastWidth(column);
  const widest = Math.max(0, ...column.cells.map((cell) => Bun.stringWidth(longestWording(cell, 0))));
  return Array.from({ length: Math.max(0, widest - least) }, (_, index) =>
    widened(column, least + index + 1),
  );
}

/** Gives each column room for its wordings that are wider than `above` and at most `most`, the shortest first. */
function wordingSteps(used: readonly TableColumn[], above: number, most: number): Growth[] {
  return used
    .filter(({ wraps }) => !wraps)
    .flatMap((column) =>
      column.cells.flatMap((cell) =>
        linesOf(cell).map((words) => ({ column, width: Bun.stringWidth(words) })),
      ),
    )
    .filter(({ width }) => width > above && width <= most)
    .sort((a, b) => a.width - b.width)
    .map(({ column, width }) => widened(column, width));
}

/** Makes `column` at least so wide, unless it is left out. */
function widened(column: TableColumn, least: number): Growth {
  return (sized) =>
    sized.column === column && sized.width > 0 ? { column, width: Math.max(sized.width, least) } : sized;
}

/** The width for the shortest wordings. */
function leastWidth({ heading, cells, wraps }: TableColumn): number {
  const widest = Math.max(0, ...cells.map((cell) => Bun.stringWidth(longestWording(cell, 0))));
  return Math.max(heading.length, wraps ? Math.min(widest, LEAST_WRAPPED) : widest);
}

function widthOf(sized: readonly SizedColumn[]): number {
  const shown = sized.filter(({ width }) => width > 0);
  return shown.reduce((sum, { width }) => sum + width + GAP.length, -GAP.length);
}
