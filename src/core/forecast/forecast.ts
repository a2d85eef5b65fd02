// What a forecast says: about a window of an account, and about the pool.

import type { WindowKind } from "../windows.ts";

/** When something probably happens, Unix ms. */
export interface ForecastTimes {
  /** In half of the possible futures it has happened by then. */
  readonly likelyMs: number;
  /** One future in ten is earlier, and one in ten later. */
  readonly earliestMs: number;
  /** Undefined: in more than one future in ten it does not happen at all. */
  readonly latestMs: number | undefined;
}

/** `little-history`: the use is not known for long enough. `no-figures`: what is left now is not known. */
export type UnknownReason = "little-history" | "no-figures";

/**
 * `reached`: the window runs out before its reset. `lasts`: its reset comes first in most futures; `earliestMs`: one
 * future in ten runs out by then. `exhausted`: it has run out.
 */
export type WindowOutcome =
  | ({ readonly kind: "reached" } & ForecastTimes)
  | { readonly kind: "lasts"; readonly earliestMs: number | undefined }
  | { readonly kind: "exhausted" }
  | { readonly kind: "unknown"; readonly why: UnknownReason };

export interface WindowForecast {
  readonly kind: WindowKind;
  /** The burn rate: percentage points per hour, nights included; undefined if it is not known. */
  readonly pointsPerHour: number | undefined;
  /** What the window is expected to do; if it has a floor, when that is reached. */
  readonly outcome: WindowOutcome;
  /** How much is kept back, percent; absent: nothing. */
  readonly floor?: number;
}

/** The forecast for the pool: `reached` when no account may spend anything more, `lasts` if that is not within `untilMs`. */
export interface PoolForecast {
  readonly outcome: WindowOutcome;
  /** How far ahead the forecast looks, Unix ms. */
  readonly untilMs: number;
  /** The accounts that it counts: in service, with known figures. */
  readonly accounts: number;
  /** Accounts in service whose figures are not known. */
  readonly leftOut: number;
}

/** The outcome of futures in which something happens at `times`, Unix ms; Infinity: it does not happen. */
export function outcomeOf(times: readonly number[]): WindowOutcome {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  const earliestMs = finite(at(EARLIEST_SHARE));
  const likelyMs = finite(at(0.5));
  if (likelyMs === undefined || earliestMs === undefined) return { kind: "lasts", earliestMs };
  return { kind: "reached", likelyMs, earliestMs, latestMs: finite(at(1 - EARLIEST_SHARE)) };
}

// --- internal ---

/** The interval has 80 % of the futures. */
const EARLIEST_SHARE = 0.1;

function finite(value: number | undefined): number | undefined {
  return value !== undefined && Number.isFinite(value) ? value : undefined;
}
