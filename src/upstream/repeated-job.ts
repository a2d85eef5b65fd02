// A background job that runs again and again, with a fixed pause in between.

import type { Clock } from "../deps.ts";

export interface RepeatedJob {
  /** Runs the job now, and again `everyMs` after each run has ended. */
  start(): void;
  /** Prevents further runs. A run under way ends by itself. */
  stop(): void;
  isStopped(): boolean;
}

export interface RepeatedJobOptions {
  readonly clock: Pick<Clock, "after">;
  /** Pause between the end of one run and the next run, ms. */
  readonly everyMs: number;
  readonly run: () => Promise<void>;
  /** Called when `run` has thrown. The job still runs again. */
  readonly failed: (error: unknown) => void;
}

export function createRepeatedJob({ clock, everyMs, run, failed }: RepeatedJobOptions): RepeatedJob {
  let cancel: (() => void) | undefined;
  let isStopped = false;
  const tick = async (): Promise<void> => {
    try {
      await run();
    } catch (error) {
      failed(error);
    }
    if (!isStopped) cancel = clock.after(everyMs, () => void tick());
  };
  return {
    start: () => void tick(),
    stop: () => {
      isStopped = true;
      cancel?.();
    },
    isStopped: () => isStopped,
  };
}
