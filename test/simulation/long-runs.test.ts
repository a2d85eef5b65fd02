import { describe, expect, test } from "bun:test";
import { table } from "../../src/cli/terminal/table.ts";
import { type AnchorLine, anchorRows } from "./compare-anchoring.ts";
import { type OptionLine, optionRows } from "./compare-options.ts";
import { LONG_SIZES, runLong, SHORT_SIZES, storedLongRuns } from "./long-runs.ts";

const stored = storedLongRuns();
const isShort = ({ accounts }: { readonly accounts: number }) =>
  (SHORT_SIZES as readonly number[]).includes(accounts);

test("a run of the small simulations gives the stored figures (run make simulate)", () => {
  console.log(table(optionRows(stored.options)));
  console.log(table(anchorRows(stored.anchoring)));
  expect(runLong(SHORT_SIZES)).toEqual({
    options: stored.options.filter(isShort),
    anchoring: stored.anchoring.filter(isShort),
  });
});

describe("priorities and floors", () => {
  const of = (accounts: number, setting: string): OptionLine => {
    const found = stored.options.find((one) => one.accounts === accounts && one.setting === setting);
    if (found === undefined) throw new Error(`no line for ${setting} with ${accounts} accounts`);
    return found;
  };

  test("refuse no turn with room, and no floor is crossed while another account has room", () => {
    expect(stored.options.length).toBe(LONG_SIZES.length * 7);
    for (const { setting, turns, refusedWithRoom, crossedWithRoom } of stored.options) {
      expect(turns).toBeGreaterThan(1_000);
      expect([setting, refusedWithRoom, crossedWithRoom]).toEqual([setting, 0, 0]);
    }
  });

  test("a floor that is never spent leaves that much of the week, and a priority attracts turns", () => {
    for (const accounts of LONG_SIZES) {
      expect(of(accounts, "the same, never spent").leastOfFirst).toBeGreaterThan(0.2);
      expect(of(accounts, "first: priority 1").onFirst).toBeGreaterThan(of(accounts, "none").onFirst);
      expect(of(accounts, "first: priority -1").onFirst).toBeLessThan(of(accounts, "none").onFirst);
    }
  });
});

describe("anchoring", () => {
  const linesOf = (accounts: number, work: string): AnchorLine[] =>
    stored.anchoring.filter((one) => one.accounts === accounts && one.work === work);
  const refusedIn = (accounts: number, work: string, anchored: string): number => {
    const found = linesOf(accounts, work).find((one) => one.anchored === anchored);
    if (found === undefined) throw new Error(`no line for ${work} with ${accounts} accounts`);
    return found.refused;
  };

  test("refuses no turn with room", () => {
    expect(stored.anchoring.length).toBe(LONG_SIZES.length * 13);
    for (const { work, anchored, refusedWithRoom } of stored.anchoring)
      expect([work, anchored, refusedWithRoom]).toEqual([work, anchored, 0]);
  });

  test("refuses fewer turns in short working days, staggered or with resets in the middle of the day", () => {
    const gains = [
      ["9-17, 5 days", "07:00, staggered"],
      ["9-17, 5 days", "08:00, all"],
      ["9-17, 5 days, monthly windows", "07:00, staggered"],
      ["9-17, 5 days, monthly windows", "08:00, all"],
      ["19-23, 5 days", "16:00, all"],
    ] as const;
    for (const accounts of LONG_SIZES)
      for (const [work, anchored] of gains)
        expect(refusedIn(accounts, work, anchored)).toBeLessThan(refusedIn(accounts, work, "never"));
  });

  test("sends at most one turn for each account and day, and none without it", () => {
    for (const { accounts, anchored, anchors } of stored.anchoring)
      if (anchored === "never") expect(anchors).toBe(0);
      else expect(anchors).toBeLessThanOrEqual(accounts * 28);
  });
});
