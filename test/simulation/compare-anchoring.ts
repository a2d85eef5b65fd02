// Shows what anchoring gains and costs: the same sessions with and without it, for several habits of working.

import { timeText } from "../../src/core/anchor/anchor-times.ts";
import { ALL_DAY, OFFICE, type WorkingTime } from "./demand.ts";
import { percent, runAll } from "./run-all.ts";
import type { AnchorTimes, Figures } from "./simulate.ts";
import { ANCHOR_COST, WEEK_LIMIT } from "./world.ts";

/** One line of the comparison. */
export interface AnchorLine extends Figures {
  readonly accounts: number;
  /** When people work. */
  readonly work: string;
  /** When accounts are anchored. */
  readonly anchored: string;
}

/** Four weeks, so that each account has four weekly resets. */
const DAYS = 28;
/** One row takes seconds. */
const SEEDS = [1] as const;
/** Input and output of one anchor turn, about what the smallest request uses. */
export const ANCHOR_TOKENS = 60;

interface Habit {
  readonly work: string;
  readonly working: WorkingTime;
  readonly monthly?: boolean;
  readonly anchored: readonly Anchored[];
}

interface Anchored {
  readonly anchored: string;
  /** Undefined: never. */
  readonly anchor?: AnchorTimes;
}

const NEVER: Anchored = { anchored: "never" };

const HABITS: readonly Habit[] = [
  { work: "7-23, every day", working: ALL_DAY, anchored: [NEVER, all(5), staggered(5)] },
  { work: "9-17, 5 days", working: OFFICE, anchored: [NEVER, all(7), all(8), staggered(7)] },
  {
    work: "9-17, 5 days, monthly windows",
    working: OFFICE,
    monthly: true,
    anchored: [NEVER, all(8), staggered(7)],
  },
  {
    work: "19-23, 5 days",
    working: { fromHour: 19, toHour: 23, daysInWeek: 5 },
    anchored: [NEVER, all(16), staggered(17)],
  },
];

/** Runs the simulations for these numbers of accounts. The figures are the same at every run. */
export function compareAnchoring(sizes: readonly number[]): AnchorLine[] {
  return sizes.flatMap((accounts) =>
    HABITS.flatMap(({ work, working, monthly = false, anchored: ways }) =>
      ways.map(({ anchored, anchor }) => {
        const setup = { accounts, mode: "usage_balanced", affinity: true, working, monthly } as const;
        const figures = runAll({ ...setup, ...(anchor === undefined ? {} : { anchor }) }, DAYS, SEEDS);
        return { ...figures, accounts, work, anchored };
      }),
    ),
  );
}

/** The comparison as rows of a table. The first row is the header. */
export function anchorRows(lines: readonly AnchorLine[]): string[][] {
  return [
    [
      "accounts",
      "work",
      "anchored",
      "turns served",
      "refused, with room",
      "refused",
      "wait",
      "wasted at resets",
      "anchor turns",
      "tokens",
      "share of the week",
    ],
    ...lines.map((line) => [
      String(line.accounts),
      line.work,
      line.anchored,
      String(line.turns - line.refused - line.refusedWithRoom),
      String(line.refusedWithRoom),
      String(line.refused),
      `${Math.round(line.waitHours)} h`,
      percent(line.wasted),
      String(line.anchors),
      String(line.anchors * ANCHOR_TOKENS),
      `${(weekShare(line) * 100).toFixed(2)} %`,
    ]),
  ];
}

// --- internal ---

/** All accounts at this hour. */
function all(hours: number): Anchored {
  return { anchored: `${timeText({ hours, minutes: 0 })}, all`, anchor: timesAt(hours, false) };
}

/** One account after another from this hour on. */
function staggered(hours: number): Anchored {
  return { anchored: `${timeText({ hours, minutes: 0 })}, staggered`, anchor: timesAt(hours, true) };
}

function timesAt(hours: number, stagger: boolean): AnchorTimes {
  return { at: [{ hours, minutes: 0 }], stagger };
}

/** The share of all weekly quota that the anchor turns used. */
function weekShare({ accounts, anchors }: AnchorLine): number {
  return (anchors * ANCHOR_COST) / ((accounts * WEEK_LIMIT * DAYS) / 7);
}
