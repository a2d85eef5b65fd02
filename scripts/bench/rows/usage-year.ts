// Row (m): the time of reports over a year of turns.

import { startOfDay } from "../../../src/core/local-days.ts";
import { USAGE_GROUPINGS, UsageReport } from "../../../src/core/usage-report.ts";
import { layoutOf } from "../../../src/state/layout.ts";
import { recordYear, YEAR_DAYS } from "../../../test/support/year-of-turns.ts";
import { YEAR_TURNS } from "../figures.ts";
import type { Lab } from "../lab.ts";
import type { Samples } from "../samples.ts";
import { proxyRoot, startProxy } from "../subjects.ts";

/** Requests reports by every grouping from a proxy with a year of turns. */
export async function usageYear(lab: Lab, samples: Samples): Promise<void> {
  const config = `[usage]\nkeep_days = ${YEAR_DAYS}\n`;
  await using proxy = await startProxy(lab, { name: "codexlb", executable: lab.executable, config });
  const layout = layoutOf(proxyRoot(lab, Number(new URL(proxy.origin).port)));
  const nowMs = Date.now();
  // The proxy opens the file for the first report.
  const sinceMs = startOfDay(nowMs, 1 - YEAR_DAYS);
  recordYear(layout.usage, { count: YEAR_TURNS, firstMs: Math.max(sinceMs, FIRST_MS), nowMs });
  const token = (await Bun.file(layout.adminToken).text()).trim();
  for (let round = 0; round <= ROUNDS_EACH * lab.rounds; round++)
    for (const by of USAGE_GROUPINGS) {
      const query = new URLSearchParams({ since: String(sinceMs), until: String(startOfDay(nowMs, 1)), by });
      const beganMs = performance.now();
      const response = await fetch(`${proxy.origin}/admin/usage?${query}`, {
        headers: { authorization: `Bearer ${token}` },
        proxy: false,
      });
      const answer = await response.json();
      const tookMs = performance.now() - beganMs;
      const { total } = UsageReport.parse(answer);
      if (total.turns !== YEAR_TURNS) throw new Error(`the report by ${by} has ${total.turns} turns`);
      // The first round compiles the code.
      if (round > 0) samples.add(`m.${by}`, proxy.name, tookMs);
    }
}

// --- internal ---

const ROUNDS_EACH = 3;
/** Reports leave out earlier days, because codexlb recorded no turns then. */
const FIRST_MS = Date.UTC(2026, 0, 2);
