// The program's dependencies on the outside world: time, randomness, environment, diagnostics. Tests pass their own.

import { printErrorMessage } from "./print.ts";
import { shortLine } from "./printable.ts";
import { BEAT_MS, runningTime } from "./running-time.ts";

/** The clock and timers. All code that waits uses it, so that a test can advance time. */
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

/** Diagnostics for the operator, on stderr. Clients never see them, and they never contain a token. */
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

/** The dependencies of the real program. */
export function systemDeps(): Deps {
  return {
    clock: systemClock(),
    random: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)),
    // A copy, so that the programs that this one starts still get the variables hidden from Bun.
    env: { ...process.env },
    log: {
      info: (message) => printErrorMessage(shortLine(message), "codexlb: "),
      warn: (message) => printErrorMessage(`warning: ${shortLine(message)}`, "codexlb: "),
    },
  };
}

/** The longest timer of the runtime, which would shorten a longer one to 1 ms. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Waits of at least this length share timers. Each request has several such waits, and nearly all are cancelled. */
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

/** An empty list, which consists of its head. */
function emptyList(): Wait {
  const head = { run: () => {} } as Wait;
  head.before = head;
  head.after = head;
  return head;
}

/** Removes `wait` from its list. Repeated calls are harmless. */
function unlink(wait: Wait): void {
  wait.before.after = wait.after;
  wait.after.before = wait.before;
  wait.before = wait;
  wait.after = wait;
}

/** Uses one timer for all waits that end in the same step of 100 ms, so a wait costs only an entry in a list. */
function sharedTimers(): Pick<Clock, "after"> {
  const steps = new Map<number, Wait>();
  const end = (step: number): void => {
    const head = steps.get(step) ?? emptyList();
    steps.delete(step);
    // Separate microtasks, because a wait may throw, or cancel another one.
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
