// The turns that a proxy has recorded, read from its file.

import { Database } from "bun:sqlite";
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

/** The rows of the file at `path`, in the order in which the turns began. No file means no turns. */
export function recordedTurns(path: string): RecordedTurn[] {
  if (!existsSync(path)) return [];
  using database = new Database(path, { readonly: true });
  return database.query<RecordedTurn, []>("SELECT * FROM turns ORDER BY id").all();
}
