// How long a turn may wait, from a setting or a flag.

import { expect, test } from "bun:test";
import { waitBoundOf } from "../../src/core/wait-bound.ts";

test.each([
  ["off", 0],
  ["45m", 45 * 60_000],
  ["7d", 7 * 24 * 3_600_000],
  ["168h", 7 * 24 * 3_600_000],
])("%s allows a wait", (text, ms) => {
  expect(waitBoundOf(text)).toBe(ms);
});

test.each(["0", "0s", "-1h", "169h", "8d", "", "6", "soon"])("%j is refused", (text) => {
  expect(waitBoundOf(text)).toBeUndefined();
});
