// Reports over a year of turns. Prints how long they take; the bound of the design is 200 ms for 500,000 turns
// (CODEXLB_TEST_USAGE_ROWS=500000).

import { expect, test } from "bun:test";
import { join } from "node:path";
import { startOfDay } from "../../src/core/local-days.ts";
import { usageLines } from "../../src/core/usage-lines.ts";
import type { UsageGrouping } from "../../src/core/usage-report.ts";
import { readUsageFile } from "../../src/state/usage/usage-file.ts";
import { sumUsage } from "../../src/state/usage/usage-query.ts";
import { createUsageStore } from "../../src/state/usage/usage-store.ts";
import { fakeClock } from "../support/clock.ts";
import { tempDirectory } from "../support/temp.ts";

const ROWS = Number(process.env.CODEXLB_TEST_USAGE_ROWS ?? 20_000);
const DAYS = 365;
const NOW = new Date(2026, 11, 31, 12).getTime();

test(`a year of ${ROWS} turns is summed by every grouping`, async () => {
  using temp = tempDirectory();
  const path = join(temp.path, "usage.db");
  const store = createUsageStore({
    path,
    deps: { clock: fakeClock(NOW), log: { info: () => {}, warn: () => {} } },
    events: { append: () => {} },
    owner: { isOurs: () => true },
    settings: () => ({ enabled: true, keepDays: DAYS }),
    identityOf: (id) => id,
  });
  const first = startOfDay(NOW, 1 - DAYS);
  for (let index = 0; index < ROWS; index++) {
    store.add({
      startedMs: first + Math.floor((index * (NOW - first)) / ROWS),
      kind: "turn",
      transport: "websocket",
      outcome: index % 40 === 0 ? "cut" : "completed",
      code: undefined,
      accountId: `openai:${index % 5}`,
      accountAlias: `account-${index % 5}`,
      proxy: "p",
      choice: "affinity",
      session: `session ${Math.floor(index / 30)}`,
      requestedModel: ["gpt-6.2-sol", "gpt-6-luna", "gpt-6.2-astra"][index % 3],
      servedModel: undefined,
      tokens: { input: 50_000, cachedInput: 40_000, output: 900, reasoning: 300 },
      firstOutputMs: 2_000,
      durationMs: 20_000,
      attempts: 1,
      switches: [],
      client: undefined,
      run: undefined,
      project: `/home/u/project-${index % 8}`,
    });
    if (index % 10_000 === 9_999) store.flush();
  }
  store.stop();
  using database = readUsageFile(path);
  if (database === undefined) throw new Error("there is no database");
  const times: string[] = [];
  for (const by of ["day", "account", "model", "project", "key", "session"] satisfies UsageGrouping[]) {
    const beganMs = performance.now();
    const query = { sinceMs: first, untilMs: startOfDay(NOW, 1), by };
    const { total } = usageLines(await sumUsage(database, query, { nowMs: NOW, keepDays: DAYS }), by, {});
    times.push(`${by} ${(performance.now() - beganMs).toFixed(0)} ms`);
    expect(total).toMatchObject({ turns: ROWS, input_tokens: ROWS * 50_000, unpriced_turns: 0 });
  }
  const { size } = Bun.file(path);
  console.log(`${ROWS} turns, ${(size / 2 ** 20).toFixed(0)} MiB: ${times.join(", ")}`);
});
