import { describe, expect, test } from "bun:test";
import { styleOf } from "../../../src/cli/terminal/glyphs.ts";
import { usageFrame } from "../../../src/cli/usage/usage-frame.ts";
import { periodOf } from "../../../src/cli/usage/usage-period.ts";
import { forecastReport } from "../../../src/core/forecast/forecast-report.ts";
import { startOfDay } from "../../../src/core/local-days.ts";
import type { StatusDocument } from "../../../src/core/status-schema.ts";
import { usageLines } from "../../../src/core/usage-lines.ts";
import type { UsageGrouping, UsageReport, UsageSums } from "../../../src/core/usage-report.ts";
import { usageCsv, usageTsv } from "../../../src/core/usage-text.ts";
import { compactNumber, shortDuration } from "../../../src/core/usage-words.ts";
import { hostile, unprintableIn } from "../../support/hostile-text.ts";
import { FORECAST, NOW as FORECAST_NOW } from "../../support/status-documents.ts";

// Forecasts show times in the local time zone.
process.env.TZ = "UTC";

const NOW = new Date(2026, 10, 28, 12).getTime();

const sums = (name: string, more: Partial<UsageSums> = {}): UsageSums => ({
  time: "",
  name,
  model: "gpt-6.2-sol",
  turns: 12,
  failed: 1,
  reported: 11,
  input: 1_234_567,
  cachedInput: 987_654,
  output: 45_678,
  reasoning: 1_234,
  firstOutputs: 11,
  firstOutputMs: 26_400,
  ...more,
});

function report(
  by: UsageGrouping,
  given: readonly UsageSums[],
  more: Partial<UsageReport> = {},
): UsageReport {
  return {
    since_ms: startOfDay(NOW, -2),
    until_ms: startOfDay(NOW, 1),
    by,
    recording: "recording",
    keep_days: 90,
    ...usageLines(given, by, {}),
    ...more,
  };
}

const frame = (columns: number) => ({ columns, style: styleOf({ colour: false, utf8: true }) });
const DAYS = [
  sums("2026-11-26"),
  sums("2026-11-28", { input: 617_000, cachedInput: 0 }),
  sums("2026-11-28", { model: "unheard-of", turns: 3, reported: 3, firstOutputs: 0, firstOutputMs: 0 }),
];

