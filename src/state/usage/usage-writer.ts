// Writes batches of turns to an open usage.db. Pure SQL: when to write is decided by the store.

import type { Database } from "bun:sqlite";
import { randomInt } from "node:crypto";
import type { TurnRecord } from "../../core/turn-record.ts";
import { OTHERS } from "../../core/usage-lines.ts";
import { shortLine } from "../../printable.ts";
import { createDaySummer, DAY_KEY, DAY_SUMS, type DayRow } from "./day-sums.ts";
import { cleaned, createLabelSets } from "./label-sets.ts";
import { createLabelTable } from "./label-table.ts";
import { turnId } from "./schema.ts";
import type { SessionSums } from "./session-sums.ts";

export interface UsageWriter {
  /**
   * Writes turns, and adds them to the sums of days, in one transaction. `identityOf`: the hash of the identity of the
   * turn's account. `within` is called at the end of the transaction with the ids of the turns. Throws `SQLiteError`.
   */
  write<Turn extends TurnRecord>(
    turns: readonly Turn[],
    identityOf: (turn: Turn) => string | undefined,
    within?: (ids: readonly number[]) => void,
  ): void;
  /** Counts the pages of a commit of `rows` rows that was not made by `write`. */
  countCommit(rows: number): void;
  /** An estimate of the pages in SQLite's log since the last checkpoint. */
  pagesInLog(): number;
  /** Moves the log into the database. Throws `SQLiteError`. */
  checkpoint(): void;
  /** Releases the statements, without which the database could not be closed. */
  close(): void;
}

/** A day has at most this many combinations. Further ones count under `OTHERS`, so that the file stays small. */
export const MOST_ROWS_OF_DAY = 2_000;

/** `sessions`: gets turns of days that are in the sums of sessions already. */
export function createUsageWriter(database: Database, sessions: Pick<SessionSums, "addLate">): UsageWriter {
  const insert = database.prepare(
    // Two turns have the same id only after the clock was set back, and then hardly ever.
    `INSERT OR IGNORE INTO turn_rows (id, labels, session, input_tokens, cached_tokens, output_tokens,
      reasoning_tokens, first_output_ms, duration_ms, attempts, switches, run)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const update = database.prepare(
    `UPDATE days SET ${DAY_SUMS.map((name) => `${name} = ${name} + ?`).join(", ")}
      WHERE ${DAY_KEY.map((name) => `${name} = ?`).join(" AND ")}`,
  );
  const create = database.prepare(
    `INSERT INTO days (${[...DAY_KEY, ...DAY_SUMS].join(", ")})
      VALUES (${[...DAY_KEY, ...DAY_SUMS].map(() => "?").join(", ")})`,
  );
  const rowsOf = database.prepare<{ count: number }, [string]>(
    "SELECT count(*) AS count FROM days WHERE day = ?",
  );
  const sets = createLabelSets();
  const labels = createLabelTable(database, { forget: sets.clear });
  let pages = 0;
  // Random: after the clock was set back, a turn may begin in the same millisecond as one of an earlier process.
  let serial = randomInt(1_000_000);

  const addDay = ({ key, sums: named }: DayRow): void => {
    const sums = DAY_SUMS.map((name) => named[name]);
    if (update.run(...sums, ...key).changes > 0) return;
    if ((rowsOf.get(key[0] ?? "")?.count ?? 0) < MOST_ROWS_OF_DAY) {
      create.run(...key, ...sums);
      return;
    }
    const folded = key.map((value, index) => (FOLDED.has(DAY_KEY[index] ?? "") ? OTHERS : value));
    if (update.run(...sums, ...folded).changes === 0) create.run(...folded, ...sums);
  };
  const write = database.transaction(
    (turns: readonly TurnRecord[], identityOf: IdentityOf, within?: Within) => {
      const days = createDaySummer();
      const ids: number[] | undefined = within && [];
      for (const turn of turns) {
        const { tokens, switches } = turn;
        const set = sets.of(turn, identityOf(turn));
        days.add(turn, set);
        const id = turnId(turn.startedMs, serial++);
        const { changes } = insert.run(
          id,
          labels.idOf(set),
          cellOf(turn.session),
          tokens?.input ?? null,
          tokens?.cachedInput ?? null,
          tokens?.output ?? null,
          tokens?.reasoning ?? null,
          turn.firstOutputMs ?? null,
          turn.durationMs,
          turn.attempts,
          switches.length === 0 ? null : shortLine(JSON.stringify(switches), LONGEST_SWITCHES),
          cellOf(turn.run),
        );
        if (changes > 0) sessions.addLate(id);
        if (changes > 0) ids?.push(id);
      }
      const rows = days.rows();
      for (const row of rows) addDay(row);
      if (ids !== undefined) within?.(ids);
      return rows.length;
    },
  );

  const countCommit = (rows: number): void => {
    pages += PAGES_OF_COMMIT + Math.ceil(rows / ROWS_OF_PAGE);
  };

  return {
    write: (turns, identityOf, within) => {
      try {
        const days = write(turns, identityOf as IdentityOf, within);
        pages += PAGES_OF_COMMIT + days + Math.ceil(turns.length / ROWS_OF_PAGE);
      } catch (error) {
        // The labels that the transaction created do not exist.
        sets.clear();
        throw error;
      }
    },
    countCommit,
    pagesInLog: () => pages,
    checkpoint: () => {
      database.run("PRAGMA wal_checkpoint(PASSIVE)");
      pages = 0;
    },
    close: () => {
      for (const statement of [insert, update, create, rowsOf, labels]) statement.finalize();
    },
  };
}

// --- internal ---

type IdentityOf = (turn: TurnRecord) => string | undefined;
type Within = (ids: readonly number[]) => void;

/** The parts of a day's key that clients can choose freely. */
const FOLDED: ReadonlySet<string> = new Set(["model", "project"]);

/** The pages that every commit changes: the ends of the tables and of the index. */
const PAGES_OF_COMMIT = 4;
/** A row of `turn_rows` has about 80 bytes, and a page 4 KiB. */
const ROWS_OF_PAGE = 45;

const LONGEST_SWITCHES = 4_000;

function cellOf(text: string | undefined): string | null {
  return text === undefined || text === "" ? null : cleaned(text);
}
