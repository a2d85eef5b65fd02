// The table `labels` of usage.db: each combination of texts once.

import type { Database } from "bun:sqlite";
import { OTHERS } from "../../core/usage-lines.ts";
import { LABELS, type LabelSet } from "./label-sets.ts";

export interface LabelTable {
  /** The id of `set`, which is added if it is new. Call it within a transaction. Throws `SQLiteError`. */
  idOf(set: LabelSet): number;
  /** Releases the statements. */
  finalize(): void;
}

export interface LabelTableOptions {
  /** Is called when the ids of sets in memory no longer count. */
  readonly forget: () => void;
  /** The most combinations in the file. Default: 50,000, about 15 MB. */
  readonly most?: number;
}

/**
 * When the table is full, the combinations are deleted that no turn in the file has any longer. If there are none,
 * further combinations lose the texts that others choose freely.
 */
export function createLabelTable(
  database: Database,
  { forget, most = 50_000 }: LabelTableOptions,
): LabelTable {
  const select = database.prepare<{ id: number }, string[]>(
    `SELECT id FROM labels WHERE ${LABELS.map((name) => `${name} = ?`).join(" AND ")}`,
  );
  const insert = database.prepare<{ id: number }, string[]>(
    `INSERT INTO labels (${LABELS.join(", ")}) VALUES (${LABELS.map(() => "?").join(", ")}) RETURNING id`,
  );
  const count = database.prepare<{ count: number }, []>("SELECT count(*) AS count FROM labels");
  const deleteUnused = database.prepare("DELETE FROM labels WHERE id NOT IN (SELECT labels FROM turn_rows)");
  let folded = 0;

  const hasRoom = (): boolean => {
    const rows = () => count.get()?.count ?? 0;
    if (rows() < most) return true;
    // Reads all turns, about 100 ms for half a million, so it is not done for each combination.
    if (folded++ % FOLDS_BETWEEN_DELETIONS > 0) return false;
    deleteUnused.run();
    forget();
    return rows() < most;
  };
  const add = (texts: readonly string[]): number => {
    const { id } = insert.get(...texts) ?? {};
    if (id === undefined) throw new Error("SQLite returned no id for a new row");
    return id;
  };
  const find = (texts: readonly string[]): number => {
    const known = select.get(...texts)?.id;
    if (known !== undefined) return known;
    if (hasRoom()) return add(texts);
    const fewer = texts.map((text, index) => (isFree(index) && text !== "" ? OTHERS : text));
    return select.get(...fewer)?.id ?? add(fewer);
  };
  return {
    idOf: (set) => {
      set.id ??= find(set.texts);
      return set.id;
    },
    finalize: () => {
      for (const statement of [select, insert, count, deleteUnused]) statement.finalize();
    },
  };
}

// --- internal ---

const FOLDS_BETWEEN_DELETIONS = 1_000;

/** Labels whose texts clients and upstreams choose freely. */
const FREE: ReadonlySet<string> = new Set(["code", "requested_model", "served_model", "project"]);

function isFree(index: number): boolean {
  return FREE.has(LABELS[index] ?? "");
}
