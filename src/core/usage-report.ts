// The report of `codexlb usage` and of `GET /admin/usage`: what turns used, in groups, with an estimate of their cost.

import { z } from "zod";
import { ForecastReport } from "./forecast/forecast-report.ts";

/** What a report groups turns by. `key`: the client's key. `project`: the working directory. */
export const USAGE_GROUPINGS = ["day", "account", "model", "project", "session", "key"] as const;
export type UsageGrouping = (typeof USAGE_GROUPINGS)[number];

/** The times for which a query can sum separately. */
export type UsageStep = "hour" | "day";

/** Which turns a report counts. */
export interface UsageQuery {
  /** The first millisecond, and the one after the last, Unix ms. */
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly by: UsageGrouping;
  /** Only turns of this account (alias), or of this child proxy (name). */
  readonly account?: string | undefined;
  /** Only turns of the key with this name; "": only turns without a key. */
  readonly client?: string | undefined;
  /** Sums each hour or day separately; default: the whole period. */
  readonly each?: UsageStep | undefined;
}

/** The sums of the turns of one group and one model, in the whole period or in one hour or day of it. */
export interface UsageSums {
  /** The hour (`hourOf`) or the day (`dayOf`); "" for the whole period. */
  readonly time: string;
  readonly name: string;
  readonly model: string;
  /** Turns and compactions, without requests that only prepare a connection. */
  readonly turns: number;
  /** Turns that failed, broke off or were refused. */
  readonly failed: number;
  /** Turns whose tokens are known. */
  readonly reported: number;
  readonly input: number;
  readonly cachedInput: number;
  readonly output: number;
  readonly reasoning: number;
  /** How many turns had output, and the sum of the times to their first output, ms. */
  readonly firstOutputs: number;
  readonly firstOutputMs: number;
}

/** One line of a report. */
export type UsageLine = z.output<typeof UsageLine>;
export const UsageLine = z.looseObject({
  /** The group: a day as `YYYY-MM-DD`, an account, and so on; "" if it is not known. */
  name: z.string(),
  turns: z.number(),
  failed: z.number(),
  input_tokens: z.number(),
  cached_input_tokens: z.number(),
  output_tokens: z.number(),
  reasoning_tokens: z.number(),
  /** The average time to the first output; null if no turn had output. */
  first_output_ms: z.number().nullable(),
  /** An estimate: what the priced turns would cost on the API. */
  estimated_cost_usd: z.number(),
  /** Turns with tokens whose model has no known price. */
  unpriced_turns: z.number(),
});

/** A report. */
export type UsageReport = z.output<typeof UsageReport>;
export const UsageReport = z.looseObject({
  since_ms: z.number(),
  until_ms: z.number(),
  by: z.enum(USAGE_GROUPINGS),
  /** Whether the proxy records turns; `failing`: it cannot write the file. `unknown`: no proxy was asked. */
  recording: z.enum(["recording", "off", "failing", "unknown"]).catch("unknown"),
  /** How many days individual turns are kept; the sums of each day are kept forever. */
  keep_days: z.number(),
  /** The date of the packaged prices. */
  prices_as_of: z.string(),
  /** True if the estimate contains turns at a price from config.toml. Older proxies do not say so. */
  uses_own_prices: z.boolean().catch(false),
  lines: z.array(UsageLine),
  total: UsageLine,
  /** When accounts are exhausted; absent without a proxy, for a period that has ended, and if accounts are not shown. */
  forecast: ForecastReport.optional(),
});
