// Counts the requests of each `codexlb run` by its tag. The counts are in memory, because a run ends with its terminal.

import { BoundedMap } from "../core/bounded-map.ts";
import { type RunSeen, THREAD_ID } from "../core/run-tag.ts";

export interface Runs {
  /** A request of the run `id` has arrived; `session` is the one that it names. */
  note(id: string, turn: boolean, session?: string): void;
  seen(id: string): RunSeen;
}

/** More than one person has open at a time. The runs that were silent for longest are dropped first. */
const MOST_RUNS = 4_096;

export function createRuns(): Runs {
  const runs = new BoundedMap<string, RunSeen>(MOST_RUNS);
  return {
    note: (id, turn, session) => {
      const { requests, turns, threads = [] } = runs.get(id) ?? NOTHING;
      const isThread = turn && session !== undefined && THREAD_ID.test(session);
      runs.set(id, {
        requests: requests + 1,
        turns: turns + (turn ? 1 : 0),
        ...(isThread || threads.length > 0
          ? { threads: isThread ? newestFirst(session, threads) : threads }
          : {}),
      });
    },
    seen: (id) => runs.get(id) ?? NOTHING,
  };
}

// --- internal ---

/** Codex also sends turns of threads that it does not save, such as the one that finds a title. */
const MOST_THREADS = 16;

function newestFirst(thread: string, threads: readonly string[]): string[] {
  return [thread, ...threads.filter((one) => one !== thread)].slice(0, MOST_THREADS);
}

const NOTHING: RunSeen = { requests: 0, turns: 0 };
