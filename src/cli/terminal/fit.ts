// Cuts and pads text to a number of columns. Colours and wide characters are counted as a terminal shows them.

/** `text`, cut to `columns`. A text that was cut off ends in `ellipsis`, if there is room for more than that. */
export function fit(text: string, columns: number, ellipsis: string): string {
  const cut = (end: number) => Bun.sliceAnsi(text, 0, end, end > ellipsis.length ? ellipsis : "");
  const nearly = cut(Math.max(0, columns));
  // `sliceAnsi` keeps a character of two columns that starts in the last column.
  return Bun.stringWidth(nearly) <= columns ? nearly : cut(Math.max(0, columns - 1));
}

/** `text`, cut or padded to exactly `width` columns. */
export function fill(text: string, width: number, ellipsis: string): string {
  const cut = fit(text, width, ellipsis);
  return cut + " ".repeat(Math.max(0, width - Bun.stringWidth(cut)));
}
