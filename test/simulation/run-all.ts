// Runs one simulation with several seeds, and adds the figures up.

import { type Figures, type Setup, simulate } from "./simulate.ts";

/** The usual demand, as a share of the quota of all accounts. */
export const LOAD = 0.75;

/** The figures of `setup` in several worlds: numbers of turns added up, and means of shares. `load`: default `LOAD`. */
export function runAll(
  setup: Omit<Setup, "seed" | "days" | "load"> & Partial<Pick<Setup, "load">>,
  days: number,
  seeds: readonly number[],
): Figures {
  const runs = seeds.map((seed) => simulate({ load: LOAD, ...setup, days, seed }));
  const sum = (key: keyof Figures) => runs.reduce((total, run) => total + run[key], 0);
  const mean = (key: keyof Figures) => sum(key) / runs.length;
  return {
    turns: sum("turns"),
    refusedWithRoom: sum("refusedWithRoom"),
    refused: sum("refused"),
    wasted: mean("wasted"),
    moves: sum("moves"),
    cacheHits: mean("cacheHits"),
    crossedWithRoom: sum("crossedWithRoom"),
    onFirst: mean("onFirst"),
    leastOfFirst: Math.min(...runs.map(({ leastOfFirst }) => leastOfFirst)),
    waitHours: sum("waitHours"),
    anchors: sum("anchors"),
    onCredits: sum("onCredits"),
    creditsWithQuota: sum("creditsWithQuota"),
  };
}

/** A share of 0 to 1 in percent. */
export function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
