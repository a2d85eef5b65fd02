// The turns that a proxy has recorded, read from its file.

import { Database, SQLiteError } from "bun:sqlite";
import { existsSync } from "node:fs";
import type { LABELS } from "../../src/state/usage/label-sets.ts";

type Column =
  | (typeof LABELS)[number]
  | "started_ms"
  | "session"
  | "input_tokens"
  | "cached_tokens"
  | "output_tokens"
  | "reasoning_tokens"
  | "first_output_ms"
  | "duration_ms"
  | "attempts"
  | "switches"
  | "run";

export type RecordedTurn = Readonly<Record<Column, string | number | null>>;

/** The rows of the file at `path`, in the order in which the turns began; none without a file, and until it has tables. */
export function recordedTurns(path: string): RecordedTurn[] {
  if (!existsSync(path)) return [];
  using database = new Database(path, { readonly: true });
  if (!hasTables(database)) return [];
  return database.query<RecordedTurn, []>("SELECT * FROM turns ORDER BY id").all();
}

/** The proxy creates the file a moment before its tables. If it is killed between, the file has only a journal. */
function hasTables(database: Database): boolean {
  try {
    const { count } = database
      .query<{ count: number }, []>("SELECT count(*) AS count FROM sqlite_master WHERE name = 'turns'")
      .get() ?? { count: 0 };
    return count > 0;
  } catch (error) {
    if (error instanceof SQLiteError && error.code === "SQLITE_READONLY_ROLLBACK") return false;
    throw error;
  }
}
