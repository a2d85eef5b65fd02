// Converts times between the clock of this replica and that of the engine, because the clocks of replicas may differ by
// minutes.

import type { Clock } from "../deps.ts";

export interface EngineClock {
  /** The engine has answered `engineMs` to a question that was asked at `askedMs` (monotonic). */
  measured(engineMs: number, askedMs: number): void;
  /**
   * How far the engine's clock is ahead of this one, ms, with an error of less than the duration of a question. Undefined
   * if it was not measured since this clock was set, or since the process was stopped.
   */
  aheadMs(): number | undefined;
}

/** Clocks that are corrected step by step drift by less than this between two measurements, ms. */
const TOLERATED_MS = 500;

export function createEngineClock(clock: Clock): EngineClock {
  let known: { readonly aheadMs: number; readonly wallMs: number } | undefined;
  const wallMs = () => clock.now() - clock.monotonic();
  return {
    measured: (engineMs, askedMs) => {
      const halfMs = (clock.monotonic() - askedMs) / 2;
      known = { aheadMs: Math.round(engineMs - (clock.now() - halfMs)), wallMs: wallMs() };
    },
    aheadMs: () =>
      known === undefined || Math.abs(wallMs() - known.wallMs) > TOLERATED_MS ? undefined : known.aheadMs,
  };
}
