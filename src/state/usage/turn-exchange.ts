// The part of usage.db by which the replicas of a pool exchange their turns and switches: an outbox in the order in
// which the records were written, and up to which record those of each other replica are here. Only a replica has these
// tables.
//
// A turn of this process enters the outbox in the transaction that writes it, and a turn of another replica is written
// together with a mark that it is here. So a process that is killed at any time neither loses nor repeats a turn.

import type { Database } from "bun:sqlite";
import { randomBytes } from "node:crypto";

export interface ExchangeState {
  /** Identifies this outbox. Random, because the numbers of another file begin again at 1. */
  readonly source: string;
  /** The number of the last record that the pool has; 0 if none. */
  readonly sent: number;
  /** Up to where this replica has read what others sent: an id of the pool's stream. */
  readonly position: string;
}

/** A row of the view `turns`. */
export interface TurnRow {
  readonly [column: string]: string | number | null;
}

/** A record of the outbox. Both are null if the turn was deleted before it was sent. */
export interface OutgoingRecord {
  readonly sequence: number;
  readonly turn: TurnRow | null;
  /** A switch as JSON. */
  readonly moved: string | null;
}

/** The beginning of the stream. */
export const STREAM_START = "0-0";
/** Sent records that are kept, so that they can be sent again to a server that has lost its data. */
export const MOST_KEPT = 5_000;

/** The methods throw `SQLiteError`. Those that write must be called within a transaction. */
export interface TurnExchange {
  state(): ExchangeState;
  /** Puts turns of this process into the outbox. */
  noteTurns(ids: readonly number[]): void;
  /** Puts switches of this process, as JSON, into the outbox. */
  noteMoved(switches: readonly string[]): void;
  /** The next records after `sequence`, at most `most`. */
  outgoing(sequence: number, most: number): OutgoingRecord[];
  /** The number of the last record in the outbox; 0 if there has been none. */
  last(): number;
  /** The pool has the records up to `sequence`. */
  markSent(sequence: number): void;
  /** The number of the last record of `source` that is here; undefined if there is none. */
  receivedOf(source: string): number | undefined;
  markReceived(source: string, sequence: number): void;
  /** Replaces the source, because the pool has later records of this one: the file was restored from a copy. */
  renewSource(): void;
  /** What the others sent was read up to `position`. */
  moveTo(position: string): void;
}

/**
 * The exchange of the replica in `database`. Creates the tables, and empties the outbox if it is that of another
 * `membership`. Throws `SQLiteError`.
 */
export function openExchange(database: Database, membership: string): TurnExchange {
  database.run(TABLES);
  const one = <T>(sql: string, ...values: (string | number)[]) =>
    database.query<T, (string | number)[]>(sql).get(...values);
  const run = (sql: string, ...values: (string | number | null)[]) => void database.query(sql).run(...values);
  const stored = () => one<ExchangeState & { membership: string }>("SELECT * FROM exchange_state");
  const markReceived = (source: string, sequence: number) =>
    run("INSERT OR REPLACE INTO exchange_received VALUES (?, ?)", source, sequence);
  const before = stored();
  if (before?.membership !== membership)
    database.transaction(() => {
      // The pool may have these records, as those of another source.
      if (before !== null) markReceived(before.source, lastIn(database));
      for (const table of ["state", "outbox"]) run(`DELETE FROM exchange_${table}`);
      run("DELETE FROM sqlite_sequence WHERE name = 'exchange_outbox'");
      run("INSERT INTO exchange_state VALUES (?, ?, 0, ?)", membership, newSource(), STREAM_START);
    })();
  return {
    state: () => {
      const { source, sent, position } = stored() ?? { source: "", sent: 0, position: STREAM_START };
      return { source, sent, position };
    },
    noteTurns: (ids) => {
      for (const id of ids) run("INSERT INTO exchange_outbox (turn) VALUES (?)", id);
      run("DELETE FROM exchange_outbox WHERE sequence <= ?", lastIn(database) - MOST_WAITING);
    },
    noteMoved: (switches) => {
      for (const text of switches) run("INSERT INTO exchange_outbox (moved) VALUES (?)", text);
    },
    outgoing: (sequence, most) => {
      const records = database
        .query<OutboxRow, [number, number]>(
          "SELECT sequence, moved FROM exchange_outbox WHERE sequence > ? ORDER BY sequence LIMIT ?",
        )
        .all(sequence, most);
      const turns = new Map(
        database
          .query<TurnRow & { outbox_sequence: number }, [number, number]>(
            `SELECT o.sequence AS outbox_sequence, t.* FROM exchange_outbox o CROSS JOIN turns t ON t.id = o.turn
              WHERE o.sequence > ? AND o.sequence <= ?`,
          )
          .all(sequence, records.at(-1)?.sequence ?? 0)
          .map(({ outbox_sequence, ...turn }) => [outbox_sequence, turn]),
      );
      return records.map((record) => ({ ...record, turn: turns.get(record.sequence) ?? null }));
    },
    last: () => lastIn(database),
    markSent: (sequence) => {
      run("UPDATE exchange_state SET sent = ?", sequence);
      run("DELETE FROM exchange_outbox WHERE sequence <= ?", sequence - MOST_KEPT);
    },
    receivedOf: (source) =>
      one<{ sequence: number }>("SELECT sequence FROM exchange_received WHERE source = ?", source)?.sequence,
    markReceived,
    renewSource: () => {
      const state = stored();
      // Everything is read again, because the pool has records of this source that are not in the file.
      if (state !== null) markReceived(state.source, state.sent);
      run("UPDATE exchange_state SET source = ?, position = ?", newSource(), STREAM_START);
    },
    moveTo: (position) => run("UPDATE exchange_state SET position = ?", position),
  };
}

// --- internal ---

const SOURCE_BYTES = 8;
/** Without the pool the outbox grows up to this number of records: as many as usage.db has turns at most. */
const MOST_WAITING = 1_000_000;

const TABLES = `
  CREATE TABLE IF NOT EXISTS exchange_outbox (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    turn INTEGER,
    moved TEXT
  ) STRICT;
  CREATE TABLE IF NOT EXISTS exchange_received (
    source TEXT PRIMARY KEY,
    sequence INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS exchange_state (
    membership TEXT NOT NULL,
    source TEXT NOT NULL,
    sent INTEGER NOT NULL,
    position TEXT NOT NULL
  ) STRICT;`;

interface OutboxRow {
  readonly sequence: number;
  readonly moved: string | null;
}

function newSource(): string {
  return randomBytes(SOURCE_BYTES).toString("hex");
}

/** SQLite keeps the last number that it gave, even if that row was deleted. */
function lastIn(database: Database): number {
  const row = database
    .query<{ seq: number }, []>("SELECT seq FROM sqlite_sequence WHERE name = 'exchange_outbox'")
    .get();
  return row?.seq ?? 0;
}
