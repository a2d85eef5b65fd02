// Reports over a year of turns. Prints how long they take; the bound of the design is 200 ms for 500,000 turns
// (CODEXLB_TEST_USAGE_ROWS=500000). `make bench` measures them in the executable.

import { expect, test } from "bun:test";
import { join } from "node:path";
import { startOfDay } from "../../src/core/local-days.ts";
import { usageLines } from "../../src/core/usage-lines.ts";
import type { UsageGrouping } from "../../src/core/usage-report.ts";
import { readUsageFile } from "../../src/state/usage/usage-file.ts";
import { sumUsage } from "../../src/state/usage/usage-query.ts";
import { tempDirectory } from "../support/temp.ts";
import { recordYear, YEAR_DAYS, YEAR_TOKENS } from "../support/year-of-turns.ts";

const ROWS = Number(process.env.CODEXLB_TEST_USAGE_ROWS ?? 20_000);
const NOW = new Date(2026, 11, 31, 12).getTime();

test(`a year of ${ROWS} turns is summed by every grouping`, async () => {
  using temp = tempDirectory();
  const path = join(temp.path, "usage.db");
  const firstMs = startOfDay(NOW, 1 - YEAR_DAYS);
  const longestStepMs = recordYear(path, { count: ROWS, firstMs, nowMs: NOW });
  using database = readUsageFile(path);
  if (database === undefined) throw new Error("there is no database");
  const times: string[] = [];
  for (const by of ["day", "account", "model", "project", "key", "session"] satisfies UsageGrouping[]) {
    const beganMs = performance.now();
    const query = { sinceMs: firstMs, untilMs: startOfDay(NOW, 1), by };
    const { total } = usageLines(
      await sumUsage(database, query, { nowMs: NOW, keepDays: YEAR_DAYS }),
      by,
      {},
    );
    times.push(`${by} ${(performance.now() - beganMs).toFixed(0)} ms`);
    expect(total).toMatchObject({
      turns: ROWS,
      input_tokens: ROWS * YEAR_TOKENS.input,
      unpriced_turns: 0,
    });
  }
  const { size } = Bun.file(path);
  console.log(`${ROWS} turns, ${(size / 2 ** 20).toFixed(0)} MiB: ${times.join(", ")}`);
  console.log(`the longest step of the sums by session took ${longestStepMs.toFixed(1)} ms`);
});
