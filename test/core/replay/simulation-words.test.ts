import { expect, test } from "bun:test";
import {
  refusedSpans,
  type ScenarioReport,
  type SimulationReport,
} from "../../../src/core/replay/simulation-report.ts";
import { simulationTsv } from "../../../src/core/replay/simulation-text.ts";
import {
  accountsWords,
  policyWords,
  refusedWords,
  simulationNotes,
  sizeLines,
  summarySentences,
  waitWords,
} from "../../../src/core/replay/simulation-words.ts";
import { scenario, simulationReport } from "../../support/simulation-report.ts";

const at = (day: number, hour: number, minute = 0) => new Date(2026, 10, day, hour, minute).getTime();

const without = (timesMs: readonly number[], more: Partial<ScenarioReport> = {}): ScenarioReport =>
  scenario({ without: ["bob"], refused: timesMs.length, refused_times: refusedSpans(timesMs), ...more });

const sentence = (one: ScenarioReport): string =>
  summarySentences(simulationReport({ scenarios: [scenario(), one] })).join("|");

test("refused turns within two hours of each other are one span", () => {
  expect(refusedSpans([at(24, 14), at(24, 15), at(24, 16, 10), at(25, 9)])).toEqual([
    { first_ms: at(24, 14), last_ms: at(24, 16, 10), turns: 3 },
    { first_ms: at(25, 9), last_ms: at(25, 9), turns: 1 },
  ]);
});

test.each([
  [[], { refused_most: 0 }, "Without bob: no turn would have been refused."],
  [
    [],
    { refused_most: 7 },
    "Without bob: no turn would have been refused. If the windows are smaller than measured, up to 7 would have been.",
  ],
  [
    [at(24, 14), at(24, 15), at(24, 16)],
    {},
    "Without bob: 3 of 1204 turns would have been refused (0.2 %), all on Tue 24 Nov from 14:00 to 16:00.",
  ],
  [[at(24, 14)], {}, "Without bob: 1 of 1204 turns would have been refused (0.1 %), on Tue 24 Nov at 14:00."],
  [
    [at(24, 9), at(24, 14), at(24, 15)],
    {},
    "Without bob: 3 of 1204 turns would have been refused (0.2 %), all on Tue 24 Nov, most of them (2) from 14:00 to 15:00.",
  ],
  [
    [at(24, 14), at(25, 9), at(25, 10)],
    {},
    "Without bob: 3 of 1204 turns would have been refused (0.2 %), on 2 days, most of them (2) on Wed 25 Nov from 09:00 to 10:00.",
  ],
])("refused at %p %p: %s", (times, more, words) => {
  expect(sentence(without(times, more))).toBe(words);
});

test("a scenario with added accounts names them", () => {
  const replaced = scenario({ without: ["bob"], added: ["+plus"] });
  const added = scenario({ added: ["+pro", "+pro-2"] });
  expect(accountsWords(replaced)).toBe("without bob, +plus");
  expect(accountsWords(scenario())).toBe("all");
  expect(sentence(replaced)).toBe("Without bob, +plus: no turn would have been refused.");
  expect(sentence(added)).toBe("With +pro, +pro-2: no turn would have been refused.");
});

test("cells say what is switched off, how certain a number is, and how long turns waited", () => {
  const all = scenario({ floors: true, anchoring: true });
  expect(policyWords(all, all)).toBe("usage_balanced");
  expect(policyWords({ ...all, floors: false, anchoring: false }, all)).toBe(
    "usage_balanced, no floors, no anchoring",
  );
  expect(policyWords(scenario(), scenario())).toBe("usage_balanced");
  expect(refusedWords(scenario({ refused: 3, refused_least: 0, refused_most: 9 }))).toBe("3 (0-9)");
  expect(refusedWords(scenario({ refused: 3, refused_least: null, refused_most: null }))).toBe("3");
  expect(waitWords(scenario({ wait_hours: 0.75 }))).toBe("45 min");
  expect(waitWords(scenario())).toBe("0");
});

test("sizes say where they come from, and notes what was not simulated", () => {
  const windows = [{ kind: "weekly" as const, size_usd: 21, error: 0.052 }];
  const report: SimulationReport = simulationReport({
    accounts: [
      { alias: "alice", plan: "plus", source: "own", windows },
      { alias: "carol", plan: "", source: "same_plan", windows },
    ],
    added: [{ alias: "+pro", plan: "pro", source: "plan_size", windows }],
    left_out: ["dave"],
    api_keys: ["openai"],
    unmeasured: ["erin"],
    turns_of_children: 1,
    turns_of_other_limits: 41,
    unpriced_turns: 2,
    uses_own_prices: true,
  });
  expect(sizeLines(report)).toEqual([
    "alice (plus): week $21.00 ±5 %",
    "carol (unknown plan, from accounts on the same plan): week $21.00 ±5 %",
    "+pro (pro, from plan sizes): week about $21.00",
  ]);
  expect(simulationNotes(report)).toEqual([
    "Plan sizes are as of 2026-11-29 (docs/simulate.md).",
    "Not simulated, because out of service: dave.",
    "Not simulated, because it is an API key: openai. A key would serve refused turns up to its cap, which costs money.",
    "Not simulated, because the history does not show how much quota they have: erin.",
    "Not simulated: 1 turn of child proxies.",
    "Not simulated: 41 turns for models with their own limit.",
    "Costs and sizes: estimates, at OpenAI's API prices of 2026-11-28.",
    "A model with a price in config.toml counts at that price.",
    "The cost leaves out 2 turns whose model has no known price.",
  ]);
});

test("a pipe gets one line for each scenario, with stable columns", () => {
  const scenarios = [scenario(), without([at(24, 14)], { wasted: null, refused_least: 0, refused_most: 4 })];
  expect(simulationTsv(simulationReport({ scenarios })).split("\n")).toEqual([
    "accounts\tpolicy\tfloors\tanchoring\tturns\trefused\trefused_least\trefused_most\twait_hours\twasted\tmoves\tcached\tcost_usd",
    "all\tusage_balanced\tfalse\tfalse\t1204\t0\t\t\t0.00\t0.1200\t3\t0.9200\t41.20",
    "without bob\tusage_balanced\tfalse\tfalse\t1204\t1\t0\t4\t0.00\t\t3\t0.9200\t41.20",
    "",
  ]);
});
