import { expect, test } from "bun:test";
import { axisTicks, labelledParts } from "../../src/dashboard/page/parts/chart-scale.ts";

test.each([
  [0, 1, [0, 1]],
  [1, 1, [0, 1]],
  [3, 1, [0, 1, 2, 3]],
  [7, 1, [0, 2, 4, 6, 8]],
  [4_000_000, 1, [0, 1_000_000, 2_000_000, 3_000_000, 4_000_000]],
  [0.004, 0.01, [0, 0.01]],
  [1.1, 0.01, [0, 0.5, 1, 1.5]],
])("the values at the side of a chart up to %p are round, and at most five", (highest, least, ticks) => {
  const found = axisTicks(highest, 4, least);
  expect(found.map((value) => Number(value.toFixed(6)))).toEqual(ticks);
});

test("labels have room, and the last part always has one", () => {
  expect(labelledParts(7, 100, 62)).toEqual([0, 1, 2, 3, 4, 5, 6]);
  expect(labelledParts(7, 30, 62)).toEqual([0, 3, 6]);
  expect(labelledParts(90, 3, 62)).toEqual([5, 26, 47, 68, 89]);
  expect(labelledParts(1, 0, 62)).toEqual([0]);
});
