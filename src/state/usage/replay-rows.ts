// Reads from usage.db what a simulation of past turns needs. It only reads, so it works while a proxy runs.

import type { Database } from "bun:sqlite";
import { accountKey } from "../../core/forecast/forecast-accounts.ts";
import type { WindowUse } from "../../core/replay/calibration.ts";
import type { RecordedTurn } from "../../core/replay/recorded-turn.ts";
import { WINDOW_KINDS } from "../../core/windows.ts";
import { accountId } from "../account-record.ts";
import { numberOf, turnId } from "./schema.ts";

/** The turns of a period. */
export interface RecordedTurns {
  /** The turns that a simulation repeats, in the order in which they began. */
  readonly turns: readonly RecordedTurn[];
  /** How many turns child proxies served. A simulation cannot repeat them: it does not know their accounts. */
  readonly ofChildren: number;
}

/**
 * The turns that began from `sinceMs` to before `untilMs` (Unix ms), without those that ended without a report of their
 * tokens: the client sent them again, or aborted them. Throws `SQLiteError`.
 */
export function readTurns(database: Database, sinceMs: number, untilMs: number): RecordedTurns {
  const rows = database
    .query<TurnRow, [number, number]>(
      `SELECT started_ms, duration_ms, session, coalesce(served_model, requested_model, '') AS model, account,
         identity, proxy, outcome, input_tokens, cached_tokens, output_tokens, reasoning_tokens
       FROM turns WHERE id >= ? AND id < ? AND kind IN ('turn', 'compaction') AND outcome <> 'moved'
         AND (output_tokens IS NOT NULL OR outcome = 'refused') ORDER BY id`,
    )
    .all(turnId(sinceMs), turnId(untilMs));
  const own = rows.filter(
    ({ account, proxy, outcome }) => outcome === "refused" || account !== null || proxy === null,
  );
  return { turns: own.map(turnOf), ofChildren: rows.length - own.length };
}

/** The use of the windows of one account while it had one plan. */
export interface StoredUse {
  /** `accountKey` of the account. */
  readonly account: string;
  readonly plan: string;
  readonly windows: readonly WindowUse[];
}

/** The use of the windows of all accounts, including those of child proxies. Throws `SQLiteError`. */
export function readWindowUse(database: Database): StoredUse[] {
  if (numberOf(database, "user_version") < FORMAT_WITH_METERS) return [];
  const hours = database.query<HourRow, [string, string, string]>(
    "SELECT hour, points FROM meter_hours WHERE account = ? AND kind = ? AND plan = ?",
  );
  const uses = new Map<string, { account: string; plan: string; windows: WindowUse[] }>();
  for (const { account, kind: name, plan, reset_ms } of database
    .query<MeterRow, []>("SELECT account, kind, plan, reset_ms FROM meters ORDER BY as_of_ms")
    .all()) {
    const kind = WINDOW_KINDS.find((one) => one === name);
    if (kind === undefined) continue;
    const key = `${account}\0${plan}`;
    const use = uses.get(key) ?? { account, plan, windows: [] };
    const points = new Map(hours.all(account, kind, plan).map((row) => [row.hour, row.points]));
    use.windows.push({ kind, points, resetAtMs: reset_ms ?? undefined });
    uses.set(key, use);
  }
  return [...uses.values()];
}

// --- internal ---

/** The first format of usage.db that has the use of windows (`MIGRATIONS`). */
const FORMAT_WITH_METERS = 2;

interface TurnRow {
  readonly started_ms: number;
  readonly duration_ms: number;
  readonly session: string | null;
  readonly model: string;
  readonly account: string | null;
  readonly identity: string | null;
  readonly proxy: string | null;
  readonly outcome: string;
  readonly input_tokens: number | null;
  readonly cached_tokens: number | null;
  readonly output_tokens: number | null;
  readonly reasoning_tokens: number | null;
}

interface HourRow {
  readonly hour: number;
  readonly points: number;
}

interface MeterRow {
  readonly account: string;
  readonly kind: string;
  readonly plan: string;
  readonly reset_ms: number | null;
}

function turnOf(row: TurnRow): RecordedTurn {
  const { account, identity } = row;
  return {
    startedMs: row.started_ms,
    durationMs: row.duration_ms,
    session: row.session ?? undefined,
    model: row.model,
    account: account === null ? undefined : accountKey(identity ?? undefined, accountId(account)),
    tokens:
      row.output_tokens === null
        ? undefined
        : {
            input: row.input_tokens ?? 0,
            cachedInput: row.cached_tokens ?? 0,
            output: row.output_tokens,
            reasoning: row.reasoning_tokens ?? 0,
          },
  };
}
