// Sums the turns in usage.db. Whole days come from the sums of days, so a year is as quick as a week; parts of days, and
// sessions, come from the single turns. Other work runs between the parts of a query.

import type { Database } from "bun:sqlite";
import { dayOf, hourOf, nextHour, startOfDay } from "../../core/local-days.ts";
import type { UsageGrouping, UsageQuery, UsageStep, UsageSums } from "../../core/usage-report.ts";
import { turnId } from "./schema.ts";
import { SERVED_BY, sqlFilter } from "./turn-filter.ts";

/**
 * The sums of the turns that `query` selects, by group, model and time. `nowMs`: the current time. Single turns older
 * than `keepDays` no longer exist: a day of which `query` selects only a part then counts as a whole, and has neither
 * sessions nor hours.
 */
export async function sumUsage(
  database: Database,
  query: UsageQuery,
  { nowMs, keepDays }: { readonly nowMs: number; readonly keepDays: number },
): Promise<Iterable<UsageSums>> {
  const sums = new Map<string, UsageSums>();
  for (const part of partsOf(query, startOfDay(nowMs, 1 - keepDays), startOfDay(nowMs, 1))) {
    const source = part.kind === "days" ? DAYS : TURNS;
    const { sql, values } = statementOf(source, query);
    for (const row of database.query<UsageSums, SqlValues>(sql).all({ ...part.values, ...values }))
      add(sums, row);
    // One part takes a few milliseconds.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return sums.values();
}

// --- internal ---

type SqlValues = Record<string, string | number>;

/** A part of a query, with the values for its source. */
interface Part {
  readonly kind: "days" | "turns";
  readonly values: SqlValues;
}

/** How many days are summed at a time. */
const DAYS_AT_ONCE = 31;

function* partsOf(query: UsageQuery, keptFromMs: number, tomorrowMs: number): Generator<Part> {
  const { by, each, session } = query;
  const untilMs = Math.min(query.untilMs, tomorrowMs);
  if (by === "session" || session !== undefined || each === "hour") {
    yield* turnsOf(Math.max(query.sinceMs, keptFromMs), untilMs, each);
    return;
  }
  const isWholeDay = (ms: number) => ms === startOfDay(ms) || ms < keptFromMs;
  const wantedMs = Math.max(query.sinceMs, EARLIEST_MS);
  const sinceMs = isWholeDay(wantedMs) ? startOfDay(wantedMs) : wantedMs;
  const firstWholeMs = isWholeDay(sinceMs) ? sinceMs : startOfDay(sinceMs, 1);
  const lastWholeMs = untilMs < keptFromMs ? startOfDay(untilMs - 1, 1) : startOfDay(untilMs);
  if (lastWholeMs < firstWholeMs) {
    yield* turnsOf(sinceMs, untilMs);
    return;
  }
  yield* turnsOf(sinceMs, firstWholeMs);
  for (let ms = firstWholeMs; ms < lastWholeMs; ) {
    const nextMs = Math.min(startOfDay(ms, DAYS_AT_ONCE), lastWholeMs);
    yield { kind: "days", values: { $first: dayOf(ms), $end: dayOf(nextMs) } };
    ms = nextMs;
  }
  yield* turnsOf(lastWholeMs, untilMs);
}

/** No turn was recorded before. */
const EARLIEST_MS = Date.UTC(2025, 11, 31);

function* turnsOf(sinceMs: number, untilMs: number, each: UsageStep = "day"): Generator<Part> {
  for (let ms = sinceMs; ms < untilMs; ) {
    const nextMs = Math.min(each === "hour" ? nextHour(ms) : startOfDay(ms, 1), untilMs);
    const time = each === "hour" ? hourOf(ms) : dayOf(ms);
    yield { kind: "turns", values: { $since: turnId(ms), $until: turnId(nextMs), $time: time } };
    ms = nextMs;
  }
}

const DAYS = "(SELECT *, day AS time, '' AS session FROM days WHERE day >= $first AND day < $end)";

/** Single turns in the form of `days`. */
const TURNS = `(
  SELECT $time AS time, started_ms, coalesce(account, '') AS account, coalesce(proxy, '') AS proxy,
    coalesce(served_model, requested_model, '') AS model, coalesce(project, '') AS project,
    coalesce(client, '') AS client, coalesce(session, '') AS session, kind, outcome,
    1 AS turns, output_tokens IS NOT NULL AS reported, coalesce(input_tokens, 0) AS input_tokens,
    coalesce(cached_tokens, 0) AS cached_tokens, coalesce(output_tokens, 0) AS output_tokens,
    coalesce(reasoning_tokens, 0) AS reasoning_tokens, first_output_ms IS NOT NULL AS first_outputs,
    coalesce(first_output_ms, 0) AS first_output_ms
  FROM turns WHERE id >= $since AND id < $until)`;

const GROUPS: Readonly<Record<UsageGrouping, string>> = {
  day: "time",
  account: SERVED_BY,
  model: "model",
  project: "project",
  session: "session",
  key: "client",
};

/** True for a row that is a turn: not a request that only prepares a connection, nor a part of a turn that moved on. */
const COUNTS = "kind <> 'prewarm' AND outcome <> 'moved'";

/** What identifies a session to a person. */
const SESSION_COLUMNS = "max(project) AS project, min(started_ms) AS firstMs, max(started_ms) AS lastMs,";

function statementOf(source: string, query: UsageQuery) {
  const { by, each } = query;
  const filter = sqlFilter(query);
  const sql = `
    SELECT ${GROUPS[by]} AS name, model, ${each === undefined ? "''" : "time"} AS time,
      ${by === "session" ? SESSION_COLUMNS : ""}
      sum(CASE WHEN ${COUNTS} THEN turns ELSE 0 END) AS turns,
      sum(CASE WHEN ${COUNTS} AND outcome IN ('failed', 'cut', 'refused') THEN turns ELSE 0 END) AS failed,
      sum(CASE WHEN ${COUNTS} THEN reported ELSE 0 END) AS reported,
      sum(input_tokens) AS input, sum(cached_tokens) AS cachedInput,
      sum(output_tokens) AS output, sum(reasoning_tokens) AS reasoning,
      sum(CASE WHEN ${COUNTS} THEN first_outputs ELSE 0 END) AS firstOutputs,
      sum(CASE WHEN ${COUNTS} THEN first_output_ms ELSE 0 END) AS firstOutputMs
    FROM ${source}
    WHERE TRUE${filter.sql}
    GROUP BY 1, 2, 3`;
  return { sql, values: filter.values };
}

function add(sums: Map<string, UsageSums>, row: UsageSums): void {
  const key = `${row.time}\0${row.name}\0${row.model}`;
  const known = sums.get(key);
  if (known === undefined) {
    sums.set(key, row);
    return;
  }
  sums.set(key, {
    ...known,
    turns: known.turns + row.turns,
    failed: known.failed + row.failed,
    reported: known.reported + row.reported,
    input: known.input + row.input,
    cachedInput: known.cachedInput + row.cachedInput,
    output: known.output + row.output,
    reasoning: known.reasoning + row.reasoning,
    firstOutputs: known.firstOutputs + row.firstOutputs,
    firstOutputMs: known.firstOutputMs + row.firstOutputMs,
    ...sessionPart(known, row),
  });
}

/** What both rows of a session say of it together; nothing for rows of other groups. */
function sessionPart(one: UsageSums, other: UsageSums): Partial<UsageSums> {
  if (one.firstMs === undefined || other.firstMs === undefined) return {};
  return {
    project: one.project || other.project,
    firstMs: Math.min(one.firstMs, other.firstMs),
    lastMs: Math.max(one.lastMs ?? 0, other.lastMs ?? 0),
  };
}
