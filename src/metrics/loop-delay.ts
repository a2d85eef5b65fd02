// Measures how late timers run, which is how long a request may have to wait for the event loop. It measures only while a
// monitoring program asks for the metrics, because the timer wakes an idle machine.

import { createHistogram, type Distribution } from "../core/metrics/histogram.ts";
import type { Clock } from "../deps.ts";
import { METRICS } from "./definitions.ts";

export interface LoopDelay {
  /** The delays so far. Measures from now on, for at least `KEEP_MS`. */
  read(): Distribution;
  stop(): void;
}

/** Time between two samples. */
export const SAMPLE_MS = 100;
/** How long it measures after it was last read: longer than the interval of any monitoring program. */
export const KEEP_MS = 10 * 60_000;

export function createLoopDelay(clock: Pick<Clock, "monotonic" | "after">): LoopDelay {
  const delays = createHistogram(METRICS.loopDelay.bounds);
  let cancel: (() => void) | undefined;
  let readAt = 0;
  const sample = (): void => {
    const dueAt = clock.monotonic() + SAMPLE_MS;
    cancel = clock.after(SAMPLE_MS, () => {
      const now = clock.monotonic();
      delays.observe(Math.max(0, now - dueAt) / 1000);
      cancel = undefined;
      if (now - readAt < KEEP_MS) sample();
    });
  };
  return {
    read: () => {
      readAt = clock.monotonic();
      if (cancel === undefined) sample();
      return delays.read();
    },
    stop: () => {
      cancel?.();
      cancel = undefined;
    },
  };
}
