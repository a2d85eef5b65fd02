import { beforeAll, expect, test } from "bun:test";
import { table } from "../../src/cli/terminal/table.ts";
import { compare, comparisonRows, type Line, policyName, SIZES } from "./compare.ts";
import { compareOptions, OPTION_SIZES, type OptionLine, optionRows } from "./compare-options.ts";

let lines: Line[] = [];
let optionLines: OptionLine[] = [];

beforeAll(() => {
  lines = compare();
  console.log(table(comparisonRows(lines)));
  optionLines = compareOptions();
  console.log(table(optionRows(optionLines)));
});

const line = (accounts: number, policy: string): Line => {
  const found = lines.find((one) => one.accounts === accounts && one.policy === policy);
  if (found === undefined) throw new Error(`no line for ${policy} with ${accounts} accounts`);
  return found;
};

test("no policy refuses a turn while an account has room", () => {
  expect(lines.length).toBe(SIZES.length * 6);
  for (const { turns, refusedWithRoom } of lines) {
    expect(turns).toBeGreaterThan(1_000);
    expect(refusedWithRoom).toBe(0);
  }
});

test("reset_aware lets less expire at resets than usage_balanced, for every size of the pool", () => {
  for (const accounts of SIZES)
    expect(line(accounts, "reset_aware").wasted).toBeLessThan(line(accounts, "usage_balanced").wasted);
});

test("with affinity, more turns hit the prompt cache and sessions move less often", () => {
  for (const accounts of SIZES) {
    const kept = line(accounts, "usage_balanced");
    const lost = line(accounts, policyName("usage_balanced", false));
    expect(kept.cacheHits).toBeGreaterThan(lost.cacheHits);
    expect(kept.moves).toBeLessThan(lost.moves);
  }
});

test("priorities and floors refuse no turn with room, and no floor is crossed while another account has room", () => {
  expect(optionLines.length).toBe(OPTION_SIZES.length * 7);
  for (const { setting, refusedWithRoom, crossedWithRoom } of optionLines)
    expect([setting, refusedWithRoom, crossedWithRoom]).toEqual([setting, 0, 0]);
});

test("a floor that is never spent leaves that much of the week, and a priority attracts turns", () => {
  for (const accounts of OPTION_SIZES) {
    const of = (setting: string) => {
      const found = optionLines.find((one) => one.accounts === accounts && one.setting === setting);
      if (found === undefined) throw new Error(`no line for ${setting}`);
      return found;
    };
    expect(of("the same, never spent").leastOfFirst).toBeGreaterThan(0.2);
    expect(of("first: priority 1").onFirst).toBeGreaterThan(of("none").onFirst);
    expect(of("first: priority -1").onFirst).toBeLessThan(of("none").onFirst);
  }
});

test("the same seed gives the same figures", () => {
  expect(compare()).toEqual(lines);
  expect(compareOptions()).toEqual(optionLines);
});