describe("the report on a terminal", () => {
  test("has a line for each day, also for those without turns, and a total", () => {
    expect(usageFrame(report("day", DAYS), frame(110), NOW)).toBe(`\
usage  26 Nov - 28 Nov  by day
DAY     TURNS  INPUT  CACHED  OUTPUT  REASONING  CACHE  FAILED  FIRST  EST. COST  TOKENS
26 Nov     12  1.23M    988k   45.7k      1.23k    80%       1  2.4 s      $1.05  ████████
27 Nov      0      0       0       0          0      -       0      -          -
28 Nov     15  1.85M    988k   91.4k      2.47k    53%       2  2.4 s     $1.69+  ████████████
total      27  3.09M   1.98M    137k      3.70k    64%       3  2.4 s     $2.74+
Cost: an estimate, at OpenAI's API prices of 2026-11-28.
+ Excludes 3 turns whose model has no known price.
`);
  });

  test("names the prices in config.toml if some turns have such a price", () => {
    const own = { "unheard-of": { input: 1, cachedInput: 1, output: 1 } };
    const text = (given: readonly UsageSums[]) =>
      usageFrame(report("day", given, usageLines(given, "day", own)), frame(110), NOW);
    expect(text(DAYS)).toEndWith(`
Cost: an estimate, at OpenAI's API prices of 2026-11-28.
A model with a price in config.toml counts at that price.
`);
    expect(text(DAYS.slice(0, 2))).toEndWith(`
Cost: an estimate, at OpenAI's API prices of 2026-11-28.
`);
  });

  test.each([60, 70, 80, 100, 140])("fits %i columns", (columns) => {
    for (const by of ["day", "project", "session", "model", "key", "account"] as const) {
      const names = by === "day" ? DAYS : [sums(""), sums("/home/ann/a-long-directory/with/a/project-name")];
      const lines = usageFrame(report(by, names), frame(columns), NOW).trimEnd().split("\n");
      for (const line of lines) expect(Bun.stringWidth(line)).toBeLessThanOrEqual(columns);
      for (const heading of ["TURNS", "INPUT", "OUTPUT", "EST. COST"]) expect(lines[1]).toContain(heading);
    }
  });

  test("names the project and the times of each session, and what the report is limited to", () => {
    const used = { project: "/home/ann/src/shop", firstMs: NOW - 50 * 3_600_000, lastMs: NOW - 60_000 };
    const given = [sums("0199f0a2-7c1e-7d33-9f00-000000000002", used)];
    const text = (columns: number) =>
      usageFrame(report("session", given), frame(columns), NOW, { account: "alice", project: "shop" });
    expect(text(200)).toStartWith("usage  26 Nov - 28 Nov  by session  only account alice, project shop\n");
    expect(text(200)).toContain("0199f0a2-7c1e  src/shop  26 Nov 10:00  11:59:00");
    expect(text(90)).toMatch(/^0199f0a2-7c1e {2}src\/shop /m);
  });

  test("shortens the directories of projects on a narrow terminal", () => {
    const text = usageFrame(report("project", [sums("/home/ann/source-code/work/shop")]), frame(60), NOW);
    expect(text.split("\n")[2]).toStartWith("work/shop ");
  });

  test("names one turn without a price in the singular", () => {
    const text = usageFrame(
      report("day", [sums("2026-11-28", { model: "new", reported: 1 })]),
      frame(80),
      NOW,
    );
    expect(text).toContain("+ Excludes 1 turn whose model");
  });

  test("says why a project is unknown", () => {
    expect(usageFrame(report("project", [sums("")]), frame(80), NOW)).toContain("Git repository");
    expect(usageFrame(report("project", [sums("/p")]), frame(80), NOW)).not.toContain("Git repository");
  });

  test.each([60, 80, 120])("shows the forecast below on %i columns", (columns) => {
    const forecast = forecastReport(FORECAST as StatusDocument, undefined);
    const text = usageFrame(report("day", DAYS, { forecast }), frame(columns), FORECAST_NOW);
    expect(text.slice(text.indexOf("\nforecast") + 1)).toMatchSnapshot();
    for (const line of text.split("\n")) expect(Bun.stringWidth(line)).toBeLessThanOrEqual(columns);
  });

  test("shows no forecast that knows nothing, and names accounts without figures", () => {
    const unknown = { outcome: "unknown", why: "little-history" };
    const pool = { ...unknown, until: 0, accounts: 1, left_out: 0 };
    const accounts = [{ alias: "alice", windows: [{ window: "weekly", ...unknown }] }];
    expect(usageFrame(report("day", DAYS, { forecast: { pool, accounts } }), frame(80), NOW)).not.toContain(
      "forecast",
    );
    const lasts = { ...pool, outcome: "lasts", left_out: 2 };
    expect(usageFrame(report("day", [], { forecast: { pool: lasts, accounts } }), frame(80), NOW)).toContain(
      "Not counted: 2 accounts without figures.",
    );
  });

  test("says that there are no turns, or why none are recorded", () => {
    expect(usageFrame(report("day", []), frame(80), NOW)).toBe(
      "usage  26 Nov - 28 Nov  by day\nno turns in this period\n",
    );
    expect(usageFrame(report("day", [], { recording: "off" }), frame(80), NOW)).toContain("usage.enabled");
    expect(usageFrame(report("day", [], { recording: "failing" }), frame(80), NOW)).toContain("doctor");
  });

  test("is safe for names that control a terminal", () => {
    const text = usageFrame(report("project", [sums(hostile("evil"))]), frame(100), NOW);
    expect(unprintableIn(text.replaceAll("\n", ""))).toEqual([]);
  });
});

