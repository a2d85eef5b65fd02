// Compares the two policies that could be the default over four weeks, from low demand to more than the quota.

import type { PolicyMode } from "../../src/core/policy.ts";
import { ALL_DAY, OFFICE, type WorkingTime } from "./demand.ts";
import { percent, runAll } from "./run-all.ts";
import type { Figures } from "./simulate.ts";

/** One line of the comparison. */
export interface DefaultLine extends Figures {
  readonly accounts: number;
  readonly work: string;
  /** The demand, as a share of the quota of all accounts. */
  readonly load: number;
  readonly policy: PolicyMode;
}

export const COMPARED = ["usage_balanced", "reset_aware"] as const satisfies readonly PolicyMode[];

/** Four weeks, so that each account has four weekly resets. */
const DAYS = 28;
/** One row takes seconds. */
const SEEDS = [1] as const;

interface DemandOfRows {
  readonly work: string;
  readonly working: WorkingTime;
  readonly loads: readonly number[];
}

const DEMANDS: readonly DemandOfRows[] = [
  { work: "7-23, every day", working: ALL_DAY, loads: [0.5, 0.75, 0.95, 1.1] },
  { work: "9-17, 5 days", working: OFFICE, loads: [0.5, 0.75] },
];

/** Runs the simulations for these numbers of accounts. The figures are the same in every run. */
export function compareDefaults(sizes: readonly number[]): DefaultLine[] {
  return sizes.flatMap((accounts) =>
    DEMANDS.flatMap(({ work, working, loads }) =>
      loads.flatMap((load) =>
        COMPARED.map((policy) => {
          const setup = { accounts, mode: policy, affinity: true, working, load } as const;
          return { ...runAll(setup, DAYS, SEEDS), accounts, work, load, policy };
        }),
      ),
    ),
  );
}

/** The comparison as rows of a table. The first row is the header. */
export function defaultRows(lines: readonly DefaultLine[]): string[][] {
  return [
    [
      "accounts",
      "work",
      "demand",
      "policy",
      "turns served",
      "refused, with room",
      "refused",
      "wait",
      "wasted at resets",
      "moves",
      "cache hits",
    ],
    ...lines.map((line) => [
      String(line.accounts),
      line.work,
      `${Math.round(line.load * 100)} %`,
      line.policy,
      String(servedOf(line)),
      String(line.refusedWithRoom),
      String(line.refused),
      `${Math.round(line.waitHours)} h`,
      percent(line.wasted),
      String(line.moves),
      percent(line.cacheHits),
    ]),
  ];
}

/** The turns that an account served. */
export function servedOf({ turns, refused, refusedWithRoom }: Figures): number {
  return turns - refused - refusedWithRoom;
}
