import { describe, expect, test } from "bun:test";
import { isEnough, windowAt, windowSizes } from "../../../src/core/replay/calibration.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** The hour of 9 o'clock on a day, counted from the Unix epoch. */
const nineOn = (day: number) => Math.floor(new Date(2026, 10, 1 + day, 9).getTime() / HOUR_MS);

/** Turns for `usd[day]` at 9 o'clock, and the points that they took: `perUsd` for each USD. */
const used = (usd: readonly number[], perUsd: (day: number) => number) => ({
  cost: new Map(usd.map((amount, day) => [nineOn(day), amount])),
  points: new Map(usd.map((amount, day) => [nineOn(day), amount * perUsd(day)])),
});

describe("the size of a window", () => {
  test("is what its points cost, with the error of rounding if all days agree", () => {
    const { cost, points } = used([1, 2, 1, 2], () => 5);
    const [size] = windowSizes([{ kind: "weekly", points, resetAtMs: undefined }], cost);
    expect(size?.kind).toBe("weekly");
    expect(size?.usd).toBeCloseTo(20, 9);
    // One point of thirty, at the 80 % quantile for four days.
    expect(size?.error).toBeCloseTo((1.28 * (1 + 0.85 / 3)) / 30, 9);
  });

  test("is less certain if days differ, or if there are fewer", () => {
    const errorOf = (days: number, perUsd: (day: number) => number) => {
      const { cost, points } = used(
        Array.from({ length: days }, () => 2),
        perUsd,
      );
      return windowSizes([{ kind: "weekly", points, resetAtMs: undefined }], cost)[0]?.error ?? 0;
    };
    const uneven = (day: number) => (day % 2 === 0 ? 4 : 6);
    expect(errorOf(8, uneven)).toBeGreaterThan(2 * errorOf(8, () => 5));
    expect(errorOf(4, uneven)).toBeGreaterThan(errorOf(20, uneven));
  });

  test("leaves out what was used in hours without turns, but counts the hour after a turn", () => {
    const { cost, points } = used([1, 1, 1], () => 10);
    for (const day of [0, 1, 2]) {
      points.set(nineOn(day) + 1, 10);
      points.set(nineOn(day) + 6, 50);
    }
    const [size] = windowSizes([{ kind: "short", points, resetAtMs: undefined }], cost);
    expect(size?.usd).toBeCloseTo(5, 9);
  });

  test.each([
    ["two days", [9, 9], 5],
    ["four points", [0.3, 0.3, 0.2], 5],
    ["no turns", [], 5],
  ] as const)("is not known from %s", (_, usd, perUsd) => {
    const { cost, points } = used(usd, () => perUsd);
    expect(windowSizes([{ kind: "weekly", points, resetAtMs: undefined }], cost)).toEqual([]);
  });
});

test("history is enough with 50 turns on 3 days", () => {
  expect(isEnough({ turns: 50, days: 3 })).toBe(true);
  expect(isEnough({ turns: 49, days: 3 })).toBe(false);
  expect(isEnough({ turns: 50, days: 2 })).toBe(false);
});

describe("the state of a window at a past time", () => {
  const resetAtMs = 21 * DAY_MS;
  const points = new Map([
    [24 * 8, 30], // the day after the last reset before day 9
    [24 * 6, 40], // in the window before
    [24 * 9 + 5, 20], // later than asked for
  ]);
  const atMs = 9 * DAY_MS;

  test("of a week is what was used since its last reset", () => {
    expect(windowAt({ kind: "weekly", points, resetAtMs }, atMs)).toEqual({ used: 0.3, endMs: 14 * DAY_MS });
  });

  test("is not known for a short window, or without a reset", () => {
    expect(windowAt({ kind: "short", points, resetAtMs }, atMs)).toBeUndefined();
    expect(windowAt({ kind: "weekly", points, resetAtMs: undefined }, atMs)).toBeUndefined();
  });

  test("at a reset belongs to the window that begins", () => {
    expect(windowAt({ kind: "weekly", points, resetAtMs }, 14 * DAY_MS)).toEqual({
      used: 0,
      endMs: resetAtMs,
    });
  });
});
