// Deletes the rows of old turns, and the sums of their sessions. The sums of days are kept.

import type { Database } from "bun:sqlite";
import { dayOf, startOfDay } from "../../core/local-days.ts";
import type { Clock } from "../../deps.ts";
import { startOfTurn, turnId } from "./schema.ts";

/** The largest file, 160 MB: more than a million turns. Older ones are deleted. */
const MOST_PAGES = 40_000;
/** How many rows are deleted at a time, which takes a few milliseconds. */
const MOST_DELETED = 500;
/** How often the file is examined. */
const LOOK_MS = 10_000;

/**
 * Returns a function that deletes turns from before the last `keepDays` days, and the oldest turns of a file with more
 * than `mostPages` used pages, some at a time. It does nothing if it was called less than ten seconds ago.
 */
export function createUsagePruner(
  clock: Pick<Clock, "now" | "monotonic">,
  mostPages = MOST_PAGES,
): (database: Database, keepDays: number) => void {
  let dueAt = 0;
  return (database, keepDays) => {
    const at = clock.monotonic();
    if (at < dueAt) return;
    dueAt = at + LOOK_MS;
    const isTooLarge = usedPages(database) > mostPages;
    const before = isTooLarge ? Number.MAX_SAFE_INTEGER : turnId(startOfDay(clock.now(), 1 - keepDays));
    const { changes } = database.run(
      `DELETE FROM turn_rows WHERE id IN
         (SELECT id FROM turn_rows WHERE id < ? ORDER BY id LIMIT ${MOST_DELETED})`,
      [before],
    );
    const sessions = deleteSessions(database, firstDay(database) ?? dayOf(clock.now()));
    // More may be left: delete them soon, and not all at once.
    if (changes >= MOST_DELETED || sessions >= MOST_DELETED) dueAt = at;
  };
}

// --- internal ---

/** The day of the oldest turn; undefined if there are no turns. */
function firstDay(database: Database): string | undefined {
  const oldest = database.query<{ id: number | null }, []>("SELECT min(id) AS id FROM turn_rows").get()?.id;
  return typeof oldest === "number" ? dayOf(startOfTurn(oldest)) : undefined;
}

/** Deletes some of the sums of sessions from before `day`. Returns their number. */
function deleteSessions(database: Database, day: string): number {
  return database.run(
    `DELETE FROM session_days WHERE (day, session, model, client) IN
       (SELECT day, session, model, client FROM session_days WHERE day < ? ORDER BY day LIMIT ${MOST_DELETED})`,
    [day],
  ).changes;
}

function usedPages(database: Database): number {
  const row = database
    .query<{ pages: number }, []>(
      "SELECT page_count - freelist_count AS pages FROM pragma_page_count, pragma_freelist_count",
    )
    .get();
  return row?.pages ?? 0;
}
