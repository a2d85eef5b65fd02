// Compares the policies: each runs the same sessions in the same simulated worlds.

import type { PolicyMode } from "../../src/core/policy.ts";
import { percent, runAll } from "./run-all.ts";
import type { Figures } from "./simulate.ts";

/** One line of the comparison: the figures of several worlds added up. */
export interface Line extends Figures {
  readonly accounts: number;
  readonly policy: string;
}

export const SIZES = [2, 5, 10, 20] as const;
/** The simulated days. In a week, the weekly window of each account resets once. */
export const DAYS = 7;
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

/** Runs all simulations. The figures are the same at every run. */
export function compare(): Line[] {
  return SIZES.flatMap((accounts) =>
    POLICIES.map(({ mode, affinity }) => {
      const figures = runAll({ accounts, mode, affinity }, DAYS, SEEDS);
      return { ...figures, accounts, policy: policyName(mode, affinity) };
    }),
  );
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