describe("the report for scripts", () => {
  test("has the project and the times of sessions after the other columns", () => {
    const text = usageTsv(report("session", [sums("s1", { project: "/p", firstMs: 1, lastMs: 2 })]));
    const [head, line, total] = text.split("\n").map((row) => row.split("\t").slice(-4));
    expect([head, line, total]).toEqual([
      ["unpriced_turns", "project", "first_ms", "last_ms"],
      ["0", "/p", "1", "2"],
      ["0", "", "", ""],
    ]);
  });

  test("is a table with tabs, and its total", () => {
    expect(
      usageTsv(report("account", [sums("alice"), sums("", { input: 0, firstOutputs: 0, model: "x" })])),
    ).toBe(
      [
        "account\tturns\tinput_tokens\tcached_input_tokens\toutput_tokens\treasoning_tokens\tfailed\tfirst_output_ms\testimated_cost_usd\tunpriced_turns",
        "alice\t12\t1234567\t987654\t45678\t1234\t1\t2400\t1.049371\t0",
        "\t12\t0\t987654\t45678\t1234\t1\t\t0\t11",
        "total\t24\t1234567\t1975308\t91356\t2468\t2\t4800\t1.049371\t11",
        "",
      ].join("\n"),
    );
  });

  test("is CSV without a total, in which no name is a formula or a second cell", () => {
    const lines = usageCsv(report("project", [sums('=cmd|"x",1\n2')])).split("\n");
    expect(lines.length).toBe(3);
    expect(lines[1]).toStartWith(`"'=cmd|""x"",1 2",12,`);
  });
});

describe("the period", () => {
  const day = (date: number) => new Date(2026, 10, date).getTime();
  test.each([
    ["7d", undefined, day(22), day(29)],
    ["1w", undefined, day(22), day(29)],
    ["1d", undefined, day(28), day(29)],
    ["12h", undefined, NOW - 12 * 3_600_000, day(29)],
    ["2026-11-01", "2026-11-07", day(1), day(8)],
    ["2026-11-01T13:00", "2026-11-02T01:00", day(1) + 13 * 3_600_000, day(2) + 3_600_000],
  ])("from %s until %p", (since, until, sinceMs, untilMs) => {
    expect(periodOf(since, until, NOW)).toEqual({ sinceMs, untilMs });
  });

  test.each([
    ["2026-02-30", undefined],
    ["yesterday", undefined],
    ["2026-11-28", "2026-11-27"],
    ["99999w", undefined],
    ["0h", undefined],
    ["0h", "2026-11-28"],
    ["0d", undefined],
    ["2026-11-29", undefined],
  ])("refuses %s until %p", (since, until) => {
    expect(() => periodOf(since, until, NOW)).toThrow(expect.objectContaining({ code: "usage" }));
  });

  test.each(["yesterday", "2026-02-30", "99999w", "0h"])(
    "the error about --since %s names all forms",
    (since) => {
      const next = expect.stringMatching(/2026-11-28.*2026-11-28T13:00.*10m.*7d.*2w/);
      expect(() => periodOf(since, undefined, NOW)).toThrow(expect.objectContaining({ next }));
    },
  );
});

test.each([
  [0, "0"],
  [999, "999"],
  [999.6, "1.00k"],
  [12_345, "12.3k"],
  [999_500, "1.00M"],
  [1_999_999_999_999, "2000G"],
])("%p tokens are %s", (value, text) => {
  expect(compactNumber(value)).toBe(text);
});

test.each([
  [850, "850 ms"],
  [2_440, "2.4 s"],
  [75_000, "75 s"],
])("%p ms are %s", (ms, text) => {
  expect(shortDuration(ms)).toBe(text);
});
