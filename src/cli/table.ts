// Plain tables: columns as wide as their longest cell and two spaces; the last column is not padded.

const GAP = "  ";

export function table(rows: readonly (readonly string[])[]): string {
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
