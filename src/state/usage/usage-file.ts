// Opens usage.db, and sets a file aside that is damaged or that another program has written.

import { constants, Database, SQLiteError } from "bun:sqlite";
import { chmodSync, closeSync, openSync, renameSync, rmSync, statSync } from "node:fs";
import { pathAside } from "./files-set-aside.ts";
import { APPLICATION_ID, migrate, numberOf } from "./schema.ts";
import { SIDE_FILES } from "./side-files.ts";

/**
 * Opens or creates the file at `path` for writing; only its owner can access it. Throws `Error` if it cannot be written,
 * if it is unusable (`isUnusable`), and if a newer version wrote it.
 */
export function openUsageFile(path: string): Database {
  // SQLite gives its side files the mode of the database.
  closeSync(openSync(path, "a", 0o600));
  chmodSync(path, 0o600);
  const database = new Database(path);
  try {
    refuseForeign(database);
    // The writer checkpoints itself, between turns.
    database.run("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0");
    migrate(database);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Renames an unusable file, which no database may have open. Returns its new path. Throws `Error`. */
export function setAside(path: string, nowMs: number): string {
  const aside = pathAside(path, nowMs);
  renameSync(path, aside);
  // They belong to the unusable file, and would damage a new one.
  for (const suffix of SIDE_FILES) rmSync(`${path}${suffix}`, { force: true });
  return aside;
}

/**
 * Opens the file at `path` for reading, whether or not a proxy runs; undefined if there is none. Creates no files if the
 * last proxy shut down cleanly. Throws `Error` for a file that is not codexlb's.
 */
export function readUsageFile(path: string): Database | undefined {
  const size = (suffix: string) => statSync(`${path}${suffix}`, { throwIfNoEntry: false })?.size ?? 0;
  if (size("") === 0) return undefined;
  // A running proxy has both side files open, even while its log is empty.
  const isAtRest = size("-wal") === 0 && size("-shm") === 0;
  const mode = isAtRest ? "immutable=1" : "mode=ro";
  const url = `file:${encodeURI(path).replaceAll("?", "%3f").replaceAll("#", "%23")}?${mode}`;
  const database = new Database(url, constants.SQLITE_OPEN_READONLY | constants.SQLITE_OPEN_URI);
  try {
    refuseForeign(database);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** True for an error that says that the file is damaged or foreign, not that it cannot be written now. */
export function isUnusable(error: unknown): boolean {
  if (error instanceof ForeignFileError) return true;
  return error instanceof SQLiteError && UNUSABLE.has(error.errno & 0xff);
}

// --- internal ---

/** SQLITE_CORRUPT and SQLITE_NOTADB. */
const UNUSABLE: ReadonlySet<number> = new Set([11, 26]);

class ForeignFileError extends Error {}

function refuseForeign(database: Database): void {
  const tables = database.query<{ count: number }, []>("SELECT count(*) AS count FROM sqlite_master").get();
  if (tables?.count !== 0 && numberOf(database, "application_id") !== APPLICATION_ID)
    throw new ForeignFileError("another program has written it");
}
