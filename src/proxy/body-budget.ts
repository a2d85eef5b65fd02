// How many bytes of request bodies the proxy holds at a time, for all clients together. Bodies are held whole, so that
// they can be sent again; without a common bound a few large ones would take all memory.

import type { Clock } from "../deps.ts";

export interface BodyBudget {
  /** Room for `bytes` now, or undefined. The returned function gives it back; calling it twice is harmless. */
  tryTake(bytes: number): (() => void) | undefined;
  /**
   * As `tryTake`, and waits for room when there is none: smaller bodies first. Undefined when there is none after
   * `WAIT_MS`, or when `signal` is aborted before.
   */
  take(bytes: number, signal: AbortSignal): Promise<(() => void) | undefined>;
}

export interface BodyBudgetSizes {
  readonly totalBytes: number;
  /** Kept free for bodies of at most `smallBytes`: an ordinary turn never waits for uploads. */
  readonly reservedBytes: number;
  readonly smallBytes: number;
}

/**
 * One body of the largest size and some ordinary ones. While a body is received it takes half as much again, so that all
 * of them together stay below 300 MiB.
 */
export const BODY_BUDGET: BodyBudgetSizes = {
  totalBytes: 160 * 1024 * 1024,
  reservedBytes: 32 * 1024 * 1024,
  smallBytes: 1024 * 1024,
};

/** A turn's body is sent within seconds. Codex comes back by itself after a 503. */
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
