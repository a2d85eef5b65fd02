// Plain tables: columns as wide as their longest cell and two spaces; the last column is not padded.

import { shortLine } from "../../printable.ts";

const GAP = "  ";

/** Longest text in a cell; none of our reasons, names or addresses is longer. */
const LONGEST_CELL = 400;

/** Each cell is on one line, and text from other parties is cut to 400 columns. */
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

/** Columns of the widest line. */
export function widthOf(text: string): number {
  return Math.max(...text.split("\n").map((line) => Bun.stringWidth(line)));
}
