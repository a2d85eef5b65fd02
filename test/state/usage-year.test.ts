// Reports over a year of turns. Prints how long they take; the bound of the design is 200 ms for 500,000 turns
// (CODEXLB_TEST_USAGE_ROWS=500000).

import { expect, test } from "bun:test";
import { join } from "node:path";
import { startOfDay } from "../../src/core/local-days.ts";
import { usageLines } from "../../src/core/usage-lines.ts";
import type { UsageGrouping } from "../../src/core/usage-report.ts";
import { createSessionSums } from "../../src/state/usage/session-sums.ts";
import { openUsageFile } from "../../src/state/usage/usage-file.ts";
import { sumUsage } from "../../src/state/usage/usage-query.ts";
import { recordTurns } from "../support/record-turns.ts";
import { tempDirectory } from "../support/temp.ts";

const ROWS = Number(process.env.CODEXLB_TEST_USAGE_ROWS ?? 20_000);
const DAYS = 365;
const NOW = new Date(2026, 11, 31, 12).getTime();

test(`a year of ${ROWS} turns is summed by every grouping`, async () => {
  using temp = tempDirectory();
  const path = join(temp.path, "usage.db");
  const first = startOfDay(NOW, 1 - DAYS);
  recordTurns(
    path,
    Array.from({ length: ROWS }, (_, index) => ({
      startedMs: first + Math.floor((index * (NOW - first)) / ROWS),
      outcome: index % 40 === 0 ? ("cut" as const) : ("completed" as const),
      accountId: `openai:${index % 5}`,
      accountAlias: `account-${index % 5}`,
      session: `session ${Math.floor(index / 30)}`,
      requestedModel: ["gpt-6.2-sol", "gpt-6-luna", "gpt-6.2-astra"][index % 3],
      tokens: { input: 50_000, cachedInput: 40_000, output: 900, reasoning: 300 },
      firstOutputMs: 2_000,
      project: `/home/u/project-${index % 8}`,
    })),
  );
  using database = openUsageFile(path);
  const sums = createSessionSums(database);
  let longestMs = 0;
  for (let count = -1; count !== 0; ) {
    const beganMs = performance.now();
    count = sums.addSome(NOW);
    longestMs = Math.max(longestMs, performance.now() - beganMs);
  }
  sums.finalize();
  const times: string[] = [];
  for (const by of ["day", "account", "model", "project", "key", "session"] satisfies UsageGrouping[]) {
    const beganMs = performance.now();
    const query = { sinceMs: first, untilMs: startOfDay(NOW, 1), by };
    const { total } = usageLines(await sumUsage(database, query, { nowMs: NOW, keepDays: DAYS }), by, {});
    times.push(`${by} ${(performance.now() - beganMs).toFixed(0)} ms`);
    expect(total).toMatchObject({ turns: ROWS, input_tokens: ROWS * 50_000, unpriced_turns: 0 });
  }
  database.run("PRAGMA wal_checkpoint(TRUNCATE)");
  const { size } = Bun.file(path);
  console.log(`${ROWS} turns, ${(size / 2 ** 20).toFixed(0)} MiB: ${times.join(", ")}`);
  console.log(`the longest step of the sums by session took ${longestMs.toFixed(1)} ms`);
});
