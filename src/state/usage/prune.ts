// Deletes the rows of old turns. The sums of days are kept.

import type { Database } from "bun:sqlite";
import { startOfDay } from "../../core/local-days.ts";
import type { Clock } from "../../deps.ts";
import { turnId } from "./schema.ts";

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
    // More may be left: delete them soon, and not all at once.
    if (changes >= MOST_DELETED) dueAt = at;
  };
}

// --- internal ---

function usedPages(database: Database): number {
  const row = database
    .query<{ pages: number }, []>(
      "SELECT page_count - freelist_count AS pages FROM pragma_page_count, pragma_freelist_count",
    )
    .get();
  return row?.pages ?? 0;
}
