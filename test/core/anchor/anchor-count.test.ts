import { expect, test } from "bun:test";
import {
  type AnchorCount,
  anchorsOn,
  countedAnchor,
  MOST_PER_DAY,
  mayAnchor,
} from "../../../src/core/anchor/anchor-count.ts";

const DAY = "2026-01-05";
const HOUR_MS = 3_600_000;

test("turns and tokens are counted by day", () => {
  const first = countedAnchor(undefined, DAY, 1_000);
  expect(first).toEqual({ day: DAY, turns: 1, tokens: 0, momentMs: 1_000 });
  const second = countedAnchor({ ...first, tokens: 40 }, DAY, 2_000);
  expect(second).toEqual({ day: DAY, turns: 2, tokens: 40, momentMs: 2_000 });
  expect(countedAnchor(second, "2026-01-06", 3_000)).toMatchObject({ turns: 1, tokens: 0 });
  expect(anchorsOn(second, DAY)).toMatchObject({ turns: 2, tokens: 40 });
  expect(anchorsOn(second, "2026-01-06")).toEqual({ turns: 0, tokens: 0 });
});

test("no second turn is sent for the same time", () => {
  const count = countedAnchor(undefined, DAY, HOUR_MS);
  expect(mayAnchor(undefined, DAY, HOUR_MS, HOUR_MS)).toBe(true);
  expect(mayAnchor(count, DAY, HOUR_MS, HOUR_MS)).toBe(false);
  // The time of an account moves a little when another one is added.
  expect(mayAnchor(count, DAY, 1.9 * HOUR_MS, 2 * HOUR_MS)).toBe(false);
  expect(mayAnchor(count, DAY, 2 * HOUR_MS, 2 * HOUR_MS)).toBe(true);
});

test("a time in the future does not count, because the clock was set back since", () => {
  expect(mayAnchor(countedAnchor(undefined, "2026-02-05", 9_000), DAY, 1_000, 1_500)).toBe(true);
});

test("the number of turns in a day is bounded", () => {
  let count: AnchorCount | undefined;
  for (let turn = 1; turn <= MOST_PER_DAY; turn++) {
    expect(mayAnchor(count, DAY, turn * HOUR_MS, turn * HOUR_MS)).toBe(true);
    count = countedAnchor(count, DAY, turn * HOUR_MS);
  }
  expect(mayAnchor(count, DAY, 10 * HOUR_MS, 10 * HOUR_MS)).toBe(false);
  expect(mayAnchor(count, "2026-01-06", 10 * HOUR_MS, 10 * HOUR_MS)).toBe(true);
});
