// What the outside world gives: time, randomness, environment, diagnostics. Tests pass their own.

import { printError } from "./print.ts";
import { shortLine } from "./printable.ts";
import { BEAT_MS, runningTime } from "./running-time.ts";

/** Wall clock and timers. Everything that waits goes through it, so that a test can advance time. */
export interface Clock {
  /** Unix time in milliseconds. */
  now(): number;
  /**
   * Milliseconds since an arbitrary moment, for durations. It never goes back, whatever the wall clock is set to, and
   * it does not advance while the process is stopped.
   */
  monotonic(): number;
  /** Calls `run` once after `ms`; the returned function cancels it. Never keeps the process alive. */
  after(ms: number, run: () => void): () => void;
}

/** Diagnostics for the operator (stderr), never for a client and never with a token in them. */
export interface Log {
  info(message: string): void;
  warn(message: string): void;
}

export interface Deps {
  readonly clock: Clock;
  /** `bytes` random bytes. */
  readonly random: (bytes: number) => Uint8Array;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
}

/** The real ones. */
export function systemDeps(): Deps {
  return {
    clock: systemClock(),
    random: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)),
    // A copy, so that variables hidden from Bun still reach the programs that this one starts.
    env: { ...process.env },
    log: {
      info: (message) => printError(`codexlb: ${shortLine(message)}\n`),
      warn: (message) => printError(`codexlb: warning: ${shortLine(message)}\n`),
    },
  };
}

/** The longest that a timer can be set to; beyond it the runtime would take 1 ms. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Waits from this length on share timers. Each request has several such waits, and nearly all are cancelled. */
const SHARED_FROM_MS = 1_000;
/** Waits that end within the same step end together, so a shared wait is late by up to this much and never early. */
const STEP_MS = 100;

function ownTimer(ms: number, run: () => void): () => void {
  const timer = setTimeout(run, Math.min(ms, LONGEST_TIMER_MS));
  timer.unref();
  return () => clearTimeout(timer);
}

/** A wait in the list of its step. A list, because a set costs each request four times as much. */
interface Wait {
  run: () => void;
  before: Wait;
  after: Wait;
}

/** A list without waits: its head, which has no wait of its own. */
function emptyList(): Wait {
  const head = { run: () => {} } as Wait;
  head.before = head;
  head.after = head;
  return head;
}

/** Takes `wait` out of its list; does nothing if that has been done. */
function unlink(wait: Wait): void {
  wait.before.after = wait.after;
  wait.after.before = wait.before;
  wait.before = wait;
  wait.after = wait;
}

/** One timer for all waits that end in the same step of 100 ms: a wait's cost is a place in a list. */
function sharedTimers(): Pick<Clock, "after"> {
  const steps = new Map<number, Wait>();
  const end = (step: number): void => {
    const head = steps.get(step) ?? emptyList();
    steps.delete(step);
    // Each on its own: one may throw, and one may cancel another.
    for (let wait = head.after; wait !== head; wait = wait.after) {
      const { run } = wait;
      const due = wait;
      queueMicrotask(() => {
        if (due.after === due) return;
        unlink(due);
        run();
      });
    }
  };
  return {
    after: (ms, run) => {
      const nowMs = performance.now();
      const step = Math.ceil((nowMs + Math.min(ms, LONGEST_TIMER_MS - STEP_MS)) / STEP_MS);
      let head = steps.get(step);
      if (head === undefined) {
        head = emptyList();
        steps.set(step, head);
        ownTimer(Math.ceil(step * STEP_MS - nowMs), () => end(step));
      }
      const wait: Wait = { run, before: head.before, after: head };
      head.before.after = wait;
      head.before = wait;
      return () => unlink(wait);
    },
  };
}

function systemClock(): Clock {
  const running = runningTime(() => performance.now());
  const shared = sharedTimers();
  let beat: ReturnType<typeof setInterval> | undefined;
  return {
    now: () => Date.now(),
    monotonic: () => {
      if (beat === undefined) {
        beat = setInterval(running, BEAT_MS);
        beat.unref();
      }
      return running();
    },
    after: (ms, run) => (ms < SHARED_FROM_MS ? ownTimer(ms, run) : shared.after(ms, run)),
  };
}
