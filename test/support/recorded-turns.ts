// The turns that a proxy has recorded, read from its file.

import { Database } from "bun:sqlite";
import { existsSync } from "node:fs";
import type { TURN_COLUMNS } from "../../src/state/usage/usage-rows.ts";

export type RecordedTurn = Readonly<Record<(typeof TURN_COLUMNS)[number], string | number | null>>;

/** The rows of the file at `path`, in the order in which the turns began. No file means no turns. */
export function recordedTurns(path: string): RecordedTurn[] {
  if (!existsSync(path)) return [];
  using database = new Database(path, { readonly: true });
  return database.query<RecordedTurn, []>("SELECT * FROM turns ORDER BY id").all();
}
