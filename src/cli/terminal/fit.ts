// Cuts and pads text to a number of columns. Colours and wide characters are counted as a terminal shows them.

/** The widths to which long names are cut, in columns. */
export const SHORT_NAMES = [24, 12] as const;

/** `text`, cut to `columns`. A text that was cut off ends in `ellipsis`, if there is room for more than that. */
export function fit(text: string, columns: number, ellipsis: string): string {
  const cut = (end: number) => Bun.sliceAnsi(text, 0, end, end > ellipsis.length ? ellipsis : "");
  const nearly = cut(Math.max(0, columns));
  // `sliceAnsi` keeps a character of two columns that starts in the last column.
  return Bun.stringWidth(nearly) <= columns ? nearly : cut(Math.max(0, columns - 1));
}

/**
 * The wordings of a name in a table: whole, and cut so that a long name leaves room for the other columns. `prefix`, a
 * mark before the name, does not count.
 */
export function nameWordings(name: string, ellipsis: string, prefix = ""): string[] {
  return [name, ...SHORT_NAMES.map((width) => fit(name, width, ellipsis))].map(
    (words) => `${prefix}${words}`,
  );
}

/** `text`, cut or padded to exactly `width` columns. */
export function fill(text: string, width: number, ellipsis: string): string {
  const cut = fit(text, width, ellipsis);
  return cut + " ".repeat(Math.max(0, width - Bun.stringWidth(cut)));
}
