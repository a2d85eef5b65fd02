// The tables of usage.db, and the steps that bring an older file up to date.

import type { Database } from "bun:sqlite";

/** Marks the file as codexlb's: "clbu". */
export const APPLICATION_ID = 0x63_6c_62_75;

/** How many turns that begin in the same millisecond have different ids. */
const IDS_OF_MS = 4_096;

/**
 * The steps in order. `PRAGMA user_version` counts those that a file has had, so a step is never changed once it has
 * been released; a new one is appended.
 *
 * `turn_rows` has one row for each turn, in the order in which they began: its ids begin with the time (`turnId`), so no
 * index is needed, which would double the time of a write. The texts that most turns share are in `labels`, once for
 * each combination, which halves the time of a write and the size of the file. Queries read both as `turns`. `days` has
 * the sums of each day of the local calendar. The texts of `labels` and `days` are "" where nothing is known, because
 * they are keys. `reported` counts the turns whose tokens are known.
 *
 * `session_days` has the sums of each session and day, from the turns with ids below `next_id` of `session_watermark`
 * (session-sums.ts). They are kept as long as the turns of the day.
 *
 * `meters` has one row for each window of each account, and `meter_hours` what was used of it in each hour
 * (`MeterHistory` in core/forecast/meter-history.ts). `account` is the hash of the account's identity, or else its id.
 */
export const MIGRATIONS: readonly string[] = [
  `CREATE TABLE labels (
     id INTEGER PRIMARY KEY,
     kind TEXT NOT NULL,
     transport TEXT NOT NULL,
     outcome TEXT NOT NULL,
     code TEXT NOT NULL,
     account TEXT NOT NULL,
     identity TEXT NOT NULL,
     proxy TEXT NOT NULL,
     choice TEXT NOT NULL,
     requested_model TEXT NOT NULL,
     served_model TEXT NOT NULL,
     client TEXT NOT NULL,
     project TEXT NOT NULL,
     UNIQUE (project, account, choice, outcome, kind, transport, code, identity, proxy, requested_model, served_model,
       client)
   ) STRICT;
   CREATE TABLE turn_rows (
     id INTEGER PRIMARY KEY,
     labels INTEGER NOT NULL,
     session TEXT,
     input_tokens INTEGER,
     cached_tokens INTEGER,
     output_tokens INTEGER,
     reasoning_tokens INTEGER,
     first_output_ms INTEGER,
     duration_ms INTEGER NOT NULL,
     attempts INTEGER NOT NULL,
     switches TEXT,
     run TEXT
   ) STRICT;
   CREATE VIEW turns AS
     SELECT t.id, t.id / ${IDS_OF_MS} AS started_ms, l.kind, l.transport, l.outcome, nullif(l.code, '') AS code,
       nullif(l.account, '') AS account, nullif(l.identity, '') AS identity, nullif(l.proxy, '') AS proxy,
       nullif(l.choice, '') AS choice, t.session, nullif(l.requested_model, '') AS requested_model,
       nullif(l.served_model, '') AS served_model, t.input_tokens, t.cached_tokens, t.output_tokens,
       t.reasoning_tokens, t.first_output_ms, t.duration_ms, t.attempts, t.switches, nullif(l.client, '') AS client,
       t.run, nullif(l.project, '') AS project
     FROM turn_rows t JOIN labels l ON l.id = t.labels;
   CREATE TABLE days (
     day TEXT NOT NULL,
     account TEXT NOT NULL,
     identity TEXT NOT NULL,
     proxy TEXT NOT NULL,
     model TEXT NOT NULL,
     project TEXT NOT NULL,
     client TEXT NOT NULL,
     kind TEXT NOT NULL,
     outcome TEXT NOT NULL,
     turns INTEGER NOT NULL,
     reported INTEGER NOT NULL,
     input_tokens INTEGER NOT NULL,
     cached_tokens INTEGER NOT NULL,
     output_tokens INTEGER NOT NULL,
     reasoning_tokens INTEGER NOT NULL,
     first_outputs INTEGER NOT NULL,
     first_output_ms INTEGER NOT NULL,
     duration_ms INTEGER NOT NULL,
     PRIMARY KEY (day, account, identity, proxy, model, project, client, kind, outcome)
   ) STRICT, WITHOUT ROWID;`,
  `CREATE TABLE meters (
     account TEXT NOT NULL,
     kind TEXT NOT NULL,
     plan TEXT NOT NULL,
     since_ms INTEGER NOT NULL,
     used_percent REAL NOT NULL,
     reset_ms INTEGER,
     as_of_ms INTEGER NOT NULL,
     lower_since_ms INTEGER,
     closed_ms INTEGER,
     PRIMARY KEY (account, kind, plan)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE meter_hours (
     account TEXT NOT NULL,
     kind TEXT NOT NULL,
     plan TEXT NOT NULL,
     hour INTEGER NOT NULL,
     points REAL NOT NULL,
     closed REAL NOT NULL,
     PRIMARY KEY (account, kind, plan, hour)
   ) STRICT, WITHOUT ROWID;`,
  `CREATE TABLE session_days (
     day TEXT NOT NULL,
     session TEXT NOT NULL,
     model TEXT NOT NULL,
     client TEXT NOT NULL,
     project TEXT NOT NULL,
     first_ms INTEGER NOT NULL,
     last_ms INTEGER NOT NULL,
     turns INTEGER NOT NULL,
     failed INTEGER NOT NULL,
     reported INTEGER NOT NULL,
     input_tokens INTEGER NOT NULL,
     cached_tokens INTEGER NOT NULL,
     output_tokens INTEGER NOT NULL,
     reasoning_tokens INTEGER NOT NULL,
     first_outputs INTEGER NOT NULL,
     first_output_ms INTEGER NOT NULL,
     PRIMARY KEY (day, session, model, client)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE session_watermark (next_id INTEGER NOT NULL) STRICT;
   INSERT INTO session_watermark VALUES (0);`,
];

/** The id of a turn that began at `startedMs`. `serial` distinguishes turns that began in the same millisecond. */
export function turnId(startedMs: number, serial = 0): number {
  return startedMs * IDS_OF_MS + (serial % IDS_OF_MS);
}

/** When the turn with this id began, Unix ms. */
export function startOfTurn(id: number): number {
  return Math.floor(id / IDS_OF_MS);
}

/** Brings `database` up to date. Throws `Error` if a newer version of codexlb has written it. */
export function migrate(database: Database, migrations: readonly string[] = MIGRATIONS): void {
  const version = numberOf(database, "user_version");
  if (version > migrations.length) throw new NewerFileError(version);
  for (const [index, step] of migrations.entries()) {
    if (index < version) continue;
    database.transaction(() => {
      database.run(step);
      database.run(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${index + 1}`);
    })();
  }
}

/** The value of a numeric pragma. */
export function numberOf(database: Database, pragma: "user_version" | "application_id"): number {
  const row = database.query<Record<string, number>, []>(`PRAGMA ${pragma}`).get();
  return row?.[pragma] ?? 0;
}

/** A newer version of codexlb has written the file. */
export class NewerFileError extends Error {
  constructor(version: number) {
    super(`a newer version of codexlb has written it (format ${version})`);
  }
}
