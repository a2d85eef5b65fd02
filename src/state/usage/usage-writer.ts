// Writes batches of turns to an open usage.db. Pure SQL: when to write is decided by the store.

import type { Database } from "bun:sqlite";
import { randomInt } from "node:crypto";
import { turnId } from "./schema.ts";
import { DAY_KEY, DAY_SUMS, type DayRow, TURN_COLUMNS, type TurnRow } from "./usage-rows.ts";

export interface UsageWriter {
  /** Writes the rows of turns, and adds to the sums of days, in one transaction. Throws `SQLiteError`. */
  write(turns: readonly TurnRow[], days: readonly DayRow[]): void;
  /** An estimate of the pages in SQLite's log since the last checkpoint. */
  pagesInLog(): number;
  /** Moves the log into the database. Throws `SQLiteError`. */
  checkpoint(): void;
  /** Releases the statements, without which the database could not be closed. */
  close(): void;
}

/** A day has at most this many combinations. Further ones count under `OTHERS`, so that the file stays small. */
export const MOST_ROWS_OF_DAY = 2_000;
/** The model and the project of combinations beyond the limit. */
export const OTHERS = "(others)";

export function createUsageWriter(database: Database): UsageWriter {
  const insert = database.prepare(
    // Two turns have the same id only after the clock was set back, and then hardly ever.
    `INSERT OR IGNORE INTO turns (id, ${TURN_COLUMNS.join(", ")})
      VALUES (?, ${TURN_COLUMNS.map(() => "?").join(", ")})`,
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
  const write = database.transaction((turns: readonly TurnRow[], days: readonly DayRow[]) => {
    for (const row of turns) insert.run(turnId(row[0], serial++), ...row);
    for (const row of days) addDay(row);
  });

  return {
    write: (turns, days) => {
      write(turns, days);
      pages += PAGES_OF_COMMIT + Math.ceil((turns.length + days.length) / ROWS_OF_PAGE);
    },
    pagesInLog: () => pages,
    checkpoint: () => {
      database.run("PRAGMA wal_checkpoint(PASSIVE)");
      pages = 0;
    },
    close: () => {
      for (const statement of [insert, update, create, rowsOf]) statement.finalize();
    },
  };
}

// --- internal ---

/** The parts of a day's key that clients can choose freely. */
const FOLDED: ReadonlySet<string> = new Set(["model", "project"]);

/** The pages that every commit changes: the ends of the tables and of the index. */
const PAGES_OF_COMMIT = 4;
/** A row of `turns` has about 300 bytes, and a page 4 KiB. */
const ROWS_OF_PAGE = 10;
