// The report of `codexlb usage` and of `GET /admin/usage`: what turns used, in groups, with an estimate of their cost.

import { z } from "zod";
import { ForecastReport } from "./forecast/forecast-report.ts";

/**
 * What a report groups turns by. `key`: the client's key. `project`: the working directory. `proxy`: the replica, or the
 * child proxy, that used an account.
 */
export const USAGE_GROUPINGS = ["day", "account", "model", "project", "session", "key", "proxy"] as const;
export type UsageGrouping = (typeof USAGE_GROUPINGS)[number];

/** The times for which a query can sum separately. */
export type UsageStep = "hour" | "day";

/** What a report can be limited to, as the parameters of `GET /admin/usage` and the flags of `codexlb usage`. */
export const USAGE_FILTERS = ["account", "model", "project", "session", "key"] as const;
export type UsageFilter = (typeof USAGE_FILTERS)[number];

/**
 * Only turns for which all of these are true. `account`: its alias, or the name of a child proxy. `project`: the
 * working directory, or the last parts of its path. `session`: its id, or the beginning of it. `key`: the name of the
 * client's key. "": only turns for which it is unknown.
 */
export type UsageFilters = { readonly [Name in UsageFilter]?: string | undefined };

/** True if a turn whose label is `name` passes the filter with this value. The query of usage.db has the same rule. */
export function matchesFilter(filter: UsageFilter, name: string, value: string): boolean {
  if (name === value || value === "") return name === value;
  if (filter === "project") return name.endsWith(`/${value}`);
  return filter === "session" && name.startsWith(value);
}

/** Which turns a report counts. */
export interface UsageQuery extends UsageFilters {
  /** The first millisecond, and the one after the last, Unix ms. */
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly by: UsageGrouping;
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
  /** The working directory of a session, "" if it is not known; absent for other groups. */
  readonly project?: string | undefined;
  /** When the first and the last counted request of a session began, Unix ms; absent for other groups. */
  readonly firstMs?: number | undefined;
  readonly lastMs?: number | undefined;
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
  /** The working directory of a session; "" if it is not known. Absent for other groups. */
  project: z.string().optional(),
  /** When the first and the last counted request of a session began, Unix ms. Absent for other groups. */
  first_ms: z.number().optional(),
  last_ms: z.number().optional(),
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
