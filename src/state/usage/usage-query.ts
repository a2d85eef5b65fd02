// Sums the turns in usage.db. Whole days come from the sums of days, or from those of sessions, so a year is as quick as a
// week; parts of days, and sessions of days that are not in the sums yet, come from the single turns. Other work runs
// between the parts of a query.

import type { Database } from "bun:sqlite";
import { dayOf, hourOf, nextHour, startOfDay } from "../../core/local-days.ts";
import type { UsageGrouping, UsageQuery, UsageStep, UsageSums } from "../../core/usage-report.ts";
import { turnId } from "./schema.ts";
import { sessionWatermark } from "./session-sums.ts";
import { SERVED_BY, sqlFilter } from "./turn-filter.ts";
import { type SESSION_COLUMNS, SESSION_OF_TURNS, SUMMED, SUMS_OF_TURNS, TURNS } from "./usage-sql.ts";

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
  const times = {
    keptFromMs: startOfDay(nowMs, 1 - keepDays),
    tomorrowMs: startOfDay(nowMs, 1),
    watermark: canUseSessionSums(query) ? sessionWatermark(database) : 0,
  };
  for (const part of partsOf(query, times)) {
    const { sql, values } = statementOf(SOURCES[part.kind], query);
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
  readonly kind: "days" | "sessions" | "turns";
  readonly values: SqlValues;
}

interface PartTimes {
  /** When the first day with single turns begins, Unix ms. */
  readonly keptFromMs: number;
  readonly tomorrowMs: number;
  /** The id of the first turn that is not in the sums of sessions. */
  readonly watermark: number;
}

/** How many days are summed at a time. */
const DAYS_AT_ONCE = 31;

function* partsOf(query: UsageQuery, { keptFromMs, tomorrowMs, watermark }: PartTimes): Generator<Part> {
  const { by, each, session } = query;
  const untilMs = Math.min(query.untilMs, tomorrowMs);
  if (by === "session" || session !== undefined || each === "hour") {
    const sinceMs = Math.max(query.sinceMs, keptFromMs);
    const firstWholeMs = sinceMs === startOfDay(sinceMs) ? sinceMs : startOfDay(sinceMs, 1);
    let summedMs = firstWholeMs;
    while (each !== "hour" && isSummed(summedMs, untilMs, watermark)) summedMs = startOfDay(summedMs, 1);
    if (summedMs === firstWholeMs) {
      yield* turnsOf(sinceMs, untilMs, each);
      return;
    }
    yield* turnsOf(sinceMs, firstWholeMs);
    yield* daysOf("sessions", firstWholeMs, summedMs);
    yield* turnsOf(summedMs, untilMs);
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
  yield* daysOf("days", firstWholeMs, lastWholeMs);
  yield* turnsOf(lastWholeMs, untilMs);
}

/** The sums of sessions do not say which account served, and name one project of a session. */
function canUseSessionSums({ by, account, project }: UsageQuery): boolean {
  return by === "session" && account === undefined && project === undefined;
}

/** No turn was recorded before. */
const EARLIEST_MS = Date.UTC(2025, 11, 31);

/** True if the whole day that begins at `ms` is before `untilMs`, and in the sums of sessions. */
function isSummed(ms: number, untilMs: number, watermark: number): boolean {
  const endMs = startOfDay(ms, 1);
  return endMs <= untilMs && turnId(endMs) <= watermark;
}

/** The days from the one that begins at `sinceMs` to the one that ends at `untilMs`. */
function* daysOf(kind: "days" | "sessions", sinceMs: number, untilMs: number): Generator<Part> {
  for (let ms = sinceMs; ms < untilMs; ) {
    const nextMs = Math.min(startOfDay(ms, DAYS_AT_ONCE), untilMs);
    yield { kind, values: { $first: dayOf(ms), $end: dayOf(nextMs) } };
    ms = nextMs;
  }
}

function* turnsOf(sinceMs: number, untilMs: number, each: UsageStep = "day"): Generator<Part> {
  for (let ms = sinceMs; ms < untilMs; ) {
    const nextMs = Math.min(each === "hour" ? nextHour(ms) : startOfDay(ms, 1), untilMs);
    const time = each === "hour" ? hourOf(ms) : dayOf(ms);
    yield { kind: "turns", values: { $since: turnId(ms), $until: turnId(nextMs), $time: time } };
    ms = nextMs;
  }
}

/** The rows of a part, and the sum of each column over them. */
interface Source {
  readonly rows: string;
  readonly sums: Readonly<Record<(typeof SUMMED)[number], string>>;
  /** What identifies a session to a person; undefined if the rows are not those of sessions. */
  readonly session: Readonly<Record<(typeof SESSION_COLUMNS)[number], string>> | undefined;
}

const DAYS = "day >= $first AND day < $end";

const SOURCES: Readonly<Record<Part["kind"], Source>> = {
  days: {
    rows: `(SELECT *, day AS time, '' AS session FROM days WHERE ${DAYS})`,
    sums: SUMS_OF_TURNS,
    session: undefined,
  },
  sessions: {
    rows: `(SELECT *, day AS time FROM session_days WHERE ${DAYS})`,
    sums: Object.fromEntries(SUMMED.map((name) => [name, `sum(${name})`])) as Source["sums"],
    session: { project: "max(project)", first_ms: "min(first_ms)", last_ms: "max(last_ms)" },
  },
  turns: { rows: TURNS, sums: SUMS_OF_TURNS, session: SESSION_OF_TURNS },
};

const GROUPS: Readonly<Record<UsageGrouping, string>> = {
  day: "time",
  account: SERVED_BY,
  model: "model",
  project: "project",
  session: "session",
  key: "client",
  proxy: "proxy",
};

function statementOf({ rows, sums, session }: Source, query: UsageQuery) {
  const { by, each } = query;
  const filter = sqlFilter(query);
  const identity =
    by !== "session" || session === undefined
      ? ""
      : `${session.project} AS project, ${session.first_ms} AS firstMs, ${session.last_ms} AS lastMs,`;
  const sql = `
    SELECT ${GROUPS[by]} AS name, model, ${each === undefined ? "''" : "time"} AS time, ${identity}
      ${sums.turns} AS turns, ${sums.failed} AS failed, ${sums.reported} AS reported,
      ${sums.input_tokens} AS input, ${sums.cached_tokens} AS cachedInput,
      ${sums.output_tokens} AS output, ${sums.reasoning_tokens} AS reasoning,
      ${sums.first_outputs} AS firstOutputs, ${sums.first_output_ms} AS firstOutputMs
    FROM ${rows}
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
