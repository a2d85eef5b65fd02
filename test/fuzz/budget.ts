// How long is fuzzed: `make test` takes the default, `make fuzz` more. Every run prints its seed; the same seed makes the
// same cases.

import type fc from "fast-check";

/** How many times more cases than in `make test`. */
const FACTOR = Number(process.env.CODEXLB_TEST_FUZZ_FACTOR ?? 1);
const SEED = Number(process.env.CODEXLB_TEST_FUZZ_SEED ?? Date.now() & 0x7fffffff);

console.log(`  fuzzing with CODEXLB_TEST_FUZZ_SEED=${SEED} CODEXLB_TEST_FUZZ_FACTOR=${FACTOR}`);

/** Options of `fc.assert` for a property that is tried `runs` times in `make test`. */
export function tries(runs: number): fc.Parameters<unknown> {
  return { numRuns: runs * FACTOR, seed: SEED, endOnFailure: FACTOR > 1 };
}

/** Time limit of a test of these, ms. */
export const FUZZ_TIMEOUT_MS = 60_000 * FACTOR;
