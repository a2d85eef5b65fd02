// Converts times between the clock of this replica and that of the engine, because the clocks of replicas may differ by
// minutes.

import type { Clock } from "../deps.ts";

export interface EngineClock {
  /** The engine has answered `engineMs` to a question that was asked at `askedMs` (monotonic). */
  measured(engineMs: number, askedMs: number): void;
  /**
   * How far the engine's clock is ahead of this one, ms, with an error of less than the duration of a question.
   * Undefined if it was not measured since this clock was set, or since the process was stopped.
   */
  aheadMs(): number | undefined;
}

/** Clocks that are corrected step by step drift by less than this between two measurements, ms. */
const TOLERATED_MS = 500;
/** How much the error of a measurement grows with its age: such a correction is slower. */
const DRIFT = 0.0005;

export function createEngineClock(clock: Clock): EngineClock {
  let known: Measurement | undefined;
  const wallMs = () => clock.now() - clock.monotonic();
  const isValid = (one: Measurement) => Math.abs(wallMs() - one.wallMs) <= TOLERATED_MS;
  return {
    measured: (engineMs, askedMs) => {
      const nowMs = clock.monotonic();
      const errorMs = (nowMs - askedMs) / 2;
      // A question that took long, because of the network or a busy machine, measures worse than an earlier short one.
      if (known !== undefined && isValid(known) && known.errorMs + DRIFT * (nowMs - known.atMs) < errorMs)
        return;
      const aheadMs = Math.round(engineMs - (clock.now() - errorMs));
      known = { aheadMs, errorMs, atMs: nowMs, wallMs: wallMs() };
    },
    aheadMs: () => (known !== undefined && isValid(known) ? known.aheadMs : undefined),
  };
}

// --- internal ---

interface Measurement {
  readonly aheadMs: number;
  /** Half the duration of the question. */
  readonly errorMs: number;
  /** Monotonic. */
  readonly atMs: number;
  /** The wall clock at the monotonic time 0; it differs after the clock was set. */
  readonly wallMs: number;
}
