// The policies side by side: the same sessions, in the same worlds.

import type { PolicyMode } from "../../src/core/policy.ts";
import { type Figures, simulate } from "./simulate.ts";

/** One line of the comparison: the figures of several worlds together. */
export interface Line extends Figures {
  readonly accounts: number;
  readonly policy: string;
}

export const SIZES = [2, 5, 10, 20] as const;
/** A week of working days, so that every account's week ends once. */
export const DAYS = 7;
/** Demand, as a share of what the accounts have. */
export const LOAD = 0.75;
const SEEDS = [1, 2, 3] as const;

/** With and without affinity; the rest as by default. */
const POLICIES: readonly { readonly mode: PolicyMode; readonly affinity: boolean }[] = [
  { mode: "usage_balanced", affinity: true },
  { mode: "usage_balanced", affinity: false },
  { mode: "sticky", affinity: true },
  { mode: "round_robin", affinity: true },
  { mode: "least_in_flight", affinity: true },
  { mode: "reset_aware", affinity: true },
];

/** How a policy is called in the comparison. */
export function policyName(mode: PolicyMode, affinity = true): string {
  return affinity ? mode : `${mode}, no affinity`;
}

/** Runs it all; the same figures every time. */
export function compare(): Line[] {
  return SIZES.flatMap((accounts) =>
    POLICIES.map(({ mode, affinity }) => {
      const runs = SEEDS.map((seed) => simulate({ accounts, days: DAYS, load: LOAD, mode, affinity, seed }));
      const sum = (key: keyof Figures) => runs.reduce((total, run) => total + run[key], 0);
      return {
        accounts,
        policy: policyName(mode, affinity),
        turns: sum("turns"),
        refusedWithRoom: sum("refusedWithRoom"),
        refused: sum("refused"),
        wasted: sum("wasted") / runs.length,
        moves: sum("moves"),
        cacheHits: sum("cacheHits") / runs.length,
      };
    }),
  );
}

/** The comparison as rows of a table, the first one its head. */
export function comparisonRows(lines: readonly Line[]): string[][] {
  const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
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
