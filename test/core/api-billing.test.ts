// What an API key has spent: months, amounts as text, and the capacity that follows.

import { describe, expect, test } from "bun:test";
import { capProblem } from "../../src/core/account-options.ts";
import {
  estimatedUsd,
  newBilling,
  nextMonthMs,
  spentUsd,
  usdIn,
  withReserved,
  withSpent,
} from "../../src/core/api-billing.ts";
import { capacityOfApi } from "../../src/core/api-capacity.ts";

const NOVEMBER = Date.parse("2026-11-30T23:59:59Z");
const DECEMBER = Date.parse("2026-12-01T00:00:00Z");
const NEW = newBilling("https://api.example.com/v1");

describe("what was spent", () => {
  test("belongs to its month, which begins at 00:00 UTC", () => {
    const billing = withSpent(withSpent(NEW, 3, NOVEMBER), 2, NOVEMBER);
    expect(billing.month).toBe("2026-11");
    expect([spentUsd(billing, NOVEMBER), spentUsd(billing, DECEMBER)]).toEqual([5, 0]);
    expect(withSpent(billing, 1, DECEMBER)).toMatchObject({ month: "2026-12", spentUsd: 1 });
    expect(nextMonthMs(NOVEMBER)).toBe(DECEMBER);
  });

  test("still counts after the clock was set back", () => {
    const billing = withSpent(NEW, 3, DECEMBER);
    expect(spentUsd(billing, NOVEMBER)).toBe(3);
    expect(withSpent(billing, 1, NOVEMBER)).toMatchObject({ month: "2026-12", spentUsd: 4 });
  });

  test("can be corrected, but not below zero", () => {
    expect(withSpent(withSpent(NEW, 1, NOVEMBER), -3, NOVEMBER).spentUsd).toBe(0);
    expect(withReserved(withReserved(NEW, 1), -2).reservedUsd).toBe(0);
  });
});

test("the estimate of a turn assumes that nothing is cached and that the answer is short", () => {
  expect(estimatedUsd(2_000_000, { input: 2, cachedInput: 0.2, output: 10 })).toBeCloseTo(2.01, 9);
});

test("an amount is a number of dollars with cents, with or without a unit", () => {
  expect(["20usd", "20 USD", "$20", "20", " 0.50 ", "1000000"].map(usdIn)).toEqual([
    20, 20, 20, 20, 0.5, 1_000_000,
  ]);
  expect(["", "0", "-1", "1.234", "20eur", "1e9", "usd", "NaN"].map(usdIn)).toEqual(Array(8).fill(undefined));
});

test("the message about a wrong cap names the amounts that are allowed", () => {
  expect([0.01, 1_000_000].map(capProblem)).toEqual([undefined, undefined]);
  expect(capProblem(1_000_001)).toBe(
    "must be an amount from 0.01 to 1000000 USD in whole cents, such as 20usd",
  );
});

describe("the capacity", () => {
  const conditionOf = (spent: number, reserved: number, cap: number) => {
    const { condition, why, untilMs } = capacityOfApi(
      withReserved(withSpent(NEW, spent, NOVEMBER), reserved),
      cap,
      NOVEMBER,
    );
    return [condition, why, untilMs];
  };

  test("is the last resort below the cap", () => {
    expect(conditionOf(4.99, 0, 5)).toEqual(["last_resort", undefined, 0]);
  });

  test("is none once the cap is reached until the next month, or while the turns in flight may reach it", () => {
    expect(conditionOf(5, 0, 5)).toEqual(["limited", "monthly-cap", DECEMBER]);
    expect(conditionOf(4, 1, 5)).toEqual(["limited", "monthly-cap-reserved", 0]);
  });

  test("is none without a cap", () => {
    expect(conditionOf(0, 0, 0)).toEqual(["limited", "no-monthly-cap", 0]);
  });
});
