// A background job that is repeated with a fixed pause.

import type { Clock } from "../deps.ts";

export interface RepeatedJob {
  /** Does the job now, and again `everyMs` after it has ended. */
  start(): void;
  /** Stops repeating the job. One that is under way is not aborted. */
  stop(): void;
  isStopped(): boolean;
}

export interface RepeatedJobOptions {
  readonly clock: Pick<Clock, "after">;
  /** Pause between the end of one run and the next run, ms. */
  readonly everyMs: number;
  readonly run: () => Promise<void>;
  /** Called when `run` has thrown. The job is still repeated. */
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
