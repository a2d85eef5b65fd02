// The simulations of four weeks. They take minutes, so `make simulate` writes their figures to long-runs.json, and the
// test suite repeats only those with few accounts.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type AnchorLine, compareAnchoring } from "./compare-anchoring.ts";
import { compareDefaults, type DefaultLine } from "./compare-defaults.ts";
import { compareOptions, type OptionLine } from "./compare-options.ts";
import { compareSpending, type SpendingLine } from "./compare-spending.ts";

export interface LongRuns {
  readonly defaults: readonly DefaultLine[];
  readonly options: readonly OptionLine[];
  readonly spending: readonly SpendingLine[];
  readonly anchoring: readonly AnchorLine[];
}

/** The numbers of accounts. */
export const LONG_SIZES = [2, 3, 5, 10, 20] as const;
/** Those that the test suite repeats. */
export const SHORT_SIZES = [2] as const;

export const LONG_RUNS_FILE = join(import.meta.dir, "long-runs.json");

/** Runs the simulations with these numbers of accounts. The figures are the same at every run. */
export function runLong(sizes: readonly number[]): LongRuns {
  return {
    defaults: compareDefaults(sizes),
    options: compareOptions(sizes),
    spending: compareSpending(sizes),
    anchoring: compareAnchoring(sizes),
  };
}

/** The figures of the last `make simulate`. */
export function storedLongRuns(): LongRuns {
  return JSON.parse(readFileSync(LONG_RUNS_FILE, "utf8")) as LongRuns;
}
