import { describe, expect, test } from "bun:test";
import { PoolForecastAnswer, WindowForecastAnswer } from "../../../src/core/forecast/forecast-schema.ts";
import {
  forecastLines,
  limitName,
  paceWords,
  poolWords,
  windowWords,
} from "../../../src/core/forecast/forecast-words.ts";
import { StatusAnswer } from "../../../src/core/status-schema.ts";
import { FORECAST, NOW } from "../../support/status-documents.ts";

// Forecasts show times in the local time zone.
process.env.TZ = "UTC";

/** Friday, 2 January 2026, 03:04:05. */
const at = (hours: number) => NOW / 1000 + hours * 3_600;
const windowOf = (fields: object) =>
  WindowForecastAnswer.parse({ window: "weekly", outcome: "reached", ...fields });
const poolOf = (fields: object) =>
  PoolForecastAnswer.parse({ outcome: "reached", until: at(168), ...fields });

describe("the words of a forecast", () => {
  test("name the likely time and the interval, the longest wording first", () => {
    const known = { likely_at: at(40), earliest_at: at(20), latest_at: at(70) };
    expect(windowWords(windowOf(known), NOW)).toEqual([
      "reached Sat 19:00 (between 23:00 and Mon 01:00)",
      "reached Sat 19:00 (23:00 - Mon 01:00)",
      "reached Sat 19:00",
    ]);
    expect(poolWords(poolOf({ ...known, latest_at: undefined }), NOW)).toEqual([
      "lasts until Sat 19:00 (between 23:00 and 9 Jan or later)",
      "lasts until Sat 19:00 (23:00 - 9 Jan or later)",
      "lasts until Sat 19:00",
    ]);
  });

  test("name the floor of a window that has one", () => {
    const words = (fields: object) => windowWords(windowOf({ floor_pct: 20, ...fields }), NOW)[0];
    expect(words({ likely_at: at(40), earliest_at: at(20), latest_at: at(70) })).toBe(
      "floor of 20 % reached Sat 19:00 (between 23:00 and Mon 01:00)",
    );
    expect(words({ outcome: "lasts" })).toBe("stays above its floor until the reset");
    expect(words({ outcome: "lasts", earliest_at: at(30) })).toBe(
      "probably stays above its floor until the reset; floor of 20 % reached Sat 09:00 at the earliest",
    );
    expect(words({ outcome: "exhausted" })).toBe("at its floor of 20 %");
  });

  test("round times, the more the farther away they are", () => {
    const likely = (hours: number) =>
      windowWords(windowOf({ likely_at: at(hours), earliest_at: at(0) }), NOW)[2];
    expect([0.5, 7, 30, 24 * 6.5].map(likely)).toEqual([
      "reached 03:30",
      "reached 10:00",
      "reached Sat 09:00",
      "reached 8 Jan",
    ]);
  });

  test("say that the reset comes first, that nothing is left, and what is missing", () => {
    const outcome = (fields: object) => windowWords(windowOf(fields), NOW)[0];
    expect(outcome({ outcome: "lasts" })).toBe("lasts until the reset");
    expect(outcome({ outcome: "lasts", earliest_at: at(30) })).toBe(
      "probably lasts until the reset; reached Sat 09:00 at the earliest",
    );
    expect(outcome({ outcome: "exhausted" })).toBe("exhausted");
    expect(outcome({ outcome: "unknown", why: "little-history" })).toBe("unknown: not enough history yet");
    expect(outcome({ outcome: "unknown", why: "no-figures" })).toBe("unknown: no figures yet");
    expect(outcome({ outcome: "a newer one" })).toBe("unknown: not enough history yet");
    expect(poolWords(poolOf({ outcome: "lasts" }), NOW)[0]).toBe("lasts until 9 Jan or longer");
  });

  test("have a burn rate for each kind of window", () => {
    const pace = (window: string, rate?: number) => paceWords(windowOf({ window, percent_per_hour: rate }));
    expect([
      pace("daily", 22.4),
      pace("weekly", 0.6),
      pace("weekly", 0.01),
      pace("weekly", 0),
      pace("weekly"),
    ]).toEqual(["22%/h", "14%/day", "<1%/day", "0%/day", "-"]);
    expect(limitName(windowOf({ window: "daily" }))).toBe("5h limit");
    expect(limitName(windowOf({ window: "a newer one" }))).toBe("a newer one");
  });

  test("list the pool, and the accounts by time, without those that have nothing left", () => {
    expect(forecastLines(FORECAST, NOW).map(({ name }) => name)).toEqual([
      "pool",
      "alice, 5h limit",
      "alice, Weekly limit",
    ]);
    const low = FORECAST.accounts.map((account) => ({ ...account, at_floor: ["weekly"] }));
    expect(forecastLines({ ...FORECAST, accounts: low }, NOW).map(({ name }) => name)).toEqual(["pool"]);
    const spent = FORECAST.accounts.map((account) => ({ ...account, daily_left_pct: 0 }));
    expect(forecastLines({ ...FORECAST, accounts: spent }, NOW).map(({ name }) => name)).toEqual(["pool"]);
  });

  test("leave out the pool of one account, and times that have passed", () => {
    const { forecast } = FORECAST;
    const one = StatusAnswer.parse({ ...FORECAST, forecast: { ...forecast, accounts: 1 } });
    expect(forecastLines(one, NOW)[0]?.name).toBe("alice, 5h limit");
    expect(forecastLines(FORECAST, NOW + 90 * 3_600_000)).toEqual([]);
  });
});
