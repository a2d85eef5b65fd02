// The countdown on the terminal while something waits: one line on standard error, rewritten every second.

import type { Clock } from "../../deps.ts";
import { showMeanwhile } from "../../print.ts";

export interface Countdown extends Disposable {
  /** Counts down to `atMs`, Unix ms; undefined: shows only how long it has waited. The first call shows the line. */
  until(atMs: number | undefined): void;
}

/** Shows a countdown on a terminal, and nothing elsewhere. */
export function startCountdown(clock: Clock, isTerminal: boolean): Countdown {
  const beganMs = clock.now();
  let untilMs: number | undefined;
  let erase: (() => void) | undefined;
  const draw = (): void => {
    erase?.();
    const nowMs = clock.now();
    const words =
      untilMs === undefined || untilMs <= nowMs
        ? `waited ${clockWords(nowMs - beganMs)}`
        : `${clockWords(untilMs - nowMs)} left`;
    erase = showMeanwhile(`  ${words} (Ctrl-C stops)`);
  };
  let timer: ReturnType<typeof setInterval> | undefined;
  return {
    until: (atMs) => {
      untilMs = atMs;
      if (!isTerminal || timer !== undefined) return;
      timer = setInterval(draw, SECOND_MS);
      draw();
    },
    [Symbol.dispose]: () => {
      clearInterval(timer);
      erase?.();
    },
  };
}

/** A duration as a clock shows it: `4:03:09`, `3:09`, `0:09`. */
export function clockWords(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / SECOND_MS));
  const two = (value: number) => String(value).padStart(2, "0");
  const hours = Math.floor(seconds / 3_600);
  const minutes = Math.floor(seconds / 60) % 60;
  const rest = two(seconds % 60);
  return hours > 0 ? `${hours}:${two(minutes)}:${rest}` : `${minutes}:${rest}`;
}

// --- internal ---

const SECOND_MS = 1_000;
