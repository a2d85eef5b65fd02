// Chooses the lines of a status frame that fit on a screen. Pure.

/** The parts of a frame below its head. */
export interface FrameParts {
  readonly caption: string;
  /** One line for each account and each additional limit. */
  readonly entries: readonly string[];
  readonly pool: readonly string[];
  /** The lines of the sections; the first entry of a section has its heading. */
  readonly rest: readonly (readonly string[])[];
}

/** The entries of a list that a screen shows. */
export interface Viewport {
  /** The position of the first one. */
  readonly first: number;
  /** The number of lines for them. */
  readonly rows: number;
}

/** What a screen should show of the entries. */
export interface CropOptions {
  /** The number of lines. */
  readonly rows: number;
  /** The entries that were shown before, and the positions of those that must be visible, the most important first. */
  readonly from: number;
  readonly needed: readonly number[];
  /** At most this number of entries is shown if the sections need the room. */
  readonly mostEntries: number;
  /** The last line, which counts the entries above and below that have no room. */
  readonly hidden: (above: number, below: number) => string;
}

/** The lines that fit into `rows`, with the number of entries that do not, and the entries that are visible. */
export function crop(
  { caption, entries, pool, rest }: FrameParts,
  { rows, from, needed, mostEntries, hidden }: CropOptions,
): { readonly lines: string[]; readonly viewport: Viewport } {
  const all = [caption, ...entries, ...pool, ...rest.flat()];
  const everything = { first: 0, rows: entries.length };
  if (all.length < rows) return { lines: ["", ...all], viewport: everything };
  if (all.length <= rows) return { lines: all, viewport: everything };
  const [selected] = needed;
  const only = selected === undefined ? undefined : entries[selected];
  if (rows === 1 && selected !== undefined && only !== undefined)
    return { lines: [only], viewport: { first: selected, rows: 1 } };
  let room = rows - 1;
  const take = (lines: readonly string[], leave: number): readonly string[] => {
    if (lines.length + leave > room) return [];
    room -= lines.length;
    return lines;
  };
  // The first account is more important than the pool, and the pool more than the caption.
  const least = Math.min(1, entries.length);
  const foot = take(pool, least);
  const above = take([caption], least);
  const size = Math.max(0, Math.min(room, entries.length, mostEntries));
  const first = firstVisible({ count: entries.length, size, from, needed });
  const shown = entries.slice(first, first + size);
  room -= shown.length;
  const isWhole = shown.length === Math.min(entries.length, mostEntries);
  const end = isWhole ? rest.findIndex((lines) => take(lines, 0).length === 0) : 0;
  const shownRest = end < 0 ? rest : rest.slice(0, end);
  const below = entries.length + rest.length - first - shown.length - shownRest.length;
  return {
    lines: [...above, ...shown, ...foot, ...shownRest.flat(), hidden(first, below)],
    viewport: { first, rows: size },
  };
}

/**
 * The position of the first of `size` visible entries out of `count`, as near to `from` as possible, so that those at
 * the positions `needed` are visible. If not all of them fit, the first ones count more.
 */
export function firstVisible({
  count,
  size,
  from,
  needed,
}: {
  readonly count: number;
  readonly size: number;
  readonly from: number;
  readonly needed: readonly number[];
}): number {
  let first = from;
  for (const at of needed.toReversed()) first = Math.min(at, Math.max(first, at - size + 1));
  return Math.max(0, Math.min(first, count - size));
}
