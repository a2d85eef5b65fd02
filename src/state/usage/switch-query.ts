// Counts the changes of the account within turns. They are recorded with the single turns only.

import type { Database } from "bun:sqlite";
import { startOfDay } from "../../core/local-days.ts";
import type { TurnSwitch } from "../../core/turn-record.ts";
import type { UsageQuery } from "../../core/usage-report.ts";
import { turnId } from "./schema.ts";
import { sqlFilter } from "./turn-filter.ts";

/** A change of the account within turns, and how often it happened. */
export interface SwitchCount extends TurnSwitch {
  readonly times: number;
}

/** The changes in the turns that `query` selects, the most frequent first. `nowMs`: the current time; later turns are not counted. */
export async function countSwitches(
  database: Database,
  query: Omit<UsageQuery, "by">,
  nowMs: number,
): Promise<SwitchCount[]> {
  const { sinceMs, untilMs } = query;
  const filter = sqlFilter(query, "coalesce(served_model, requested_model, '')");
  const counts = new Map<string, SwitchCount>();
  const statement = database.query<{ switches: string; times: number }, Record<string, string | number>>(
    `SELECT switches, count(*) AS times FROM turns
      WHERE id >= $since AND id < $until AND switches IS NOT NULL${filter.sql} GROUP BY switches`,
  );
  const endMs = Math.min(untilMs, startOfDay(nowMs, 1));
  for (let ms = sinceMs; ms < endMs; ) {
    const nextMs = Math.min(startOfDay(ms, DAYS_AT_ONCE), endMs);
    for (const { switches, times } of statement.all({
      ...filter.values,
      $since: turnId(ms),
      $until: turnId(nextMs),
    }))
      for (const one of switchesIn(switches)) {
        const key = `${one.from}\0${one.to}\0${one.reason}`;
        counts.set(key, { ...one, times: (counts.get(key)?.times ?? 0) + times });
      }
    ms = nextMs;
    // A part takes a few milliseconds; other work runs between them.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return [...counts.values()].sort((a, b) => b.times - a.times);
}

// --- internal ---

const DAYS_AT_ONCE = 7;

/** The changes in the text of one turn; none if the text was too long for the column, and cut. */
function switchesIn(text: string): TurnSwitch[] {
  try {
    return JSON.parse(text) as TurnSwitch[];
  } catch {
    return [];
  }
}
