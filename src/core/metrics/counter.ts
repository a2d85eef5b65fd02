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
  const all: MutableCount[] = [];
  const root = newNode();
  const countOf = (values: readonly string[]): MutableCount => {
    let node = root;
    for (const value of values) {
      let next = node.next.get(value);
      if (next === undefined) {
        next = newNode();
        node.next.set(value, next);
      }
      node = next;
    }
    if (node.count === undefined) {
      node.count = { values, count: 0 };
      all.push(node.count);
    }
    return node.count;
  };
  return {
    add: (values, by = 1) => {
      countOf(values).count += by;
    },
    counts: () => [...all],
  };
}

// --- internal ---

interface MutableCount {
  readonly values: readonly string[];
  count: number;
}

/** The counts whose values begin with the same ones. A tree, because joining the values into a key takes longer. */
interface Node {
  readonly next: Map<string, Node>;
  /** The count of exactly these values. */
  count: MutableCount | undefined;
}

function newNode(): Node {
  return { next: new Map(), count: undefined };
}
