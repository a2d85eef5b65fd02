// What was seen of each `codexlb run` by its tag. In memory: a run ends with the terminal that it has.

import type { RunSeen } from "../core/run-tag.ts";

export interface Runs {
  /** A request of the run `id` has come. */
  note(id: string, turn: boolean): void;
  seen(id: string): RunSeen;
}

/** More than anybody has open at a time; the ones that were silent for the longest are forgotten first. */
const MOST_RUNS = 4_096;

export function createRuns(): Runs {
  const runs = new Map<string, RunSeen>();
  return {
    note: (id, turn) => {
      const { requests, turns } = runs.get(id) ?? NOTHING;
      runs.delete(id);
      runs.set(id, { requests: requests + 1, turns: turns + (turn ? 1 : 0) });
      const [oldest] = runs.keys();
      if (runs.size > MOST_RUNS && oldest !== undefined) runs.delete(oldest);
    },
    seen: (id) => runs.get(id) ?? NOTHING,
  };
}

// --- internal ---

const NOTHING: RunSeen = { requests: 0, turns: 0 };
