// Forecasts of accounts with priorities and floors: their quota is spent in the order of the pool's choice.

import { describe, expect, test } from "bun:test";
import { accountForecast } from "../../../src/core/forecast/account-forecast.ts";
import type { WindowOutcome } from "../../../src/core/forecast/forecast.ts";
import { HOUR_MS } from "../../../src/core/forecast/meter-history.ts";
import { type ForecastMember, poolForecast } from "../../../src/core/forecast/pool-forecast.ts";
import { type SimulatedAccount, simulate } from "../../../src/core/forecast/simulate.ts";
import { DEFAULT_ORDER, type SpendingOrder } from "../../../src/core/forecast/spending-order.ts";
import { NO_WINDOWS } from "../../../src/core/windows.ts";
import { DAY_MS, finished, historyOf, MONDAY, steady, summaryOfWindow } from "./synthetic.ts";

const NOW = MONDAY + 2 * DAY_MS;
const OPTIONS = { nowMs: NOW, futures: 100 };

/** An account that uses one point of its weekly window per hour; 52 points are left. */
function member(order: Partial<SpendingOrder> = {}): ForecastMember {
  const { history, window } = historyOf(steady(1), "weekly", NOW);
  return {
    plan: "plus",
    windows: { ...NO_WINDOWS, weekly: summaryOfWindow(window) },
    histories: { ...NO_WINDOWS, weekly: history },
    inService: true,
    closedUntilMs: 0,
    order: { ...DEFAULT_ORDER, ...order },
  };
}

function hoursUntil(outcome: WindowOutcome): number {
  return outcome.kind === "reached" ? (outcome.likelyMs - NOW) / HOUR_MS : Number.NaN;
}

function poolHours(...members: readonly ForecastMember[]): number {
  return hoursUntil(finished(poolForecast(members, OPTIONS)).outcome);
}

function accountOutcome(floorWeekly: number) {
  const { windows, histories, order } = member({ floorWeekly });
  return accountForecast(windows, histories, { ...OPTIONS, ...(order === undefined ? {} : { order }) })[0];
}

describe("the forecast of an account", () => {
  test("says when its floor is reached", () => {
    const floor = accountOutcome(30);
    const limit = accountOutcome(0);
    if (floor === undefined || limit === undefined) throw new Error("there is no forecast");
    expect([floor.floor, limit.floor]).toEqual([30, undefined]);
    // 22 of 52 points are above the floor.
    expect(hoursUntil(floor.outcome)).toBeGreaterThan(16);
    expect(hoursUntil(floor.outcome)).toBeLessThan(30);
    expect(hoursUntil(floor.outcome)).toBeLessThan(hoursUntil(limit.outcome) - 16);
  });

  test("says that it is at its floor", () => {
    expect(accountOutcome(60)).toMatchObject({ floor: 60, outcome: { kind: "exhausted" } });
  });
});

describe("the forecast of the pool", () => {
  test("lasts until the floors if they are never spent", () => {
    const kept = { floorWeekly: 30, keepsFloors: true };
    const whole = poolHours(member(), member());
    expect(poolHours(member(kept), member(kept))).toBeLessThan(whole - 16);
    expect(finished(poolForecast([member({ ...kept, floorWeekly: 60 })], OPTIONS)).outcome).toEqual({
      kind: "exhausted",
    });
  });

  test("lasts as long as without floors if they are spent last", () => {
    const whole = poolHours(member(), member());
    const last = poolHours(member({ floorWeekly: 30 }), member({ floorWeekly: 10 }));
    expect(Math.abs(last - whole)).toBeLessThan(2);
  });
});

describe("a simulated pool", () => {
  const window = {
    meter: 0,
    left: 50,
    full: 100,
    floor: 0,
    resetAtMs: NOW + 200 * HOUR_MS,
    lengthMs: 7 * DAY_MS,
  };
  const account = (change: Partial<SimulatedAccount & { floor: number }> = {}): SimulatedAccount => {
    const { floor = 0, ...more } = change;
    return { size: 1, priority: 0, closedUntilMs: 0, windows: [{ ...window, floor }], ...more };
  };
  /** After how many hours each account runs out, and the pool, at ten points an hour. */
  const hours = (...accounts: readonly SimulatedAccount[]) => {
    const path = [new Float64Array(100).fill(10)];
    const { emptyMs, outMs } = simulate(accounts, path, {
      nowMs: NOW,
      untilMs: NOW + 99 * HOUR_MS,
      isPool: true,
    });
    return [...emptyMs.map(([ms = 0]) => ms), outMs].map((ms) => Math.round((ms - NOW) / HOUR_MS));
  };

  test("spends accounts with a higher priority first", () => {
    expect(hours(account(), account())).toEqual([10, 10, 10]);
    expect(hours(account(), account({ priority: 5 }))).toEqual([10, 5, 10]);
    expect(hours(account({ priority: -1 }), account(), account())).toEqual([15, 10, 10, 15]);
  });

  test("spends what is below the floors last, also that of a higher priority", () => {
    // 30 points above the floor of the first one, then the 50 of the second one, and then the floor.
    expect(hours(account({ priority: 5, floor: 20 }), account())).toEqual([10, 8, 10]);
    expect(hours(account({ floor: 20 }), account({ floor: 40, priority: 1 }))).toEqual([10, 8, 10]);
  });

  test("continues with an account that is reset in time", () => {
    const renewed = account({ windows: [{ ...window, resetAtMs: NOW + 9 * HOUR_MS }] });
    expect(hours(account(), renewed)[2]).toBeGreaterThan(18);
  });
});
