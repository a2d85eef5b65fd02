// Skips tests that need something optional: a browser, a program, files from the network.

import * as runner from "bun:test";

/** The runner's functions, or variants that skip everything. */
export type Gated = Pick<typeof runner, "describe" | "test" | "beforeAll" | "afterAll">;

/**
 * Returns the runner's functions if `why` is undefined. Otherwise prints that the tests of `what` are skipped and why,
 * and returns functions that skip tests and hooks.
 */
export function gated(what: string, why: string | undefined): Gated {
  if (why === undefined) return runner;
  console.log(`skipped: ${what} (${why})`);
  return {
    describe: runner.describe.skipIf(true) as Gated["describe"],
    test: runner.test.skipIf(true) as Gated["test"],
    beforeAll: () => {},
    afterAll: () => {},
  };
}
