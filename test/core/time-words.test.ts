import { expect, test } from "bun:test";
import { ago, backWords, resetAt, shortUntil, until } from "../../src/core/time-words.ts";

process.env.TZ = "UTC";

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);
const [SECOND, MINUTE, HOUR, DAY] = [1000, 60_000, 3_600_000, 86_400_000];

test("a time ahead gets coarser with its distance, and then becomes a date", () => {
  const words = (ms: number) => [until(NOW + ms, NOW), shortUntil(NOW + ms, NOW)];
  expect(
    [-HOUR, 59 * SECOND, 5 * MINUTE, 47 * HOUR, 3 * DAY, 60 * DAY, 61 * DAY, 1206 * DAY].map(words),
  ).toEqual([
    ["soon", "soon"],
    ["soon", "soon"],
    ["in 5 min", "5m"],
    ["in 47 h", "47h"],
    ["in 3 days", "3d"],
    ["in 60 days", "60d"],
    ["on 4 Mar", ">60d"],
    ["on 22 Apr 2029", ">60d"],
  ]);
});

test("the end of a cooldown is a time of day, a weekday, or a date", () => {
  const words = (ms: number) => backWords(NOW + ms, NOW);
  expect(words(30 * SECOND)).toEqual(["back in 30 s"]);
  expect(words(4 * HOUR)).toEqual(["back at 07:04 (in 4 h)", "back at 07:04", "back 07:04"]);
  expect(words(4 * DAY)).toEqual(["back Tue 03:04 (in 4 days)", "back Tue 03:04", "back Tue"]);
  expect(words(20 * DAY)).toEqual(["back on 22 Jan (in 20 days)", "back 22 Jan"]);
  expect(words(1206 * DAY)).toEqual(["back on 22 Apr 2029", "back in 2029"]);
});

test("a reset is named with its preposition", () => {
  const words = [30 * SECOND, 4 * HOUR, 4 * DAY, 20 * DAY, 1206 * DAY].map((ms) => resetAt(NOW + ms, NOW));
  expect(words).toEqual(["in 30 s", "at 07:04", "on Tue at 03:04", "on 22 Jan", "on 22 Apr 2029"]);
});

test("a time that has passed", () => {
  expect(
    [0, NOW - 59 * SECOND, NOW - 2 * MINUTE, NOW - 3 * HOUR, NOW - 4 * DAY].map((at) => ago(at, NOW)),
  ).toEqual(["never", "a moment ago", "2 min ago", "3 h ago", "4 days ago"]);
});
