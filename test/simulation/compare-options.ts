// Shows the effect of priorities and floors over four weeks: the same sessions with different options of accounts.

import type { OptionValues, SpendFloors } from "../../src/core/account-options.ts";
import { percent, runAll } from "./run-all.ts";
import type { Figures } from "./simulate.ts";

/** One line of the comparison. */
export interface OptionLine extends Figures {
  readonly accounts: number;
  readonly setting: string;
}

/** Four weeks, so that each account has four weekly resets. */
const DAYS = 28;
/** One row takes seconds. */
const SEEDS = [1] as const;

interface Scenario {
  readonly setting: string;
  /** The options of each account, by its number. */
  readonly options: (index: number) => OptionValues | undefined;
  readonly spendFloors?: SpendFloors;
}

/** Options for the first account only. */
const first = (options: OptionValues) => (index: number) => (index === 0 ? options : undefined);

const SCENARIOS: readonly Scenario[] = [
  { setting: "none", options: () => undefined },
  { setting: "first: priority 1", options: first({ priority: 1 }) },
  { setting: "first: priority -1", options: first({ priority: -1 }) },
  { setting: "first: weekly floor 20 %", options: first({ floorWeekly: 20 }) },
  { setting: "the same, never spent", options: first({ floorWeekly: 20 }), spendFloors: "never" },
  { setting: "first: priority 1, weekly floor 20 %", options: first({ priority: 1, floorWeekly: 20 }) },
  { setting: "all: floors 10 %", options: () => ({ floorDaily: 10, floorWeekly: 10 }) },
];

/**
 * Runs the simulations with the default policy for these numbers of accounts. The figures are the same at every run.
 */
export function compareOptions(sizes: readonly number[]): OptionLine[] {
  return sizes.flatMap((accounts) =>
    SCENARIOS.map(({ setting, options, spendFloors = "last" }) => {
      const set = Array.from({ length: accounts }, (_, index) => [`a${index}`, options(index)] as const);
      const given = Object.fromEntries(
        set.flatMap(([name, values]) => (values === undefined ? [] : [[name, values]])),
      );
      const figures = runAll(
        {
          accounts,
          mode: "usage_balanced",
          affinity: true,
          options: given,
          spendFloors,
        },
        DAYS,
        SEEDS,
      );
      return { ...figures, accounts, setting };
    }),
  );
}

/** The comparison as rows of a table. The first row is the header. */
export function optionRows(lines: readonly OptionLine[]): string[][] {
  return [
    [
      "accounts",
      "options",
      "refused, with room",
      "floor crossed, with room",
      "refused",
      "turns on the first",
      "least left of its week",
      "wasted at resets",
      "moves",
    ],
    ...lines.map((line) => [
      String(line.accounts),
      line.setting,
      String(line.refusedWithRoom),
      String(line.crossedWithRoom),
      String(line.refused),
      percent(line.onFirst),
      percent(line.leastOfFirst),
      percent(line.wasted),
      String(line.moves),
    ]),
  ];
}
