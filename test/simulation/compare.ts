// Compares the policies: each runs the same sessions in the same simulated worlds.

import type { PolicyMode } from "../../src/core/policy.ts";
import { type Figures, type Setup, simulate } from "./simulate.ts";

/** One line of the comparison: the figures of several worlds added up. */
export interface Line extends Figures {
  readonly accounts: number;
  readonly policy: string;
}

export const SIZES = [2, 5, 10, 20] as const;
/** The simulated days. In a week, the weekly window of each account resets once. */
export const DAYS = 7;
/** The demand, as a share of the quota of all accounts. */
export const LOAD = 0.75;
const SEEDS = [1, 2, 3] as const;

/** The compared policies, with and without affinity. All other settings have their defaults. */
const POLICIES: readonly { readonly mode: PolicyMode; readonly affinity: boolean }[] = [
  { mode: "usage_balanced", affinity: true },
  { mode: "usage_balanced", affinity: false },
  { mode: "sticky", affinity: true },
  { mode: "round_robin", affinity: true },
  { mode: "least_in_flight", affinity: true },
  { mode: "reset_aware", affinity: true },
];

/** The policy's name in the comparison. */
export function policyName(mode: PolicyMode, affinity = true): string {
  return affinity ? mode : `${mode}, no affinity`;
}

/** The figures of `setup` in several worlds: numbers of turns added up, and means of shares. */
export function runAll(setup: Omit<Setup, "seed" | "days" | "load">): Figures {
  const runs = SEEDS.map((seed) => simulate({ ...setup, days: DAYS, load: LOAD, seed }));
  const sum = (key: keyof Figures) => runs.reduce((total, run) => total + run[key], 0);
  const mean = (key: keyof Figures) => sum(key) / runs.length;
  return {
    turns: sum("turns"),
    refusedWithRoom: sum("refusedWithRoom"),
    refused: sum("refused"),
    wasted: mean("wasted"),
    moves: sum("moves"),
    cacheHits: mean("cacheHits"),
    crossedWithRoom: sum("crossedWithRoom"),
    onFirst: mean("onFirst"),
    leastOfFirst: Math.min(...runs.map(({ leastOfFirst }) => leastOfFirst)),
  };
}

/** Runs all simulations. The figures are the same at every run. */
export function compare(): Line[] {
  return SIZES.flatMap((accounts) =>
    POLICIES.map(({ mode, affinity }) => {
      const figures = runAll({ accounts, mode, affinity });
      return { ...figures, accounts, policy: policyName(mode, affinity) };
    }),
  );
}

/** A share of 0 to 1 in percent. */
export function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

/** The comparison as rows of a table. The first row is the header. */
export function comparisonRows(lines: readonly Line[]): string[][] {
  return [
    [
      "accounts",
      "policy",
      "turns",
      "refused, with room",
      "refused",
      "wasted at resets",
      "moves",
      "cache hits",
    ],
    ...lines.map((line) => [
      String(line.accounts),
      line.policy,
      String(line.turns),
      String(line.refusedWithRoom),
      String(line.refused),
      percent(line.wasted),
      String(line.moves),
      percent(line.cacheHits),
    ]),
  ];
}
