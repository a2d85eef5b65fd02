// Reads a usage report from the proxy's own database.

import type { Database } from "bun:sqlite";
import type { PriceTable } from "../core/prices.ts";
import { usageLines } from "../core/usage-lines.ts";
import type { UsageQuery, UsageReport, UsageSums } from "../core/usage-report.ts";
import type { Deps } from "../deps.ts";
import { CodexlbError, systemProblem } from "../errors.ts";
import { sumUsage } from "../state/usage/usage-query.ts";
import type { UsageStore } from "../state/usage/usage-store.ts";

export interface UsageContext {
  readonly deps: Pick<Deps, "clock">;
  readonly usage: Pick<UsageStore, "reader" | "replaceUnusable" | "health">;
  readonly usageSettings: () => { readonly keepDays: number; readonly prices: PriceTable };
}

/** A report, and the sums that it was made from. */
export interface UsageReading {
  readonly report: UsageReport;
  readonly sums: readonly UsageSums[];
}

/** The report that `query` asks for. Throws `file_unusable`. */
export function readUsage(context: UsageContext, query: UsageQuery): Promise<UsageReading> {
  const { deps, usage, usageSettings } = context;
  return withDatabase(context, async (database) => {
    const { keepDays, prices } = usageSettings();
    const nowMs = deps.clock.now();
    const sums = database === undefined ? [] : [...(await sumUsage(database, query, { nowMs, keepDays }))];
    const report = {
      since_ms: query.sinceMs,
      until_ms: query.untilMs,
      by: query.by,
      recording: usage.health().kind,
      keep_days: keepDays,
      ...usageLines(sums, query.by, prices),
    };
    return { report, sums };
  });
}

/**
 * Runs `work` with the database, undefined if there is none. If the database turns out to be damaged, sets it aside and
 * runs `work` again. Throws `file_unusable`.
 */
export async function withDatabase<Result>(
  { usage }: Pick<UsageContext, "usage">,
  work: (database: Database | undefined) => Promise<Result>,
): Promise<Result> {
  try {
    const database = usage.reader();
    try {
      return await work(database);
    } catch (error) {
      if (database === undefined || !usage.replaceUnusable(database, error)) throw error;
      return await work(usage.reader());
    }
  } catch (error) {
    throw new CodexlbError("file_unusable", `reading the usage database: ${systemProblem(error)}`, {
      next: "check the proxy's warnings and the disk of its root",
      cause: error,
    });
  }
}
