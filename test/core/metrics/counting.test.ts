import { expect, test } from "bun:test";
import { createCounter } from "../../../src/core/metrics/counter.ts";
import { createHistogram } from "../../../src/core/metrics/histogram.ts";

test("a counter counts each combination of values", () => {
  const counter = createCounter();
  counter.add(["a", "b"]);
  counter.add(["a", "b"], 2);
  counter.add(["a", "c"], 0);
  counter.add(["ab", ""]);
  expect(counter.counts()).toEqual([
    { values: ["a", "b"], count: 3 },
    { values: ["a", "c"], count: 0 },
    { values: ["ab", ""], count: 1 },
  ]);
});

test("a histogram counts a duration in every bound that is not shorter", () => {
  const histogram = createHistogram([0.1, 1, 10]);
  expect(histogram.read()).toEqual({ upTo: [0, 0, 0], count: 0, sum: 0 });
  for (const seconds of [0, 0.1, 0.5, 10, 11]) histogram.observe(seconds);
  expect(histogram.read()).toEqual({ upTo: [2, 3, 4], count: 5, sum: 21.6 });
});
