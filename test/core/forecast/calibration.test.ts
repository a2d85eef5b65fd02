// How good the forecasts are: over many seeded weeks, the interval of 80 % must contain what really happens in about 80 %
// of the cases. `CODEXLB_TEST_FIGURES=1` prints the figures, which docs/usage.md quotes.

import { expect, test } from "bun:test";
import { accountForecast } from "../../../src/core/forecast/account-forecast.ts";
import type { WindowOutcome } from "../../../src/core/forecast/forecast.ts";
import { HOUR_MS } from "../../../src/core/forecast/meter-history.ts";
import { poolForecast } from "../../../src/core/forecast/pool-forecast.ts";
import { type Random, seededRandom } from "../../../src/core/forecast/random.ts";
import { DEFAULT_ORDER, type SpendingOrder } from "../../../src/core/forecast/spending-order.ts";
import { NO_WINDOWS, USUAL_SECONDS, type WindowKind } from "../../../src/core/windows.ts";
import {
  DAY_MS,
  finished,
  follow,
  historyOf,
  MONDAY,
  sessions,
  summaryOfWindow,
  truthOf,
  type Use,
} from "./synthetic.ts";

interface Case {
  readonly outcome: WindowOutcome;
  readonly nowMs: number;
  /** When it really happened, Unix ms; Infinity: never. */
  readonly truthMs: number;
}

const FUTURES = 100;
const CASES = 100;

/** Hours of use and their weight, in points of a weekly window per hour. */
const OFFICE = { from: 8, to: 20, level: 2.2, weekend: 0.2 };
const EVENINGS = { from: 17, to: 24, level: 3, weekend: 1.5 };
const AGENTS = { from: 0, to: 24, level: 1, weekend: 1 };
/** Points of a 5h window for each point of a weekly one. */
const SHORT_FACTOR = 8;

test.each([
  ["5h window, work hours, after 3 days", "short", 3, OFFICE],
  ["5h window, work hours, after 14 days", "short", 14, OFFICE],
  ["5h window, evenings, after 14 days", "short", 14, EVENINGS],
  ["5h window, around the clock, after 14 days", "short", 14, { ...AGENTS, level: 2 }],
  ["weekly window, work hours, after 3 days", "weekly", 3, OFFICE],
  ["weekly window, work hours, after 7 days", "weekly", 7, OFFICE],
  ["weekly window, work hours, after 21 days", "weekly", 21, OFFICE],
  ["weekly window, evenings, after 14 days", "weekly", 14, EVENINGS],
  ["weekly window, around the clock, after 14 days", "weekly", 14, AGENTS],
] as const)("the interval of a %s, has its share of hits", (name, kind, days, habits) => {
  const cases = collect((random) => {
    const level = habits.level * (kind === "short" ? SHORT_FACTOR : 1) * (0.6 + random());
    const use = sessions(random, 50, { ...habits, level });
    return accountCase(use, kind, momentIn(days, habits, random));
  });
  judge(name, cases);
});

test.each([
  ["pool of 3 accounts", [{}, {}, {}]],
  [
    "pool of 3 accounts with priorities and floors that are spent last",
    [{ priority: 1, floorWeekly: 20 }, { floorWeekly: 40 }, { priority: -1 }],
  ],
  [
    "pool of 3 accounts with priorities and floors that are never spent",
    [
      { priority: 1, floorWeekly: 20, keepsFloors: true },
      { floorWeekly: 40, keepsFloors: true },
      { priority: -1, keepsFloors: true },
    ],
  ],
] satisfies [string, Partial<SpendingOrder>[]][])(
  "the interval of a %s has its share of hits",
  (name, given) => {
    const orders = given.map((order): SpendingOrder => ({ ...DEFAULT_ORDER, ...order }));
    const cases = collect((random) => {
      const use = sessions(random, 50, { ...OFFICE, level: OFFICE.level * orders.length * (0.6 + random()) });
      return poolCase(use, orders, momentIn(14, OFFICE, random));
    });
    judge(`${name}, after 14 days`, cases);
  },
);

// --- helpers

/** A moment of day number `days`, while the account is used. */
function momentIn(days: number, { from, to }: typeof OFFICE, random: Random): number {
  return MONDAY + days * DAY_MS + Math.floor((from + random() * (to - from)) * 12) * (HOUR_MS / 12);
}

function collect(make: (random: Random) => Case | undefined): Case[] {
  const cases: Case[] = [];
  for (let seed = 1; cases.length < CASES && seed < 40 * CASES; seed++) {
    const made = make(seededRandom(seed * 7919));
    // A forecast that nothing happens, which is right, says nothing about intervals.
    if (made === undefined || made.outcome.kind === "exhausted") continue;
    if (made.truthMs === Number.POSITIVE_INFINITY && earliestOf(made.outcome) === Number.POSITIVE_INFINITY)
      continue;
    cases.push(made);
  }
  return cases;
}

