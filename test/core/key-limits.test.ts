// The values of a key's limits, and the count of what happens within a minute.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { allowsModel, changedLimits, countIn, countText, limitsProblem } from "../../src/core/key-limits.ts";
import { createMinuteCount } from "../../src/core/minute-count.ts";

describe("a count", () => {
  test.each([
    ["60", 60],
    ["200k", 200_000],
    ["5M", 5_000_000],
    ["5m", 5_000_000],
    ["1.5M", 1_500_000],
    ["1.1M", 1_100_000],
    ["2G", 2_000_000_000],
    ["1_000_000", 1_000_000],
    [" 7 k ", 7_000],
  ])("%p is %p", (text, count) => expect(countIn(text)).toBe(count));

  test.each(["", "k", "5T", "-1", "1.5", "1e6", "5 M M", "0x10", "1.2345k", "9999999999G"])(
    "%p is not one",
    (text) => expect(countIn(text)).toBeUndefined(),
  );

  test.each([
    [60, "60"],
    [200_000, "200k"],
    [5_000_000, "5M"],
    [1_500_000, "1.5M"],
    [1_234_567, "1234567"],
    [2_000_000_000, "2G"],
  ])("%p is written as %p", (count, text) => {
    expect(countText(count)).toBe(text);
    expect(countIn(text)).toBe(count);
  });
});

describe("a pattern for models", () => {
  test.each([
    ["gpt-6*", "gpt-6", true],
    ["gpt-6*", "gpt-6.1-sol", true],
    ["gpt-6*", "gpt-5", false],
    ["gpt-6*", "xgpt-6", false],
    ["gpt-6", "gpt-6.1", false],
    ["*", "", true],
    ["*-mini", "gpt-6-mini", true],
    ["*-mini", "gpt-6-mini-2", false],
    ["g*6*i", "gpt-6-mini", true],
    ["gpt-6*", "GPT-6", false],
    ["*", "x".repeat(10_000), false],
  ])("%p and %p: %p", (pattern, model, allows) => expect(allowsModel([pattern], model)).toBe(allows));

  test("matches what the same regular expression does", () => {
    const character = fc.constantFrom("a", "b", "*");
    fc.assert(
      fc.property(
        fc.array(character, { maxLength: 8 }),
        fc.array(fc.constantFrom("a", "b"), { maxLength: 10 }),
        (pattern, text) => {
          const expected = new RegExp(`^${pattern.join("").replaceAll("*", ".*")}$`).test(text.join(""));
          expect(allowsModel([pattern.join("")], text.join(""))).toBe(expected);
        },
      ),
    );
  });

  test("can name only characters that occur in the names of models", () => {
    expect(limitsProblem({ models: ["gpt-6*", "o3"] })).toBeUndefined();
    for (const model of ["gpt 6", "gpt\n", "", "(", "x".repeat(65)])
      expect(limitsProblem({ models: [model] })).toContain("is not a pattern for models");
    expect(limitsProblem({ models: [] })).toContain("at least one");
    expect(limitsProblem({ models: Array.from({ length: 17 }, (_, index) => `m${index}`) })).toContain(
      "at most 16",
    );
  });
});

test("limits are changed one by one, and none is left after the last one is removed", () => {
  const limits = changedLimits(undefined, { turnsPerMinute: 60, models: ["a"] });
  expect(limits).toEqual({ turnsPerMinute: 60, models: ["a"] });
  expect(changedLimits(limits, { tokensPerDay: 5, models: undefined })).toEqual({
    turnsPerMinute: 60,
    models: ["a"],
    tokensPerDay: 5,
  });
  expect(changedLimits(limits, { models: null })).toEqual({ turnsPerMinute: 60 });
  expect(changedLimits(limits, { models: null, turnsPerMinute: null })).toBeUndefined();
  for (const limit of [0, -1, 1.5, Number.NaN, 1e18])
    for (const wrong of [{ turnsPerMinute: limit }, { tokensPerDay: limit }])
      expect(limitsProblem(wrong)).toContain("whole number");
});

test("the count of a minute is never below the truth, and at most one second above it", () => {
  const step = fc.record({ afterMs: fc.integer({ min: 0, max: 40_000 }), adds: fc.boolean() });
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1e9 }), fc.array(step, { maxLength: 60 }), (startMs, steps) => {
      let atMs = startMs;
      let counted = createMinuteCount(atMs);
      const times: number[] = [];
      for (const [index, { afterMs, adds }] of steps.entries()) {
        atMs += afterMs;
        if (adds) {
          counted.add(atMs);
          times.push(atMs);
        }
        const within = (ms: number) => times.filter((time) => time > atMs - ms).length;
        const count = counted.within(atMs);
        expect(count).toBeGreaterThanOrEqual(within(60_000));
        expect(count).toBeLessThanOrEqual(within(61_000));
        if (count > 0) {
          const seconds = counted.secondsUntilBelow(count, atMs);
          expect(seconds).toBeWithin(1, 62);
          const later = createMinuteCount(atMs, counted.ages(atMs));
          // The clock of another process has another beginning, so its seconds begin at another moment.
          expect(later.within(atMs)).toBe(count);
          expect(later.within(atMs + seconds * 1_000)).toBeLessThan(count);
        }
        // Another process continues the count.
        if (index % 10 === 9) counted = createMinuteCount(atMs, counted.ages(atMs));
      }
    }),
  );
});

test("a turn that is taken back does not count, and nothing below 0 is counted", () => {
  const counted = createMinuteCount(0);
  counted.takeBack();
  expect(counted.within(0)).toBe(0);
  counted.add(0);
  counted.add(500);
  counted.takeBack();
  expect(counted.within(500)).toBe(1);
  counted.takeBack();
  counted.takeBack();
  expect(counted.within(500)).toBe(0);
});
