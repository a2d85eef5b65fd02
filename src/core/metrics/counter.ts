// Counts in memory, so cheap that every turn can be counted. They become text only when a monitoring program asks.

/** Counts by the values of some labels. The caller keeps the number of different values small. */
export interface Counter {
  /** Adds `by` (default 1) to the count of these labels' values. */
  add(values: readonly string[], by?: number): void;
  counts(): readonly Count[];
}

export interface Count {
  readonly values: readonly string[];
  readonly count: number;
}

export function createCounter(): Counter {
  const known = new Map<string, { readonly values: readonly string[]; count: number }>();
  return {
    add: (values, by = 1) => {
      const key = values.length === 1 ? (values[0] ?? "") : values.join(SEPARATOR);
      const count = known.get(key);
      if (count === undefined) known.set(key, { values, count: by });
      else count.count += by;
    },
    counts: () => [...known.values()],
  };
}

// --- internal ---

/** No label contains it. */
const SEPARATOR = "\n";
