// The distribution of durations, as counts of those that are not longer than given bounds.

export interface Histogram {
  /** Counts one duration, seconds. */
  observe(seconds: number): void;
  read(): Distribution;
}

export interface Distribution {
  /** The number of durations up to each bound, in the order of the bounds; each number includes the previous ones. */
  readonly upTo: readonly number[];
  readonly count: number;
  /** Seconds. */
  readonly sum: number;
}

/** `bounds`: ascending, seconds. */
export function createHistogram(bounds: readonly number[]): Histogram {
  const within = bounds.map(() => 0);
  let count = 0;
  let sum = 0;
  return {
    observe: (seconds) => {
      count++;
      sum += seconds;
      for (let index = 0; index < bounds.length; index++)
        if (seconds <= (bounds[index] as number)) {
          within[index] = (within[index] as number) + 1;
          return;
        }
    },
    read: () => {
      let total = 0;
      const upTo = within.map((one) => {
        total += one;
        return total;
      });
      return { upTo, count, sum };
    },
  };
}
