// Deletes the rows of old turns. The sums of days are kept.

import type { Database } from "bun:sqlite";
import { startOfDay } from "../../core/local-days.ts";
import type { Clock } from "../../deps.ts";

/** The most turns in the file, some 300 MB. Older ones are deleted. */
const MOST_TURNS = 1_000_000;
/** How many rows are deleted at a time, which takes a few milliseconds. */
const MOST_DELETED = 500;
/** How often the file is examined. */
const LOOK_MS = 10_000;

/**
 * Returns a function that deletes turns from before the last `keepDays` days, and turns beyond `mostTurns`, some at a
 * time. It does nothing if it was called less than ten seconds ago.
 */
export function createUsagePruner(
  clock: Pick<Clock, "now" | "monotonic">,
  mostTurns = MOST_TURNS,
): (database: Database, keepDays: number) => void {
  let dueAt = 0;
  return (database, keepDays) => {
    const at = clock.monotonic();
    if (at < dueAt) return;
    dueAt = at + LOOK_MS;
    const before = startOfDay(clock.now(), 1 - keepDays);
    const { changes } = database.run(
      `DELETE FROM turns WHERE id IN
         (SELECT id FROM turns WHERE started_ms < ?1 ORDER BY started_ms LIMIT ${MOST_DELETED})`,
      [before],
    );
    const beyond = database.run(
      `DELETE FROM turns WHERE id <= (SELECT max(id) FROM turns) - ?1 AND id IN
         (SELECT id FROM turns ORDER BY id LIMIT ${MOST_DELETED})`,
      [mostTurns],
    );
    // More may be left: delete them soon, and not all at once.
    if (changes + beyond.changes >= MOST_DELETED) dueAt = at;
  };
}
