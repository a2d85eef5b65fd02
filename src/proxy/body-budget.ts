// Limits how many bytes of request bodies the proxy keeps in memory for all clients together. Bodies are kept whole, so
// that they can be sent again; without a common limit a few large ones would fill the memory.

import type { Clock } from "../deps.ts";

export interface BodyBudget {
  /** Takes room for `bytes` now, or returns undefined. The returned function releases it; a second call is harmless. */
  tryTake(bytes: number): (() => void) | undefined;
  /**
   * Like `tryTake`, but waits until there is room; smaller bodies go first. Returns undefined after `WAIT_MS`, or when
   * `signal` is aborted.
   */
  take(bytes: number, signal: AbortSignal): Promise<(() => void) | undefined>;
}

export interface BodyBudgetSizes {
  readonly totalBytes: number;
  /** Reserved for bodies of at most `smallBytes`, so that an ordinary turn never waits for uploads. */
  readonly reservedBytes: number;
  readonly smallBytes: number;
}

/**
 * Room for one body of the largest size and some ordinary ones. While it arrives, a body takes 1.5 times its size, so
 * all bodies together take less than 300 MiB.
 */
export const BODY_BUDGET: BodyBudgetSizes = {
  totalBytes: 160 * 1024 * 1024,
  reservedBytes: 32 * 1024 * 1024,
  smallBytes: 1024 * 1024,
};

/** Sending a turn's body takes seconds, so room soon becomes free. Codex retries by itself after a 503. */
const WAIT_MS = 20_000;

export function createBodyBudget(clock: Clock, sizes: BodyBudgetSizes = BODY_BUDGET): BodyBudget {
  const { totalBytes, reservedBytes, smallBytes } = sizes;
  const waiting: { readonly bytes: number; readonly admit: (release: (() => void) | undefined) => void }[] =
    [];
  let held = 0;

  const fits = (bytes: number) => held + bytes <= totalBytes - (bytes <= smallBytes ? 0 : reservedBytes);

  const hold = (bytes: number): (() => void) => {
    held += bytes;
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      held -= bytes;
      admitNext();
    };
  };

  const admitNext = (): void => {
    for (let next = waiting[0]; next !== undefined && fits(next.bytes); next = waiting[0]) {
      waiting.shift();
      next.admit(hold(next.bytes));
    }
  };

  const tryTake: BodyBudget["tryTake"] = (bytes) => (fits(bytes) ? hold(bytes) : undefined);

  return {
    tryTake,
    take: (bytes, signal) =>
      new Promise((resolve) => {
        const now = tryTake(bytes);
        if (now !== undefined || signal.aborted) return resolve(now);
        const leave = () => {
          waiting.splice(waiting.indexOf(waiter), 1);
          waiter.admit(undefined);
        };
        const cancel = clock.after(WAIT_MS, leave);
        const waiter = {
          bytes,
          admit: (release: (() => void) | undefined) => {
            cancel();
            signal.removeEventListener("abort", leave);
            resolve(release);
          },
        };
        const place = waiting.findIndex((other) => other.bytes > bytes);
        waiting.splice(place < 0 ? waiting.length : place, 0, waiter);
        signal.addEventListener("abort", leave, { once: true });
      }),
  };
}
