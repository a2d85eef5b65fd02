// Counts what happens within any 60 seconds, in memory of a fixed size: one number for each second. The second in which
// the window begins counts as a whole, so the count is never too low. Pure; times are on a clock that never goes back.

export interface MinuteCount {
  /** How many there were in the 60 seconds before `atMs`. */
  within(atMs: number): number;
  /** Counts one. */
  add(atMs: number): void;
  /** Takes the last one back, if it was within the window. */
  takeBack(): void;
  /** In how many seconds, at least 1, fewer than `most` are left in the window. */
  secondsUntilBelow(most: number, atMs: number): number;
  /** The counts that are within the window, oldest first: how many seconds ago, and how many. */
  ages(atMs: number): readonly (readonly [number, number])[];
}

/** `ages`: what an earlier process counted, as `ages` returned it, with the time since added. */
export function createMinuteCount(
  atMs: number,
  ages: readonly (readonly [number, number])[] = [],
): MinuteCount {
  const counts = new Int32Array(SECONDS);
  let newest = secondOf(atMs);
  let lastAdded = newest;
  let total = 0;
  for (const [age, count] of ages) {
    const index = indexOf(newest - Math.max(0, age));
    if (age >= SECONDS) continue;
    counts[index] = (counts[index] ?? 0) + count;
    total += count;
  }

  /** Drops the seconds that have left the window. */
  const advance = (atMs: number): void => {
    const second = secondOf(atMs);
    const passed = Math.min(SECONDS, second - newest);
    for (let step = 1; step <= passed; step++) {
      const index = indexOf(newest + step);
      total -= counts[index] ?? 0;
      counts[index] = 0;
    }
    if (second > newest) newest = second;
  };

  return {
    within: (atMs) => {
      advance(atMs);
      return total;
    },
    add: (atMs) => {
      advance(atMs);
      const index = indexOf(newest);
      counts[index] = (counts[index] ?? 0) + 1;
      total++;
      lastAdded = newest;
    },
    takeBack: () => {
      const index = indexOf(lastAdded);
      if (newest - lastAdded >= SECONDS || (counts[index] ?? 0) === 0) return;
      counts[index] = (counts[index] ?? 0) - 1;
      total--;
    },
    secondsUntilBelow: (most, atMs) => {
      advance(atMs);
      let left = total;
      for (let age = SECONDS - 1; age >= 0; age--) {
        left -= counts[indexOf(newest - age)] ?? 0;
        // This second leaves the window as soon as it is SECONDS old.
        if (left < most)
          return Math.max(1, Math.ceil(((newest - age + SECONDS) * SECOND_MS - atMs) / SECOND_MS));
      }
      return SECONDS;
    },
    ages: (atMs) => {
      advance(atMs);
      const found: (readonly [number, number])[] = [];
      for (let age = SECONDS - 1; age >= 0; age--) {
        const count = counts[indexOf(newest - age)] ?? 0;
        if (count > 0) found.push([age, count]);
      }
      return found;
    },
  };
}

/**
 * In how many seconds, at least 1, fewer than `most` are left in the window of several counts together. `ages`: those of
 * all counts, in any order. Like `secondsUntilBelow`, but to the second.
 */
export function secondsUntilFewer(most: number, ages: readonly (readonly [number, number])[]): number {
  let left = ages.reduce((sum, [, count]) => sum + count, 0);
  for (const [age, count] of ages.toSorted(([a], [b]) => b - a)) {
    left -= count;
    if (left < most) return Math.max(1, SECONDS - age);
  }
  return SECONDS;
}

// --- internal ---

const SECOND_MS = 1_000;
/** The 60 seconds before now are a part of 61 seconds of the clock. */
const SECONDS = 61;

function secondOf(atMs: number): number {
  return Math.floor(atMs / SECOND_MS);
}

function indexOf(second: number): number {
  return ((second % SECONDS) + SECONDS) % SECONDS;
}
