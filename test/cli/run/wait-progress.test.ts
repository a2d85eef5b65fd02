// What a run with --wait prints about its turns that wait.

import { afterEach, beforeEach, expect, jest, test } from "bun:test";
import { showWaiting } from "../../../src/cli/run/wait-progress.ts";
import type { WaitingSummary } from "../../../src/core/run-tag.ts";
import { fakeClock } from "../../support/clock.ts";

/** Longer than the time between two questions to the proxy. */
const NEXT_ASK_MS = 2_100;

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

/** The lines that are printed while the proxy answers `answers`, one after the other. */
async function linesFor(answers: readonly WaitingSummary[]): Promise<string[]> {
  const lines: string[] = [];
  let asked = 0;
  const progress = showWaiting({
    deps: {
      clock: fakeClock(),
      log: { info: (line) => void lines.push(line), warn: (line) => void lines.push(line) },
    },
    traffic: async () => ({ requests: 1, turns: 1, waiting: answers[asked++] }),
    isShown: true,
    isTerminal: false,
  });
  while (asked < answers.length) {
    jest.advanceTimersByTime(NEXT_ASK_MS);
    await Promise.resolve();
    await Promise.resolve();
  }
  progress.stop();
  return lines;
}

const WAITS: WaitingSummary = {
  turns: 1,
  untilMs: fakeClock().now() + 30_000,
  account: "alice",
  window: "daily",
};
const WAITING_LINE = "every account is exhausted; waiting for alice's 5h reset in 30 s";

test("a turn that continues is reported once", async () => {
  const resumed = { turns: 0, resumed: 1 };
  expect(await linesFor([WAITS, WAITS, resumed, resumed])).toEqual([
    WAITING_LINE,
    "the wait is over; Codex continues",
  ]);
});

test("a turn that has ended since, or was refused again, is not reported as continuing", async () => {
  const ended = { turns: 0 };
  expect(await linesFor([WAITS, ended, ended])).toEqual([WAITING_LINE]);
});
