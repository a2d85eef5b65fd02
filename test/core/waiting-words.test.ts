import { expect, test } from "bun:test";
import { waitingWords } from "../../src/core/waiting-words.ts";

// Times of day are in the local time zone.
const NOW = new Date(2026, 10, 28, 1, 0).getTime();
const UNTIL = new Date(2026, 10, 28, 5, 41).getTime();

test.each([
  [{ turns: 0 }, undefined],
  [
    { turns: 2, untilMs: UNTIL, account: "alice", window: "daily" },
    "2 turns waiting for alice's 5h reset at 05:41",
  ],
  [{ turns: 1, untilMs: UNTIL, account: "alice" }, "1 turn waiting for alice's reset at 05:41"],
  [{ turns: 1, untilMs: UNTIL, window: "weekly" }, "1 turn waiting for a weekly reset at 05:41"],
  [
    { turns: 1, untilMs: UNTIL + 3 * 86_400_000, account: "bob", window: "weekly" },
    "1 turn waiting for bob's weekly reset on Tue at 05:41",
  ],
  [{ turns: 1, untilMs: UNTIL }, "1 turn waiting for the first reset at 05:41"],
])("%j", (waiting, words) => {
  expect(waitingWords(waiting, NOW)).toBe(words);
});
