// Counts the requests of each `codexlb run` by its tag. The counts are in memory, because a run ends with its terminal.

import { BoundedMap } from "../core/bounded-map.ts";
import { type Absence, type RunSeen, THREAD_ID } from "../core/run-tag.ts";

export interface Runs {
  /** A request of the run `id` has arrived; `session` is the one that it names. */
  note(id: string, turn: boolean, session?: string): void;
  /** `alias` served a turn of the run `id`, whose own account could not because of `absence`. */
  noteOther(id: string, alias: string, absence: Absence | undefined): void;
  seen(id: string): RunSeen;
}

/** More than one person has open at a time. The runs that were silent for longest are dropped first. */
const MOST_RUNS = 4_096;

export function createRuns(): Runs {
  const runs = new BoundedMap<string, RunSeen>(MOST_RUNS);
  return {
    note: (id, turn, session) => {
      const { threads = [], ...seen } = runs.get(id) ?? NOTHING;
      const isThread = turn && session !== undefined && THREAD_ID.test(session);
      const all = isThread ? newestFirst(session, threads) : threads;
      runs.set(id, {
        ...seen,
        requests: seen.requests + 1,
        turns: seen.turns + (turn ? 1 : 0),
        ...(all.length > 0 ? { threads: all } : {}),
      });
    },
    noteOther: (id, alias, absence) => {
      const { others = [], ...seen } = runs.get(id) ?? NOTHING;
      const turns = (others.find((one) => one.alias === alias)?.turns ?? 0) + 1;
      runs.set(id, {
        ...seen,
        others: [...others.filter((one) => one.alias !== alias), { alias, turns, absence }],
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
