// Plain tables. A column is as wide as its longest cell, two spaces separate columns, and the last one is not padded.

import { shortLine } from "../../printable.ts";

const GAP = "  ";

/** The longest text in a cell, in columns. None of codexlb's own reasons, names or addresses is longer. */
const LONGEST_CELL = 400;

/** Returns a line for each row. Line breaks in cells become spaces, and cells are cut to `LONGEST_CELL` columns. */
export function table(given: readonly (readonly string[])[]): string {
  const rows = given.map((row) => row.map((cell) => shortLine(cell, LONGEST_CELL)));
  const widths: number[] = [];
  for (const row of rows)
    row.forEach((cell, index) => {
      widths[index] = Math.max(widths[index] ?? 0, Bun.stringWidth(cell));
    });
  const line = (row: readonly string[]) =>
    row
      .map((cell, index) =>
        index === row.length - 1 ? cell : cell + " ".repeat((widths[index] ?? 0) - Bun.stringWidth(cell)),
      )
      .join(GAP);
  return rows.map((row) => `${line(row)}\n`).join("");
}

/** The width of the widest line, in columns. */
export function widthOf(text: string): number {
  return Math.max(...text.split("\n").map((line) => Bun.stringWidth(line)));
}
