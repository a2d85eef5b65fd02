import { expect, test } from "bun:test";
import { simulationFrame } from "../../../src/cli/simulate/simulation-frame.ts";
import { styleOf } from "../../../src/cli/terminal/glyphs.ts";
import { refusedSpans } from "../../../src/core/replay/simulation-report.ts";
import { scenario, simulationReport } from "../../support/simulation-report.ts";

const frame = (columns: number) => ({ columns, style: styleOf({ colour: false, utf8: true }) });
const at = (hour: number) => new Date(2026, 10, 24, hour).getTime();

const REPORT = simulationReport({
  scenarios: [
    scenario({ refused_least: 0, refused_most: 0 }),
    scenario({ policy: "reset_aware", wasted: 0.04, moves: 31, cached: 0.9 }),
    scenario({
      without: ["bob"],
      refused: 3,
      refused_least: 0,
      refused_most: 9,
      refused_times: refusedSpans([at(14), at(15), at(16)]),
      wait_hours: 2.2,
    }),
  ],
});

test("on 80 columns, the report has the table, conclusions and errors", () => {
  expect(simulationFrame(REPORT, frame(80))).toBe(`\
simulation  16 Nov - 29 Nov  1204 turns
ACCOUNTS     POLICY          REFUSED  WAIT  WASTED  MOVES  CACHE  EST. COST
all          usage_balanced        0     0     12%      3    92%     $41.20
all          reset_aware           0     0      4%     31    90%     $41.20
without bob  usage_balanced  3 (0-9)   2 h     12%      3    92%     $41.20
Without bob: 3 of 1204 turns would have been refused (0.2 %), all on Tue 24 Nov
from 14:00 to 16:00.

sizes of windows, at API prices
alice (plus): 5h $3.10 ±8 %, week $21.00 ±5 %
Costs and sizes: estimates, at OpenAI's API prices of 2026-11-28.
`);
});

test.each([20, 40, 60, 80, 160])("no line is wider than %i columns", (columns) => {
  const lines = simulationFrame(REPORT, frame(columns)).split("\n");
  expect(Math.max(...lines.map((line) => Bun.stringWidth(line)))).toBeLessThanOrEqual(columns);
});
