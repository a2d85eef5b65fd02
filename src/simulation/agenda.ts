// The events of a simulation in order of time.

export interface Agenda {
  at(atMs: number, run: () => void): void;
  /** Runs all entries up to `endMs` in order of time. Calls `moved` with the time before each entry, and at the end. */
  run(endMs: number, moved: (atMs: number) => void): void;
}

/** A binary heap of functions by time. Entries with the same time run in the order in which they were added. */
export function createAgenda(): Agenda {
  const heap: { atMs: number; order: number; run: () => void }[] = [];
  let order = 0;
  const before = (a: number, b: number): boolean => {
    const [one, two] = [heap[a], heap[b]];
    if (one === undefined || two === undefined) return false;
    return one.atMs < two.atMs || (one.atMs === two.atMs && one.order < two.order);
  };
  const swap = (a: number, b: number): void => {
    const [one, two] = [heap[a], heap[b]];
    if (one !== undefined && two !== undefined) [heap[a], heap[b]] = [two, one];
  };
  const takeFirst = () => {
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    heap[0] = last;
    for (let at = 0; ; ) {
      const left = 2 * at + 1;
      const least = before(left + 1, left) ? left + 1 : left;
      if (!before(least, at)) break;
      swap(least, at);
      at = least;
    }
    return first;
  };
  return {
    at: (atMs, run) => {
      heap.push({ atMs, order: order++, run });
      for (let at = heap.length - 1; at > 0; ) {
        const parent = (at - 1) >> 1;
        if (!before(at, parent)) break;
        swap(at, parent);
        at = parent;
      }
    },
    run: (endMs, moved) => {
      for (let next = takeFirst(); next !== undefined && next.atMs <= endMs; next = takeFirst()) {
        moved(next.atMs);
        next.run();
      }
      moved(endMs);
    },
  };
}
