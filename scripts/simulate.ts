// Runs the simulations of four weeks, and writes their figures to test/simulation/long-runs.json. `make docs` then writes
// them to docs/policies.md.

import { writeFileSync } from "node:fs";
import { LONG_RUNS_FILE, LONG_SIZES, runLong } from "../test/simulation/long-runs.ts";

writeFileSync(LONG_RUNS_FILE, `${JSON.stringify(runLong(LONG_SIZES), undefined, 2)}\n`);
