// The sums of each session and day, which make a report by session as quick as the others. Only the turns of closed
// days are added, in the background and some at a time, so that a turn costs nothing more when it is written.
//
// The watermark is the id of the first turn that is not in the sums: all turns below it are in them exactly once. It is
// stored in the same transaction as the sums, so a process that is killed repeats nothing and loses nothing.

import type { Database } from "bun:sqlite";
import { dayOf, startOfDay } from "../../core/local-days.ts";
import { numberOf, startOfTurn, turnId } from "./schema.ts";
import { SESSION_COLUMNS, SESSION_OF_TURNS, SUMMED, SUMS_OF_TURNS, TURNS } from "./usage-sql.ts";

export interface SessionSums {
  /** True if turns of closed days are not in the sums yet. `nowMs`: the current time. */
  isBehind(nowMs: number): boolean;
  /**
   * Adds the next turns of closed days to the sums, at most `most` (default 1,000: about a millisecond), in one
   * transaction. Returns their number; 0 if none are left. Throws `SQLiteError`.
   */
  addSome(nowMs: number, most?: number): number;
  /**
   * Adds the turn with this id, which was written just now, if those of its time are in the sums already. Call it within
   * the transaction that wrote the turn. Throws `SQLiteError`.
   */
  addLate(id: number): void;
  /** Releases the statements. */
  finalize(): void;
}

/** `database`: up to date (`migrate`), and written by no one else. Throws `SQLiteError`. */
export function createSessionSums(database: Database): SessionSums {
  const key = ["session", "model", "client"];
  const columns = [...key, ...SESSION_COLUMNS, ...SUMMED];
  const values = { ...SESSION_OF_TURNS, ...SUMS_OF_TURNS };
  const add = database.prepare<unknown, Record<string, string | number>>(`
    INSERT INTO session_days (day, ${columns.join(", ")})
    SELECT time, ${[...key, ...[...SESSION_COLUMNS, ...SUMMED].map((name) => values[name])].join(", ")}
      FROM ${TURNS} GROUP BY time, ${key.join(", ")}
    ON CONFLICT DO UPDATE SET
      project = max(project, excluded.project),
      first_ms = min(first_ms, excluded.first_ms),
      last_ms = max(last_ms, excluded.last_ms),
      ${SUMMED.map((name) => `${name} = ${name} + excluded.${name}`).join(", ")}`);
  const firstFrom = database.prepare<{ id: number }, [number]>(
    "SELECT id FROM turn_rows WHERE id >= ? ORDER BY id LIMIT 1",
  );
  const ids = database.prepare<{ count: number; last: number }, [number, number, number]>(
    `SELECT count(*) AS count, max(id) AS last FROM
      (SELECT id FROM turn_rows WHERE id >= ? AND id < ? ORDER BY id LIMIT ?)`,
  );
  const move = database.prepare<unknown, [number]>("UPDATE session_watermark SET next_id = ?");
  /** Undefined until it is needed: a file that is damaged there can be opened, and be set aside by its first query. */
  let known: number | undefined;
  const watermark = (): number => {
    known ??= sessionWatermark(database);
    return known;
  };

  const addDay = (firstId: number, endId: number): void => {
    add.run({ $time: dayOf(startOfTurn(firstId)), $since: firstId, $until: endId });
  };
  const addFrom = database.transaction((firstId: number, endId: number): void => {
    addDay(firstId, endId);
    move.run(endId);
  });
  const openFrom = (nowMs: number) => turnId(startOfDay(nowMs));

  return {
    isBehind: (nowMs) => watermark() < openFrom(nowMs),
    addSome: (nowMs, most = MOST_AT_ONCE) => {
      const todayId = openFrom(nowMs);
      if (watermark() >= todayId) return 0;
      const firstId = firstFrom.get(watermark())?.id;
      if (firstId === undefined || firstId >= todayId) {
        move.run(todayId);
        known = todayId;
        return 0;
      }
      const dayEndId = turnId(startOfDay(startOfTurn(firstId), 1));
      const { count, last } = ids.get(firstId, dayEndId, most) ?? { count: 0, last: firstId };
      const endId = count < most ? dayEndId : last + 1;
      addFrom(firstId, endId);
      known = endId;
      return count;
    },
    addLate: (id) => {
      if (id < watermark()) addDay(id, id + 1);
    },
    finalize: () => {
      for (const statement of [add, firstFrom, ids, move]) statement.finalize();
    },
  };
}

/** The id of the first turn that is not in the sums of sessions; 0 for a file of an older version, which has none. */
export function sessionWatermark(database: Database): number {
  if (numberOf(database, "user_version") < VERSION_WITH_SUMS) return 0;
  return database.query<{ next_id: number }, []>("SELECT next_id FROM session_watermark").get()?.next_id ?? 0;
}

// --- internal ---

const VERSION_WITH_SUMS = 3;
const MOST_AT_ONCE = 1_000;
