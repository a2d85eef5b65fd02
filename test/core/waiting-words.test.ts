import { expect, test } from "bun:test";
import { waitingWords } from "../../src/core/waiting-words.ts";

// Times of day are in the local time zone.
const NOW = new Date(2026, 10, 28, 1, 0).getTime();
const UNTIL = new Date(2026, 10, 28, 5, 41).getTime();

test.each([
  [{ turns: 0 }, undefined],
  [
    { turns: 2, untilMs: UNTIL, account: "alice", window: "daily" },
    "2 turns waiting for alice's 5h limit, 05:41",
  ],
  [{ turns: 1, untilMs: UNTIL, account: "alice" }, "1 turn waiting for alice's reset, 05:41"],
  [{ turns: 1, untilMs: UNTIL, window: "weekly" }, "1 turn waiting for a Weekly limit, 05:41"],
  [{ turns: 1, untilMs: UNTIL }, "1 turn waiting for the first reset, 05:41"],
])("%j", (waiting, words) => {
  expect(waitingWords(waiting, NOW)).toBe(words);
});
