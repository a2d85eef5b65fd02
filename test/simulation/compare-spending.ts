// Shows in which order quota and credits are spent over four weeks, with and without sessions that use a model with its
// own limit. Demand is higher than the quota, so that credits are needed.

import { percent, runAll } from "./run-all.ts";
import type { Figures, Setup } from "./simulate.ts";

/** One line of the comparison. */
export interface SpendingLine extends Figures {
  readonly accounts: number;
  readonly setting: string;
}

/** Four weeks, so that each account has four weekly resets. */
const DAYS = 28;
/** One row takes seconds. */
const SEEDS = [1] as const;
/** The demand, as a share of the quota of all accounts. */
export const HIGH_LOAD = 1.1;
/** The credits of an account, in turns whose prompt is in the cache. */
export const CREDITS = 300;
/** One in this many sessions uses the model that has its own limit. */
export const METERED_EVERY = 4;

interface Scenario extends Pick<Setup, "credits" | "meteredEvery" | "options"> {
  readonly setting: string;
}

const SCENARIOS: readonly Scenario[] = [
  { setting: "no credits" },
  { setting: "the first account has credits", credits: (index) => (index === 0 ? CREDITS : 0) },
  { setting: "all have credits", credits: () => CREDITS },
  {
    setting: "all have credits, the first a weekly floor of 20 %",
    credits: () => CREDITS,
    options: { a0: { floorWeekly: 20 } },
  },
  { setting: "one model with its own limit", meteredEvery: METERED_EVERY },
  { setting: "the same, all have credits", meteredEvery: METERED_EVERY, credits: () => CREDITS },
];

/** Runs the simulations for these numbers of accounts. The figures are the same in every run. */
export function compareSpending(sizes: readonly number[]): SpendingLine[] {
  return sizes.flatMap((accounts) =>
    SCENARIOS.map(({ setting, ...scenario }) => {
      const setup = { accounts, mode: "usage_balanced", affinity: true, load: HIGH_LOAD } as const;
      const figures = runAll({ ...setup, ...scenario }, DAYS, SEEDS);
      return { ...figures, accounts, setting };
    }),
  );
}

/** The comparison as rows of a table. The first row is the header. */
export function spendingRows(lines: readonly SpendingLine[]): string[][] {
  return [
    [
      "accounts",
      "accounts and models",
      "refused, with room",
      "credits, with quota",
      "refused",
      "turns on credits",
      "wasted at resets",
      "moves",
    ],
    ...lines.map((line) => [
      String(line.accounts),
      line.setting,
      String(line.refusedWithRoom),
      String(line.creditsWithQuota),
      String(line.refused),
      String(line.onCredits),
      percent(line.wasted),
      String(line.moves),
    ]),
  ];
}
