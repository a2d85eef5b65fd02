// Counts the requests of each `codexlb run` by its tag. The counts are in memory, because a run ends with its terminal.

import { BoundedMap } from "../core/bounded-map.ts";
import type { RunSeen } from "../core/run-tag.ts";

export interface Runs {
  /** A request of the run `id` has arrived. */
  note(id: string, turn: boolean): void;
  seen(id: string): RunSeen;
}

/** More than one person has open at a time. The runs that were silent for longest are dropped first. */
const MOST_RUNS = 4_096;

export function createRuns(): Runs {
  const runs = new BoundedMap<string, RunSeen>(MOST_RUNS);
  return {
    note: (id, turn) => {
      const { requests, turns } = runs.get(id) ?? NOTHING;
      runs.set(id, { requests: requests + 1, turns: turns + (turn ? 1 : 0) });
    },
    seen: (id) => runs.get(id) ?? NOTHING,
  };
}

// --- internal ---

const NOTHING: RunSeen = { requests: 0, turns: 0 };
