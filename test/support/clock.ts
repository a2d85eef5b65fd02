// A clock that a test moves by hand.

import type { Clock } from "../../src/deps.ts";

export interface FakeClock extends Clock {
  /** Sets the wall clock back; nothing else changes. */
  setBack(ms: number): void;
  /** Moves time on and runs the timers that fall due, in order. */
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
  /** Moves time on at once, and runs the timers that fall due, in order. */
  skip(ms: number): void;
  /** True while a timer of this length is set. */
  hasTimer(ms: number): boolean;
  /** Sets the wall clock back; nothing else changes. */
  setBack(ms: number): void;
}

/** The real clock, which a test may move on: for what goes over real sockets and waits for long. */
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
