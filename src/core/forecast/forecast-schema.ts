// Forecasts in the status document and in the usage report.

import { z } from "zod";
import { shortLine } from "../../printable.ts";

const text = z.string().transform((value) => shortLine(value));

const OUTCOME = {
  /** `reached`, `lasts`, `exhausted` or `unknown`. */
  outcome: text,
  /** Why it is unknown: `little-history` or `no-figures`. */
  why: text.optional(),
  /** Unix seconds. In half of the possible futures it is reached by then. */
  likely_at: z.number().optional(),
  /** Unix seconds: one future in ten is earlier. Also if it probably lasts. */
  earliest_at: z.number().optional(),
  /** Unix seconds: one future in ten is later. Absent if it is not reached in more than one future in ten. */
  latest_at: z.number().optional(),
};

/** When a window of an account is exhausted. `lasts`: it is probably reset before. */
export type WindowForecastAnswer = z.output<typeof WindowForecastAnswer>;
export const WindowForecastAnswer = z.looseObject({
  /** `daily` (the short window), `weekly` or `monthly`. */
  window: text,
  ...OUTCOME,
  /** How much of it is kept back, in percent. The outcome is then that of the part above this floor; absent: no floor. */
  floor_pct: z.number().optional(),
  /** The burn rate: percentage points per hour, nights included. */
  percent_per_hour: z.number().optional(),
});

/** When all accounts of the pool are exhausted. `lasts`: probably not before `until`. */
export type PoolForecastAnswer = z.output<typeof PoolForecastAnswer>;
export const PoolForecastAnswer = z.looseObject({
  ...OUTCOME,
  /** How far ahead the forecast looks, Unix seconds. */
  until: z.number().default(0),
  /** The accounts that it counts, and those in service whose figures are unknown. */
  accounts: z.number().default(0),
  left_out: z.number().default(0),
});
