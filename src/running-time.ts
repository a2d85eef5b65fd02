// Time during which this process runs. Time while it is stopped, or while the machine sleeps, does not count.

/** Longest time that may pass between two readings, ms. */
export const BEAT_MS = 1_000;
/** A longer gap between two readings means that the process was stopped; a busy machine causes shorter ones. */
const STOPPED_MS = 3 * BEAT_MS;

/** Returns a function that reads the process's running time, ms, from `uptimeMs`, which never goes back. */
export function runningTime(uptimeMs: () => number): () => number {
  let seenMs = uptimeMs();
  let missedMs = 0;
  return () => {
    const nowMs = uptimeMs();
    if (nowMs - seenMs > STOPPED_MS) missedMs += nowMs - seenMs;
    seenMs = nowMs;
    return nowMs - missedMs;
  };
}
