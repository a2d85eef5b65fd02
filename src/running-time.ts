// Time as this process lives it: what passes while it is stopped, or the machine asleep, is not waited for by it.

/** How often `read` is to be called at least, ms. */
export const BEAT_MS = 1_000;
/** A longer gap between two readings is a stop; a busy machine makes shorter ones. */
const STOPPED_MS = 3 * BEAT_MS;

/** Reads the time in which the process ran, ms, from `uptimeMs`, which never goes back. */
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
