// Reports of `codexlb simulate`.

import type { ScenarioReport, SimulationReport } from "../../src/core/replay/simulation-report.ts";

/** A scenario in which no turn is refused, changed by `more`. */
export const scenario = (more: Partial<ScenarioReport> = {}): ScenarioReport => ({
  without: [],
  added: [],
  policy: "usage_balanced",
  floors: false,
  anchoring: false,
  refused: 0,
  refused_least: null,
  refused_most: null,
  refused_times: [],
  wait_hours: 0,
  wasted: 0.12,
  moves: 3,
  cached: 0.92,
  cost_usd: 41.2,
  ...more,
});

/** The report on two weeks of November 2026, changed by `more`. */
export const simulationReport = (more: Partial<SimulationReport> = {}): SimulationReport => ({
  since_ms: new Date(2026, 10, 16).getTime(),
  until_ms: new Date(2026, 10, 29, 12).getTime(),
  turns: 1_204,
  turns_of_children: 0,
  turns_of_other_limits: 0,
  unpriced_turns: 0,
  prices_as_of: "2026-11-28",
  uses_own_prices: false,
  accounts: [
    {
      alias: "alice",
      plan: "plus",
      source: "own",
      windows: [
        { kind: "short", size_usd: 3.1, error: 0.08 },
        { kind: "weekly", size_usd: 21, error: 0.05 },
      ],
    },
  ],
  added: [],
  left_out: [],
  api_keys: [],
  unmeasured: [],
  scenarios: [scenario()],
  ...more,
});
