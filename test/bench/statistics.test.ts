// Tests the statistics of the benchmark, and its reader of profiles.

import { expect, test } from "bun:test";
import { functionTimes } from "../../scripts/bench/cpu-profile.ts";
import { median, quantile } from "../../scripts/bench/statistics.ts";

test("the median is the middle value, or the mean of the two in the middle", () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(median([10, 9])).toBe(9.5);
  expect(median([7])).toBe(7);
  expect(median([])).toBeNaN();
});

test("a quantile is one of the measured values", () => {
  const values = Array.from({ length: 100 }, (_, index) => 100 - index);
  expect(quantile(values, 0.5)).toBe(50);
  expect(quantile(values, 0.99)).toBe(99);
  expect(quantile(values, 1)).toBe(100);
  expect(quantile([5], 0.99)).toBe(5);
  expect(quantile([], 0.5)).toBeNaN();
});

test("a profile's time is added up by function, and recursion counts once", () => {
  const frame = (functionName: string, url: string, lineNumber: number) => ({
    functionName,
    url,
    lineNumber,
  });
  const profile = {
    nodes: [
      { id: 1, callFrame: frame("(root)", "", -1), children: [2] },
      { id: 2, callFrame: frame("walk", "file:///project/src/a.ts", 9), children: [3, 4] },
      { id: 3, callFrame: frame("walk", "file:///project/src/a.ts", 12) },
      { id: 4, callFrame: frame("", "file:///project/src/b.ts", 4) },
    ],
    samples: [2, 3, 3, 4],
    timeDeltas: [1_000, 2_000, 2_000, 500],
  };
  const times = functionTimes(profile, "/project");
  expect(times.find(({ name }) => name === "walk src/a.ts")).toMatchObject({ selfMs: 5, totalMs: 5.5 });
  expect(times.find(({ name }) => name === "(anonymous) src/b.ts:5")).toMatchObject({
    selfMs: 0.5,
    totalMs: 0.5,
  });
  expect(times.find(({ name }) => name === "(root)")).toMatchObject({ selfMs: 0, totalMs: 5.5 });
});
