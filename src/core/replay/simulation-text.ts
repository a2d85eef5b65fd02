// The report of `codexlb simulate` for a pipe: tab-separated, with a heading. New columns are appended.

import { oneLine } from "../../printable.ts";
import type { ScenarioReport, SimulationReport } from "./simulation-report.ts";
import { accountsWords } from "./simulation-words.ts";

export function simulationTsv({ scenarios, turns }: SimulationReport): string {
  const rows = scenarios.map((scenario) => COLUMNS.map(([, textOf]) => textOf(scenario, turns)));
  return [COLUMNS.map(([name]) => name), ...rows]
    .map((cells) => `${cells.map(oneLine).join("\t")}\n`)
    .join("");
}

// --- internal ---

type Column = readonly [name: string, textOf: (scenario: ScenarioReport, turns: number) => string];

const COLUMNS: readonly Column[] = [
  ["accounts", accountsWords],
  ["policy", ({ policy }) => policy],
  ["floors", ({ floors }) => String(floors)],
  ["anchoring", ({ anchoring }) => String(anchoring)],
  ["turns", (_, turns) => String(turns)],
  ["refused", ({ refused }) => String(refused)],
  ["refused_least", ({ refused_least }) => optional(refused_least)],
  ["refused_most", ({ refused_most }) => optional(refused_most)],
  ["wait_hours", ({ wait_hours }) => wait_hours.toFixed(2)],
  ["wasted", ({ wasted }) => share(wasted)],
  ["moves", ({ moves }) => String(moves)],
  ["cached", ({ cached }) => share(cached)],
  ["cost_usd", ({ cost_usd }) => cost_usd.toFixed(2)],
];

function optional(value: number | null): string {
  return value === null ? "" : String(value);
}

function share(value: number | null): string {
  return value === null ? "" : value.toFixed(4);
}
