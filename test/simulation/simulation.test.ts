import { beforeAll, expect, test } from "bun:test";
import { table } from "../../src/cli/terminal/table.ts";
import { compare, comparisonRows, type Line, policyName, SIZES } from "./compare.ts";

let lines: Line[] = [];

beforeAll(() => {
  lines = compare();
  console.log(table(comparisonRows(lines)));
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

test("the same seed gives the same figures", () => {
  expect(compare()).toEqual(lines);
});
