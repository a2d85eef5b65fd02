// The amount of fuzzing: `make test` runs the default number of cases, `make fuzz` runs more. Every run prints its
// seed, and the same seed gives the same cases.

import type fc from "fast-check";

/** The number of cases relative to `make test`. */
const FACTOR = Number(process.env.CODEXLB_TEST_FUZZ_FACTOR ?? 1);
const SEED = Number(process.env.CODEXLB_TEST_FUZZ_SEED ?? Date.now() & 0x7fffffff);

console.log(`  fuzzing with CODEXLB_TEST_FUZZ_SEED=${SEED} CODEXLB_TEST_FUZZ_FACTOR=${FACTOR}`);

/** Options of `fc.assert` for a property with `runs` cases in `make test`. */
export function tries(runs: number): fc.Parameters<unknown> {
  return { numRuns: runs * FACTOR, seed: SEED, endOnFailure: FACTOR > 1 };
}

/** The time limit of a fuzz test, ms. */
export const FUZZ_TIMEOUT_MS = 60_000 * FACTOR;
