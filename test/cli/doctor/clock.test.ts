import { expect, test } from "bun:test";
import { examineClock } from "../../../src/cli/doctor/clock.ts";

const DATE = "Sat, 28 Nov 2026 05:00:00 GMT";
const DATE_MS = Date.parse(DATE);

/** The findings for a response requested `offsetMs` after the backend's date that took 2 s. */
function detailAt(offsetMs: number, headers: Record<string, string> = { date: DATE }): string | undefined {
  const askedMs = DATE_MS + offsetMs;
  return examineClock({ headers: new Headers(headers), askedMs, answeredMs: askedMs + 2_000 })[0]?.detail;
}

test("doctor warns of a clock that differs from the backend's by a minute or more, however long the response took", () => {
  expect(detailAt(0)).toBeUndefined();
  expect(detailAt(60_999)).toBeUndefined();
  expect(detailAt(61_000)).toBe("this machine's clock is 60 s ahead of the backend's");
  expect(detailAt(-61_999)).toBeUndefined();
  expect(detailAt(-62_000)).toBe("this machine's clock is 60 s behind the backend's");
});

test("doctor shows the difference in a suitable unit", () => {
  expect(detailAt(301_000)).toBe("this machine's clock is 5 min ahead of the backend's");
  expect(detailAt(-5 * 3_600_000)).toBe("this machine's clock is 5 h behind the backend's");
  expect(detailAt(9 * 86_400_000)).toBe("this machine's clock is 9 days ahead of the backend's");
});

test("doctor ignores a date that is missing, unreadable or from a cache", () => {
  expect(detailAt(9 * 86_400_000, {})).toBeUndefined();
  expect(detailAt(9 * 86_400_000, { date: "yesterday" })).toBeUndefined();
  expect(detailAt(9 * 86_400_000, { date: DATE, age: "700000" })).toBeUndefined();
});
