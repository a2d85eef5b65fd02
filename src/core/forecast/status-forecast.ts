// Forecasts in the form of the status document.

import { unixSeconds } from "../quota-wire.ts";
import type { WindowKind } from "../windows.ts";
import type { PoolForecast, WindowForecast, WindowOutcome } from "./forecast.ts";
import type { PoolForecastAnswer, WindowForecastAnswer } from "./forecast-schema.ts";

/** The forecasts of a pool at one moment. */
export interface Forecasts {
  /** By the key of the account (`accountKey`). Accounts out of service have none. */
  readonly accounts: ReadonlyMap<string, readonly WindowForecast[]>;
  readonly pool: PoolForecast;
}

/** The forecast of one window. `name`: that of the window in the document. */
export function windowForecastFields(
  { kind, pointsPerHour, outcome, floor }: WindowForecast,
  names: Readonly<Record<WindowKind, string>>,
): WindowForecastAnswer {
  return {
    window: names[kind],
    ...outcomeFields(outcome),
    ...(floor === undefined ? {} : { floor_pct: floor }),
    ...(pointsPerHour === undefined ? {} : { percent_per_hour: Math.round(pointsPerHour * 100) / 100 }),
  };
}

export function poolForecastFields({
  outcome,
  untilMs,
  accounts,
  leftOut,
}: PoolForecast): PoolForecastAnswer {
  return { ...outcomeFields(outcome), until: unixSeconds(untilMs), accounts, left_out: leftOut };
}

// --- internal ---

function outcomeFields(
  outcome: WindowOutcome,
): Pick<WindowForecastAnswer, "outcome" | "why" | "likely_at" | "earliest_at" | "latest_at"> {
  const { kind } = outcome;
  switch (kind) {
    case "reached":
      return {
        outcome: kind,
        likely_at: unixSeconds(outcome.likelyMs),
        earliest_at: unixSeconds(outcome.earliestMs),
        ...(outcome.latestMs === undefined ? {} : { latest_at: unixSeconds(outcome.latestMs) }),
      };
    case "lasts":
      return outcome.earliestMs === undefined
        ? { outcome: kind }
        : { outcome: kind, earliest_at: unixSeconds(outcome.earliestMs) };
    case "unknown":
      return { outcome: kind, why: outcome.why };
    default:
      return { outcome: kind };
  }
}
