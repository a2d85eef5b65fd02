// What turns used over time, for the dashboard's page: the report of `codexlb usage`, and its figures over time.

import { readUsage, type UsageContext, withDatabase } from "../admin/read-usage.ts";
import { startOfDay } from "../core/local-days.ts";
import { USAGE_FILTERS, type UsageFilters, type UsageQuery } from "../core/usage-report.ts";
import { partStarts, usageTimeline } from "../core/usage-timeline.ts";
import { CodexlbError } from "../errors.ts";
import { countSwitches } from "../state/usage/switch-query.ts";
import {
  MOST_SWITCHES,
  USAGE_PERIODS,
  USAGE_VIEWS,
  type UsageAnswer,
  type UsagePeriod,
  type UsageView,
} from "./messages.ts";

/**
 * The usage that `asked` selects with its parameters `since`, `by` and the filters. Throws `invalid_request` for unknown
 * names, and `file_unusable`.
 */
export async function usageAnswer(
  context: UsageContext,
  asked: (parameter: string) => string | undefined,
): Promise<UsageAnswer> {
  const period = known(USAGE_PERIODS, asked("since"), "since");
  const grouping = known(USAGE_VIEWS, asked("by"), "by");
  const nowMs = context.deps.clock.now();
  const filters: UsageFilters = Object.fromEntries(USAGE_FILTERS.map((name) => [name, asked(name)]));
  const query = { ...queryOf(period, grouping, nowMs), ...filters };
  const days = PART_DAYS[period];
  const { report, sums } = await readUsage(context, { ...query, each: days === 0 ? "hour" : "day" });
  const starts = partStarts(query, days, nowMs);
  const switches = await withDatabase(context, async (database) =>
    database === undefined ? [] : countSwitches(database, query, nowMs),
  );
  const health = context.usage.health();
  return {
    report,
    starts,
    ...usageTimeline(sums, starts, report.lines, context.usageSettings().prices),
    switches: switches.slice(0, MOST_SWITCHES),
    failure: health.kind === "failing" ? { why: health.why, dropped: health.dropped } : undefined,
  };
}

// --- internal ---

const HOUR_MS = 3_600_000;

/** How many days a part of the period has; 0 for an hour. */
const PART_DAYS: Readonly<Record<UsagePeriod, number>> = { "24h": 0, "7d": 1, "30d": 1, "90d": 1, "52w": 7 };
const PERIOD_DAYS: Readonly<Record<Exclude<UsagePeriod, "24h">, number>> = {
  "7d": 7,
  "30d": 30,
  "90d": 90,
  "52w": 364,
};

/** The query of `codexlb usage --since PERIOD --by BY`. */
function queryOf(period: UsagePeriod, by: UsageView, nowMs: number): UsageQuery {
  const sinceMs = period === "24h" ? nowMs - 24 * HOUR_MS : startOfDay(nowMs, 1 - PERIOD_DAYS[period]);
  return { sinceMs, untilMs: startOfDay(nowMs, 1), by };
}

function known<Name extends string>(names: readonly Name[], text: string | undefined, what: string): Name {
  const found = names.find((name) => name === text);
  if (found !== undefined) return found;
  throw new CodexlbError("invalid_request", `reading the usage: ${what} must be one of ${names.join(", ")}`, {
    next: "correct the request",
  });
}
