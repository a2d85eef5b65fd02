import { expect, test } from "bun:test";
import { createLoopDelay, KEEP_MS, SAMPLE_MS } from "../../src/metrics/loop-delay.ts";

/** A clock whose timers a test runs, late if it wants. */
function lateClock() {
  let now = 0;
  let timer: { readonly atMs: number; readonly run: () => void } | undefined;
  return {
    monotonic: () => now,
    after: (ms: number, run: () => void) => {
      timer = { atMs: now + ms, run };
      return () => {
        timer = undefined;
      };
    },
    isWaiting: () => timer !== undefined,
    /** Runs the timer this late. */
    fire: (lateMs: number) => {
      const due = timer;
      timer = undefined;
      now = (due?.atMs ?? now) + lateMs;
      due?.run();
    },
  };
}

test("measures how late timers run, from the first reading on", () => {
  const clock = lateClock();
  const delay = createLoopDelay(clock);
  expect(clock.isWaiting()).toBe(false);
  expect(delay.read().count).toBe(0);
  clock.fire(0);
  clock.fire(300);
  const { count, sum } = delay.read();
  expect({ count, sum }).toEqual({ count: 2, sum: 0.3 });
  delay.stop();
  expect(clock.isWaiting()).toBe(false);
});

test("stops when it has not been read for long, and begins again with the next reading", () => {
  const clock = lateClock();
  const delay = createLoopDelay(clock);
  delay.read();
  let samples = 0;
  for (; clock.isWaiting(); samples++) clock.fire(0);
  expect(samples).toBe(KEEP_MS / SAMPLE_MS);
  expect(delay.read().count).toBe(samples);
  expect(clock.isWaiting()).toBe(true);
});
