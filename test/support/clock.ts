// Clocks that a test advances by hand.

import type { Clock } from "../../src/deps.ts";

export interface FakeClock extends Clock {
  /** Sets the wall clock back. The monotonic clock does not change. */
  setBack(ms: number): void;
  /** Advances both clocks and runs the timers that fall due, in order. */
  advance(ms: number): void;
}

export function fakeClock(startMs = Date.UTC(2026, 0, 1)): FakeClock {
  let now = startMs;
  let timers: { atMs: number; run: () => void }[] = [];
  let behindMs = 0;
  return {
    now: () => now - behindMs,
    monotonic: () => now,
    setBack: (ms) => {
      behindMs += ms;
    },
    after: (ms, run) => {
      const timer = { atMs: now + ms, run };
      timers.push(timer);
      return () => {
        timers = timers.filter((other) => other !== timer);
      };
    },
    advance: (ms) => {
      const until = now + ms;
      for (;;) {
        const due = timers.filter((timer) => timer.atMs <= until).sort((a, b) => a.atMs - b.atMs)[0];
        if (due === undefined) break;
        timers = timers.filter((timer) => timer !== due);
        now = due.atMs;
        due.run();
      }
      now = until;
    },
  };
}

export interface SkippingClock extends Clock {
  /** Advances both clocks immediately and runs the timers that fall due, in order. */
  skip(ms: number): void;
  /** True while a timer of exactly this length is set. */
  hasTimer(ms: number): boolean;
  /** Sets the wall clock back. The monotonic clock does not change. */
  setBack(ms: number): void;
}

/** The real clock, which a test can advance. For tests that use real sockets and would otherwise wait for long. */
export function skippingClock(): SkippingClock {
  let skippedMs = 0;
  let behindMs = 0;
  const monotonic = () => Date.now() + skippedMs;
  const timers = new Set<{ readonly ms: number; readonly atMs: number; readonly run: () => void }>();
  return {
    now: () => monotonic() - behindMs,
    monotonic,
    after: (ms, run) => {
      const timer = { ms, atMs: monotonic() + ms, run };
      timers.add(timer);
      const fire = () => {
        if (timers.delete(timer)) run();
      };
      const real = setTimeout(fire, ms);
      real.unref();
      return () => {
        clearTimeout(real);
        timers.delete(timer);
      };
    },
    skip: (ms) => {
      skippedMs += ms;
      const due = [...timers].filter(({ atMs }) => atMs <= monotonic()).sort((a, b) => a.atMs - b.atMs);
      for (const timer of due) if (timers.delete(timer)) timer.run();
    },
    hasTimer: (length) => [...timers].some(({ ms }) => ms === length),
    setBack: (ms) => {
      behindMs += ms;
    },
  };
}
