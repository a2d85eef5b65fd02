// The histories of the accounts' windows as rows of usage.db.

import type { Database } from "bun:sqlite";
import { HISTORY_MS, HOUR_MS, type MeterHistory } from "../../core/forecast/meter-history.ts";
import { WINDOW_KINDS, type WindowKind } from "../../core/windows.ts";

/** One window of one account. */
export interface MeterKey {
  /** The hash of the account's identity, or else its id. */
  readonly account: string;
  readonly kind: WindowKind;
  readonly plan: string;
}

export interface StoredMeter {
  readonly key: MeterKey;
  readonly history: MeterHistory;
}

/** A history to write. `saved`: what was last written of it; undefined if nothing. */
export interface MeterChange extends StoredMeter {
  readonly saved: MeterHistory | undefined;
}

/**
 * Yields the histories one by one, and deletes what is older than a history is kept. Between two of them, other work can
 * run. Throws `SQLiteError`.
 */
export function* readMeters(database: Database, nowMs: number): Generator<StoredMeter, undefined> {
  const keptMs = nowMs - HISTORY_MS;
  const firstHour = Math.floor(keptMs / HOUR_MS);
  for (const row of database.query<MeterRow, []>("SELECT * FROM meters").all()) {
    const kind = WINDOW_KINDS.find((one) => one === row.kind);
    if (kind === undefined) continue;
    const hours = database.query<HourRow, Triple>(`SELECT hour, points, closed FROM meter_hours ${OF_METER}`);
    const triple: Triple = [row.account, row.kind, row.plan];
    const known = hours.all(...triple);
    const isOld = row.as_of_ms < keptMs;
    if (known.some(({ hour }) => isOld || hour < firstHour))
      database.run(`DELETE FROM meter_hours ${OF_METER} AND (? OR hour < ?)`, [...triple, isOld, firstHour]);
    if (isOld) database.run(`DELETE FROM meters ${OF_METER}`, triple);
    else
      yield {
        key: { account: row.account, kind, plan: row.plan },
        history: historyOf(
          row,
          known.filter(({ hour }) => hour >= firstHour),
        ),
      };
  }
}

/** Writes `changes` in one transaction. Throws `SQLiteError`. */
export function writeMeters(database: Database, changes: readonly MeterChange[]): void {
  const meter = database.prepare(`INSERT OR REPLACE INTO meters VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`);
  const hour = database.prepare(`INSERT OR REPLACE INTO meter_hours VALUES (?, ?, ?, ?, ?, ?)`);
  try {
    database.transaction(() => {
      for (const change of changes) {
        const { account, kind, plan } = change.key;
        const { sinceMs, usedPercent, resetAtMs, asOfMs, lowerSinceMs, closedMs } = change.history;
        meter.run(
          ...[account, kind, plan, Math.round(sinceMs), usedPercent, whole(resetAtMs)],
          ...[Math.round(asOfMs), whole(lowerSinceMs), whole(closedMs)],
        );
        for (const [at, points, closed] of changedHours(change))
          hour.run(account, kind, plan, at, points, closed);
      }
    })();
  } finally {
    // A statement that is not released would keep the database open.
    meter.finalize();
    hour.finalize();
  }
}

/** The number of rows that `changes` write. */
export function rowsOf(changes: readonly MeterChange[]): number {
  return changes.reduce((rows, change) => rows + 1 + changedHours(change).length, 0);
}

// --- internal ---

/** Account, kind and plan, which identify a meter. */
type Triple = [string, string, string];

const OF_METER = "WHERE account = ? AND kind = ? AND plan = ?";

interface HourRow {
  readonly hour: number;
  readonly points: number;
  readonly closed: number;
}

interface MeterRow {
  readonly account: string;
  readonly kind: string;
  readonly plan: string;
  readonly since_ms: number;
  readonly used_percent: number;
  readonly reset_ms: number | null;
  readonly as_of_ms: number;
  readonly lower_since_ms: number | null;
  readonly closed_ms: number | null;
}

function historyOf(row: MeterRow, hours: readonly HourRow[]): MeterHistory {
  const present = (value: "points" | "closed") =>
    new Map(hours.filter((one) => one[value] > 0).map((one) => [one.hour, one[value]]));
  return {
    plan: row.plan,
    sinceMs: row.since_ms,
    usedPercent: row.used_percent,
    resetAtMs: row.reset_ms ?? undefined,
    asOfMs: row.as_of_ms,
    lowerSinceMs: row.lower_since_ms ?? undefined,
    closedMs: row.closed_ms ?? undefined,
    points: present("points"),
    closed: present("closed"),
  };
}

/** Hour, points and closed share of the hours that differ from what was saved. */
function changedHours({ history, saved }: MeterChange): [number, number, number][] {
  if (history.points === saved?.points && history.closed === saved.closed) return [];
  const hours = new Set([...history.points.keys(), ...history.closed.keys()]);
  return [...hours].flatMap((hour): [number, number, number][] => {
    const points = history.points.get(hour) ?? 0;
    const closed = history.closed.get(hour) ?? 0;
    const isSaved = points === (saved?.points.get(hour) ?? 0) && closed === (saved?.closed.get(hour) ?? 0);
    return isSaved ? [] : [[hour, points, closed]];
  });
}

function whole(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.round(ms);
}
