// The line that a wait shows on a terminal.

import { afterEach, beforeEach, expect, spyOn, test } from "bun:test";
import { startCountdown } from "../../../src/cli/wait/countdown.ts";
import { fakeClock } from "../../support/clock.ts";

let written: string[] = [];
let write: { mockRestore(): void };
beforeEach(() => {
  written = [];
  write = spyOn(process.stderr, "write").mockImplementation((text) => {
    written.push(String(text));
    return true;
  });
});
afterEach(() => write.mockRestore());

test("the first line has the time left if the reset is known", () => {
  const clock = fakeClock();
  using countdown = startCountdown(clock, true);
  countdown.until(clock.now() + 37_000);
  expect(written).toEqual(["  0:37 left (Ctrl-C stops)\r"]);
});

test("without a known reset it shows how long the wait has lasted", () => {
  using countdown = startCountdown(fakeClock(), true);
  countdown.until(undefined);
  expect(written).toEqual(["  waited 0:00 (Ctrl-C stops)\r"]);
});

test("it writes nothing without a terminal", () => {
  using countdown = startCountdown(fakeClock(), false);
  countdown.until(undefined);
  expect(written).toEqual([]);
});
