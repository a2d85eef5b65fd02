import { expect, test } from "bun:test";
import { accountChanges } from "../../../src/core/replay/account-changes.ts";
import { type RecordedTurn, recordedCost, replayTurns } from "../../../src/core/replay/recorded-turn.ts";

const PRICES = { m: { input: 10, cachedInput: 1, output: 100 } };

const turn = (more: Partial<RecordedTurn> = {}): RecordedTurn => ({
  startedMs: 1_000,
  durationMs: 500,
  session: "s",
  model: "m",
  account: "alice",
  tokens: { input: 100_000, cachedInput: 80_000, output: 1_000, reasoning: 500 },
  ...more,
});

/** 20,000 tokens of new input, 80,000 from the cache, and the output. */
const RECORDED_USD = 0.2 + 0.08 + 0.1;
/** The same with nothing from the cache. */
const COLD_USD = 1 + 0.1;

test("a turn costs the same if its session stays, and is charged for all of its input after a move", () => {
  const [first, second] = replayTurns([turn(), turn({ startedMs: 2_000 })], PRICES);
  expect(recordedCost(turn(), PRICES)).toBeCloseTo(RECORDED_USD, 9);
  expect(second).toMatchObject({ atMs: 2_000, endMs: 2_500, inputTokens: 100_000, isPriced: true });
  expect(second?.warm).toEqual({ usd: expect.closeTo(RECORDED_USD, 9), cachedTokens: 80_000 });
  expect(second?.cold).toEqual({ usd: expect.closeTo(COLD_USD, 9), cachedTokens: 0 });
  // For a session's first turn, the cache contains what other sessions have left there.
  expect(first?.cold).toEqual({ usd: expect.closeTo(RECORDED_USD, 9), cachedTokens: 80_000 });
});

test("a turn that was recorded after a move would have had the input of the turn before in the cache", () => {
  const cold = { input: 120_000, cachedInput: 0, output: 1_000, reasoning: 0 };
  const [, second] = replayTurns([turn(), turn({ account: "bob", tokens: cold })], PRICES);
  expect(second?.warm.cachedTokens).toBe(100_000);
});

test("a refused turn has the tokens of an average turn, and costs nothing where it was refused", () => {
  const refused = turn({ account: undefined, tokens: undefined, session: "t" });
  expect(recordedCost(refused, PRICES)).toBe(0);
  const [, second] = replayTurns([turn(), refused], PRICES);
  expect(second?.inputTokens).toBe(100_000);
  expect(second?.cold.usd).toBeCloseTo(RECORDED_USD, 9);
});

test("a turn for a model without a price counts as one for gpt-6.2-sol, and is marked", () => {
  const [first] = replayTurns([turn({ model: "unheard" })], {});
  expect(first?.isPriced).toBe(false);
  expect(first?.warm.usd).toBeCloseTo(0.04 + 0.008 + 0.01, 9);
});

test("changes of accounts are read in their order", () => {
  expect(accountChanges(" -bob, +Plus ,+=alice,")).toEqual([
    { kind: "without", alias: "bob" },
    { kind: "plan", plan: "plus" },
    { kind: "copy", alias: "alice" },
  ]);
  expect(accountChanges("")).toEqual([]);
  for (const wrong of ["bob", "-", "+", "=alice"])
    expect(accountChanges(`+plus,${wrong}`)).toEqual({ wrong });
});
