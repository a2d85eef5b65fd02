// Limits how many background tasks run at the same time. The others wait for their turn, in order.

export type Gate = (task: () => Promise<void>) => Promise<void>;

/** Creates a gate that runs at most `most` tasks at the same time. */
export function createGate(most: number): Gate {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (task) => {
    if (running < most) running++;
    else await new Promise<void>((start) => waiting.push(start));
    try {
      await task();
    } finally {
      // A waiting task gets this slot.
      const next = waiting.shift();
      if (next === undefined) running--;
      else next();
    }
  };
}
