import { describe, expect, test } from "bun:test";
import { startOfDay } from "../../src/core/local-days.ts";
import { usageLines } from "../../src/core/usage-lines.ts";
import type { UsageSums } from "../../src/core/usage-report.ts";
import { MOST_SERIES, partStarts, usageTimeline } from "../../src/core/usage-timeline.ts";

const NOW = new Date(2026, 10, 28, 12, 30).getTime();

const sums = (name: string, time: string, more: Partial<UsageSums> = {}): UsageSums => ({
  time,
  name,
  model: "gpt-6.2-sol",
  turns: 1,
  failed: 0,
  reported: 1,
  input: 1_000,
  cachedInput: 0,
  output: 100,
  reasoning: 0,
  firstOutputs: 1,
  firstOutputMs: 500,
  ...more,
});

function timeline(given: readonly UsageSums[], starts: readonly string[]) {
  const { lines, total } = usageLines(given, "account", {});
  return { lines, total, ...usageTimeline(given, starts, lines, {}) };
}

describe("the parts of a period", () => {
  const untilMs = startOfDay(NOW, 1);

  test("are hours, also the current one", () => {
    const starts = partStarts({ sinceMs: NOW - 24 * 3_600_000, untilMs }, 0, NOW);
    expect([starts.length, starts[0], starts.at(-1)]).toEqual([25, "2026-11-27T12:00", "2026-11-28T12:00"]);
  });

  test("are days, and weeks that end today", () => {
    const days = partStarts({ sinceMs: startOfDay(NOW, -6), untilMs }, 1, NOW);
    expect([days.length, days[0], days.at(-1)]).toEqual([7, "2026-11-22", "2026-11-28"]);
    const weeks = partStarts({ sinceMs: startOfDay(NOW, -363), untilMs }, 7, NOW);
    expect([weeks.length, weeks[0], weeks.at(-1)]).toEqual([52, "2025-11-30", "2026-11-22"]);
  });
});

describe("the series", () => {
  test("have the figures of each part, and nothing is lost", () => {
    const { series, total, totals } = timeline(
      [
        sums("alice", "2026-11-22"),
        sums("alice", "2026-11-27", { model: "unheard-of" }),
        sums("bob", "2026-11-28", { failed: 1 }),
        // A day that began before the period.
        sums("bob", "2026-11-01"),
      ],
      ["2026-11-15", "2026-11-22"],
    );
    expect(series.map(({ name, parts }) => [name, ...parts.map(({ turns }) => turns)])).toEqual([
      ["alice", 0, 2],
      ["bob", 1, 1],
    ]);
    expect(series[0]?.parts[1]).toMatchObject({ name: "2026-11-22", input_tokens: 2_000, unpriced_turns: 1 });
    expect(series.map((one) => one.total.turns)).toEqual([2, 2]);
    expect(totals.map(({ name, turns, failed }) => [name, turns, failed])).toEqual([
      ["2026-11-15", 1, 0],
      ["2026-11-22", 3, 1],
    ]);
    const parts = series.flatMap((one) => one.parts);
    const sum = (key: "turns" | "failed" | "estimated_cost_usd") =>
      parts.reduce((all, part) => all + part[key], 0);
    expect([sum("turns"), sum("failed")]).toEqual([total.turns, total.failed]);
    expect(sum("estimated_cost_usd")).toBeCloseTo(total.estimated_cost_usd);
  });

  test("are the largest groups, and one for the others", () => {
    const many = Array.from({ length: 12 }, (_, index) =>
      sums(`account-${index}`, "2026-11-28", { input: 10_000 - index }),
    );
    const { series } = timeline(many, ["2026-11-28"]);
    expect(series.map(({ name }) => name)).toEqual([
      ...Array.from({ length: MOST_SERIES }, (_, index) => `account-${index}`),
      "other (5)",
    ]);
    expect(series.at(-1)?.parts[0]?.turns).toBe(12 - MOST_SERIES);
  });
});
