// The reset of a window: shown while it is to come.

import { expect, test } from "bun:test";
import { windowCell } from "../../../src/cli/status/window-cell.ts";
import { styleOf } from "../../../src/cli/terminal/glyphs.ts";
import { relative } from "../../../src/core/status-words.ts";

const PLAIN = styleOf({ colour: false, utf8: false });
const NOW_MS = Date.UTC(2026, 0, 1);
const NOW_S = NOW_MS / 1000;

const cellOf = (resetAt: number) =>
  windowCell({ leftPct: 100, resetAt }, { bar: 0, hasReset: true }, PLAIN, NOW_MS);

test("a reset within a minute comes soon", () => {
  expect(cellOf(NOW_S + 1)).toBe("100% soon");
  expect(relative(NOW_S + 1, NOW_MS)).toBe("soon");
});

test.each([0, 51, 3_600])("a reset that was %i s ago is not shown as one to come", (ago) => {
  expect(cellOf(NOW_S - ago)).toBe("100%");
  expect(relative(NOW_S - ago, NOW_MS)).toBe("-");
});
