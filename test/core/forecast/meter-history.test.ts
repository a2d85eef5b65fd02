// What the history of a window learns from its figures.

import { describe, expect, test } from "bun:test";
import {
  HISTORY_MS,
  HOUR_MS,
  type MeterFigure,
  type MeterHistory,
  observed,
} from "../../../src/core/forecast/meter-history.ts";
import { seededRandom } from "../../../src/core/forecast/random.ts";
import { DAY_MS, figureOf, follow, MONDAY, officeHours, steady } from "./synthetic.ts";

/** The beginning of an hour since the Unix epoch, in every time zone. */
const START = Math.ceil(MONDAY / HOUR_MS + 12) * HOUR_MS;
const RESET = START + 5 * HOUR_MS;

function at(minutes: number, usedPercent: number, change: Partial<MeterFigure> = {}): MeterFigure {
  const asOfMs = START + minutes * 60_000;
  return {
    kind: "short",
    usedPercent,
    resetAtMs: RESET,
    windowSeconds: 18_000,
    asOfMs,
    plan: "plus",
    serves: true,
    ...change,
  };
}

/** The history after `figures`, each looked at when it was true. */
function after(...figures: readonly MeterFigure[]): MeterHistory {
  let history: MeterHistory | undefined;
  for (const figure of figures) history = observed(history, figure, figure.asOfMs);
  return history as MeterHistory;
}

function total({ points }: MeterHistory): number {
  return [...points.values()].reduce((sum, value) => sum + value, 0);
}

function closedHours({ closed }: MeterHistory): number {
  return [...closed.values()].reduce((sum, value) => sum + value, 0);
}

describe("the history of a window", () => {
  test("begins with the use since the window began, spread evenly", () => {
    const history = after(at(120, 30));
    expect(history.sinceMs).toBe(START);
    expect([...history.points]).toEqual([
      [START / HOUR_MS, 15],
      [START / HOUR_MS + 1, 15],
    ]);
  });

  test("begins now if the reset is unknown", () => {
    const history = after(at(120, 30, { resetAtMs: undefined }));
    expect(history.sinceMs).toBe(START + 2 * HOUR_MS);
    expect(total(history)).toBe(0);
  });

  test("counts what is used between two figures, in the hours between them", () => {
    const history = after(at(0, 0), at(90, 30));
    expect(history.points.get(START / HOUR_MS)).toBeCloseTo(20);
    expect(history.points.get(START / HOUR_MS + 1)).toBeCloseTo(10);
  });

  test("counts nothing for figures of several sources that differ by a point or two", () => {
    const flapping = Array.from({ length: 60 }, (_, minute) => at(minute + 1, minute % 2 === 0 ? 41 : 39));
    expect(total(after(at(0, 40), ...flapping))).toBeCloseTo(1);
  });

  test("ignores a late figure of another source, and one that is older than the last", () => {
    const history = after(at(10, 50), at(11, 44), at(12, 51));
    expect(history.usedPercent).toBe(51);
    expect(total(history)).toBeCloseTo(51);
    expect(observed(history, at(5, 99), START + HOUR_MS)).toBe(history);
  });

  test("believes lower figures after a quarter of an hour", () => {
    const history = after(at(0, 50), at(10, 20), at(26, 20), at(30, 25));
    expect(history.usedPercent).toBe(25);
    expect(total(history) - total(after(at(0, 50)))).toBeCloseTo(5);
  });

  test("counts what is used after the reset", () => {
    const history = after(at(0, 0), at(240, 90), at(310, 10, { resetAtMs: RESET + 5 * HOUR_MS }));
    expect(total(history)).toBeCloseTo(100);
    // Nothing of the new window was used before the reset.
    expect(history.points.get(RESET / HOUR_MS)).toBeCloseTo(10);
  });

  test("counts what is used after an early reset by the backend", () => {
    const history = after(at(0, 0), at(60, 80), at(120, 5, { resetAtMs: RESET + 2 * HOUR_MS }));
    expect(history.usedPercent).toBe(5);
    expect(total(history)).toBeCloseTo(85);
  });

  test("keeps one window whose reset moves by seconds, or with an account that is not used", () => {
    expect(total(after(at(0, 0), at(30, 10, { resetAtMs: RESET + 9_000 }), at(31, 10)))).toBeCloseTo(10);
    const idle = Array.from({ length: 20 }, (_, hour) =>
      at(hour * 60, 0, { resetAtMs: RESET + hour * HOUR_MS }),
    );
    expect(total(after(...idle))).toBe(0);
  });

  test("is the same object if nothing is new", () => {
    const history = after(at(0, 10));
    expect(observed(history, at(0, 10), START + 60_000)).toBe(history);
  });

  test("counts the time in which the account cannot serve", () => {
    const history = after(
      at(0, 90),
      at(30, 100, { serves: false }),
      at(60, 100, { serves: false }),
      at(150, 100, { serves: false }),
      at(180, 100),
    );
    expect(closedHours(history)).toBeCloseTo(2.5);
    expect(history.closed.get(START / HOUR_MS + 1)).toBeCloseTo(1);
    expect(history.closedMs).toBeUndefined();
  });

  test("continues after a clock that was set back, without the future", () => {
    const ahead = after(at(0, 10), at(600, 40, { resetAtMs: RESET + 10 * HOUR_MS }));
    const back = observed(ahead, at(60, 45), START + HOUR_MS);
    expect(back.asOfMs).toBe(START + HOUR_MS);
    expect(back.usedPercent).toBe(45);
    expect([...back.points.keys()].every((hour) => hour * HOUR_MS <= START + HOUR_MS)).toBe(true);
    expect(observed(back, at(90, 50), START + 1.5 * HOUR_MS).usedPercent).toBe(50);
  });

  test("ignores a figure from the future", () => {
    const history = after(at(0, 10));
    expect(observed(history, at(60, 50), START)).toBe(history);
  });

  test("keeps 28 days", () => {
    let history: MeterHistory | undefined;
    const untilMs = MONDAY + 60 * DAY_MS;
    follow(
      { kind: "weekly", usedPercent: 0, resetAtMs: undefined },
      steady(0.5),
      MONDAY,
      untilMs,
      (now, atMs) => {
        history = observed(history, figureOf(now, atMs), atMs);
      },
    );
    const { sinceMs, points } = history as MeterHistory;
    expect(sinceMs).toBeGreaterThanOrEqual(untilMs - HISTORY_MS - DAY_MS);
    expect(points.size).toBeLessThanOrEqual(28 * 24 + 1);
  });

  test("has all of the use of weeks, whatever the figures look like between", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const random = seededRandom(seed);
      const use = officeHours(1 + random());
      let history: MeterHistory | undefined;
      let real = 0;
      const untilMs = MONDAY + 12 * DAY_MS;
      follow({ kind: "weekly", usedPercent: 0, resetAtMs: undefined }, use, MONDAY, untilMs, (now, atMs) => {
        // The account is looked at now and then, by sources that are up to two points behind.
        real = now.usedPercent < 100 ? real + use(atMs) / 12 : real;
        if (random() < 0.7) return;
        const late = Math.floor(random() * 3);
        const figure = figureOf(now, atMs);
        history = observed(history, { ...figure, usedPercent: Math.max(0, figure.usedPercent - late) }, atMs);
      });
      expect(Math.abs(total(history as MeterHistory) - real)).toBeLessThan(6);
    }
  });
});
