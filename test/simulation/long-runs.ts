// The simulations of four weeks. They take minutes, so `make simulate` writes their figures to long-runs.json, and the
// test suite repeats only those with few accounts.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type AnchorLine, compareAnchoring } from "./compare-anchoring.ts";
import { compareOptions, type OptionLine } from "./compare-options.ts";

export interface LongRuns {
  readonly options: readonly OptionLine[];
  readonly anchoring: readonly AnchorLine[];
}

/** The numbers of accounts. */
export const LONG_SIZES = [2, 3, 5, 10, 20] as const;
/** Those that the test suite repeats. */
export const SHORT_SIZES = [2, 3] as const;

export const LONG_RUNS_FILE = join(import.meta.dir, "long-runs.json");

/** Runs the simulations with these numbers of accounts. The figures are the same at every run. */
export function runLong(sizes: readonly number[]): LongRuns {
  return { options: compareOptions(sizes), anchoring: compareAnchoring(sizes) };
}

/** The figures of the last `make simulate`. */
export function storedLongRuns(): LongRuns {
  return JSON.parse(readFileSync(LONG_RUNS_FILE, "utf8")) as LongRuns;
}