function accountCase(use: Use, kind: WindowKind, nowMs: number): Case | undefined {
  const { history, window } = historyOf(use, kind, nowMs);
  const [forecast] = accountForecast(
    { ...NO_WINDOWS, [kind]: summaryOfWindow(window) },
    { ...NO_WINDOWS, [kind]: history },
    { nowMs, futures: FUTURES },
  );
  return forecast && { outcome: forecast.outcome, nowMs, truthMs: truthOf(window, use, nowMs) };
}

/** A pool whose accounts are used one after the other, the next one when one has run out, in the order of its rules. */
function poolCase(use: Use, orders: readonly SpendingOrder[], nowMs: number): Case {
  const windows = orders.map((order, index) => ({
    ...historyOf(partOf(use, index, orders.length), "weekly", nowMs),
    order,
  }));
  const members = windows.map(({ history, window, order }) => ({
    order,
    plan: "plus",
    windows: { ...NO_WINDOWS, weekly: summaryOfWindow(window) },
    histories: { ...NO_WINDOWS, weekly: history },
    inService: true,
    closedUntilMs: 0,
  }));
  const { outcome, untilMs } = finished(poolForecast(members, { nowMs, futures: FUTURES }));
  const left = windows.map(({ window, order }) => ({ ...window, order }));
  let truthMs = Number.POSITIVE_INFINITY;
  const clock = { kind: "weekly", usedPercent: 0, resetAtMs: undefined } as const;
  follow(clock, use, nowMs, untilMs, (_, atMs) => {
    for (const one of left)
      if (one.resetAtMs !== undefined && atMs >= one.resetAtMs)
        Object.assign(one, { usedPercent: 0, resetAtMs: undefined });
    const next = left
      .map((one) => ({ one, isLow: one.usedPercent >= 100 - one.order.floorWeekly }))
      .filter(({ one, isLow }) => one.usedPercent < 100 && !(isLow && one.order.keepsFloors))
      .sort(
        (a, b) => Number(a.isLow) - Number(b.isLow) || b.one.order.priority - a.one.order.priority,
      )[0]?.one;
    if (next === undefined) {
      truthMs = atMs;
      return false;
    }
    const points = use(atMs) / 12;
    if (points > 0)
      Object.assign(next, {
        usedPercent: Math.min(100, next.usedPercent + points),
        resetAtMs: next.resetAtMs ?? atMs + USUAL_SECONDS.weekly * 1000,
      });
    return true;
  });
  return { outcome, nowMs, truthMs };
}

/** The part of the use that account `index` served: whole hours in turn. */
function partOf(use: Use, index: number, count: number): Use {
  return (atMs) => (Math.floor(atMs / HOUR_MS) % count === index ? use(atMs) : 0);
}

function earliestOf(outcome: WindowOutcome): number {
  return outcome.kind === "reached" || outcome.kind === "lasts"
    ? (outcome.earliestMs ?? Number.POSITIVE_INFINITY)
    : Number.NaN;
}

function judge(name: string, cases: readonly Case[]): void {
  const hits = cases.filter(({ outcome, truthMs }) => {
    const latest =
      outcome.kind === "reached" ? (outcome.latestMs ?? Number.POSITIVE_INFINITY) : Number.POSITIVE_INFINITY;
    return truthMs >= earliestOf(outcome) && truthMs <= latest;
  });
  const errors = cases.flatMap(({ outcome, truthMs, nowMs }) =>
    outcome.kind === "reached" && Number.isFinite(truthMs)
      ? [{ hours: Math.abs(outcome.likelyMs - truthMs) / HOUR_MS, ahead: (truthMs - nowMs) / HOUR_MS }]
      : [],
  );
  const right = cases.filter(
    ({ outcome, truthMs }) => (outcome.kind === "reached") === Number.isFinite(truthMs),
  );
  const coverage = hits.length / cases.length;
  if (process.env.CODEXLB_TEST_FIGURES)
    console.log(
      `${name}: ${cases.length} cases, in the interval ${percent(coverage)}, right whether it is reached ` +
        `${percent(right.length / cases.length)}, median error ${median(errors.map(({ hours }) => hours)).toFixed(1)} h ` +
        `of ${median(errors.map(({ ahead }) => ahead)).toFixed(1)} h`,
    );
  expect(cases).toHaveLength(CASES);
  expect(coverage).toBeGreaterThanOrEqual(0.7);
  expect(coverage).toBeLessThanOrEqual(0.95);
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
