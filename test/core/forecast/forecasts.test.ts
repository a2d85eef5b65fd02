// Forecasts for histories whose future is clear.

import { describe, expect, test } from "bun:test";
import { accountForecast } from "../../../src/core/forecast/account-forecast.ts";
import { completeHistories } from "../../../src/core/forecast/complete-histories.ts";
import type { WindowForecast, WindowOutcome } from "../../../src/core/forecast/forecast.ts";
import { HOUR_MS, type MeterHistory, observed } from "../../../src/core/forecast/meter-history.ts";
import { type ForecastMember, POOL_SPAN_MS, poolForecast } from "../../../src/core/forecast/pool-forecast.ts";
import type { WindowSummary } from "../../../src/core/quota-summary.ts";
import { type ByWindow, NO_WINDOWS } from "../../../src/core/windows.ts";
import {
  DAY_MS,
  figureOf,
  finished,
  historyOf,
  MONDAY,
  officeHours,
  steady,
  summaryOfWindow,
  type Use,
} from "./synthetic.ts";

const FUTURES = 100;

/** The forecast of a weekly window that was used for `days` days. */
function weekly(use: Use, days: number): { readonly forecast: WindowForecast; readonly nowMs: number } {
  const nowMs = MONDAY + days * DAY_MS;
  const member = memberWith(use, nowMs);
  const [forecast] = accountForecast(member.windows, member.histories, { nowMs, futures: FUTURES });
  return { forecast: forecast as WindowForecast, nowMs };
}

function memberWith(use: Use, nowMs: number, change: Partial<ForecastMember> = {}): ForecastMember {
  const { history, window } = historyOf(use, "weekly", nowMs);
  return {
    plan: "plus",
    windows: { ...NO_WINDOWS, weekly: summaryOfWindow(window) },
    histories: { ...NO_WINDOWS, weekly: history },
    inService: true,
    closedUntilMs: 0,
    ...change,
  };
}

function likelyOf(outcome: WindowOutcome): number {
  return outcome.kind === "reached" ? outcome.likelyMs : Number.NaN;
}

describe("the forecast of an account", () => {
  test("of steady use is where the line ends", () => {
    const { forecast, nowMs } = weekly(steady(1), 2);
    expect(forecast.pointsPerHour).toBeCloseTo(1, 1);
    const hours = (likelyOf(forecast.outcome) - nowMs) / HOUR_MS;
    expect(hours).toBeGreaterThan(42);
    expect(hours).toBeLessThan(62);
  });

  test("has an interval around the likely time", () => {
    const { outcome } = weekly(steady(1), 2).forecast;
    if (outcome.kind !== "reached") throw new Error(outcome.kind);
    expect(outcome.earliestMs).toBeLessThan(outcome.likelyMs);
    expect(outcome.latestMs ?? Number.POSITIVE_INFINITY).toBeGreaterThan(outcome.likelyMs);
  });

  test("of office hours is not at night", () => {
    // 24 points a day: 96 on Thursday evening, so the window runs out on Friday morning.
    const { forecast } = weekly(officeHours(3), 3 + 9 / 24);
    const likely = new Date(likelyOf(forecast.outcome));
    expect([likely.getDay(), likely.getHours() >= 9 && likely.getHours() < 17]).toEqual([5, true]);
  });

  test("of office hours on Friday evening is not on the weekend", () => {
    // Two weeks known; the window that began on the second Monday has 10 points left on Friday evening.
    const { outcome } = weekly(officeHours(2.25), 11 + 20 / 24).forecast;
    expect(outcome.kind).toBe("lasts");
  });

  test("says that the reset comes first", () => {
    expect(weekly(steady(0.2), 3).forecast.outcome).toEqual({ kind: "lasts", earliestMs: undefined });
  });

  test("without use says that the window lasts", () => {
    const { forecast } = weekly(steady(0), 3);
    expect(forecast).toEqual({
      kind: "weekly",
      pointsPerHour: 0,
      outcome: { kind: "lasts", earliestMs: undefined },
    });
  });

  test("needs a day of history for a weekly window, and half an hour for a short one", () => {
    const { outcome } = weekly(steady(2), 0.5).forecast;
    expect(outcome).toEqual({ kind: "unknown", why: "little-history" });
    const short = (minutes: number) => {
      const nowMs = MONDAY + minutes * 60_000;
      const { history, window } = historyOf(steady(30), "short", nowMs);
      return accountForecast(
        { ...NO_WINDOWS, short: summaryOfWindow(window) },
        { ...NO_WINDOWS, short: history },
        { nowMs, futures: FUTURES },
      )[0];
    };
    expect(short(20)?.outcome.kind).toBe("unknown");
    expect(short(60)?.outcome.kind).toBe("reached");
  });

  test("names no pace after a single refusal", () => {
    // The proxy sees a new window with a fifth of it used, and three minutes later a 429 uses the rest.
    const figure = figureOf({ kind: "short", usedPercent: 20, resetAtMs: MONDAY + 5 * HOUR_MS }, MONDAY);
    const refused = { ...figure, usedPercent: 100, asOfMs: MONDAY + 3 * 60_000, serves: false };
    const seen = observed(undefined, figure, MONDAY);
    const after = (minutes: number, left: number) => {
      const nowMs = MONDAY + minutes * 60_000;
      const history = observed(observed(seen, refused, refused.asOfMs), refused, nowMs);
      const { windows } = memberWith(steady(1), nowMs);
      const short = { ...(windows.weekly as WindowSummary), kind: "short", left } as const;
      const [forecast] = accountForecast(
        { ...NO_WINDOWS, short },
        { ...NO_WINDOWS, short: history },
        { nowMs, futures: FUTURES },
      );
      return forecast;
    };
    const nothingLeft = { kind: "short", pointsPerHour: undefined, outcome: { kind: "exhausted" } } as const;
    expect(after(3, 0)).toEqual(nothingLeft);
    // The account has been out for most of this time.
    expect(after(120, 0)).toEqual(nothingLeft);
    expect(after(120, 1)).toEqual({
      kind: "short",
      pointsPerHour: undefined,
      outcome: { kind: "unknown", why: "little-history" },
    });
  });

  test("says that figures are unknown, that there is no history, and that nothing is left", () => {
    const nowMs = MONDAY + 3 * DAY_MS;
    const { windows, histories } = memberWith(steady(0.5), nowMs);
    const of = (left: number | undefined, history: ByWindow<MeterHistory>) =>
      accountForecast({ ...NO_WINDOWS, weekly: { ...(windows.weekly as WindowSummary), left } }, history, {
        nowMs,
        futures: FUTURES,
      })[0]?.outcome;
    expect(of(undefined, histories)).toEqual({ kind: "unknown", why: "no-figures" });
    expect(of(0.5, NO_WINDOWS)).toEqual({ kind: "unknown", why: "little-history" });
    expect(of(0, histories)).toEqual({ kind: "exhausted" });
  });

  test("lets a short window hold back the use of the weekly one", () => {
    // The short window takes 30 points in five hours of use, and then waits for its reset.
    const nowMs = MONDAY + 2 * DAY_MS;
    const busy = historyOf(steady(0.9), "weekly", nowMs);
    const weeklyWindow = summaryOfWindow(busy.window);
    const short = {
      kind: "short",
      left: 0.3,
      resetAtMs: nowMs + 5 * HOUR_MS,
      lengthMs: 5 * HOUR_MS,
    } as const;
    const shortHistory = historyOf(steady(100), "short", nowMs).history;
    const [alone] = accountForecast(
      { ...NO_WINDOWS, weekly: weeklyWindow },
      { ...NO_WINDOWS, weekly: busy.history },
      { nowMs, futures: FUTURES },
    );
    const [, both] = accountForecast(
      { ...NO_WINDOWS, short, weekly: weeklyWindow },
      { ...NO_WINDOWS, short: shortHistory, weekly: busy.history },
      { nowMs, futures: FUTURES },
    );
    const late = (one: WindowForecast | undefined) =>
      one?.outcome.kind === "reached" ? one.outcome.likelyMs : Number.POSITIVE_INFINITY;
    expect(late(both)).toBeGreaterThan(late(alone) + 3 * HOUR_MS);
  });

  test("is the same for the same data", () => {
    expect(weekly(officeHours(3), 3.5)).toEqual(weekly(officeHours(3), 3.5));
  });
});

describe("completed histories", () => {
  test("give a short window the past of the weekly one, in the ratio of the hours that both know", () => {
    const nowMs = MONDAY + 4 * DAY_MS;
    const hour = Math.floor(nowMs / HOUR_MS);
    const { history: weeklyHistory } = historyOf(steady(0.5), "weekly", nowMs);
    const short: MeterHistory = {
      ...weeklyHistory,
      sinceMs: (hour - 2) * HOUR_MS,
      points: new Map([
        [hour - 2, 4],
        [hour - 1, 4],
      ]),
    };
    const { short: completed } = completeHistories({ ...NO_WINDOWS, short, weekly: weeklyHistory });
    expect(completed?.sinceMs).toBe(weeklyHistory.sinceMs);
    expect(completed?.points.get(hour - 1)).toBe(4);
    const sum = (history: MeterHistory | undefined, from: number, until: number) =>
      [...(history?.points ?? [])].reduce(
        (all, [at, used]) => all + (at >= from && at < until ? used : 0),
        0,
      );
    const ratio = 8 / sum(weeklyHistory, hour - 2, hour + 1);
    expect(sum(completed, 0, hour - 2)).toBeCloseTo(ratio * sum(weeklyHistory, 0, hour - 2));
  });

  test("stay as they are without use in common, and alone", () => {
    const nowMs = MONDAY + 2 * DAY_MS;
    const weeklyHistory = historyOf(officeHours(2), "weekly", nowMs).history;
    const short = { ...weeklyHistory, sinceMs: nowMs - HOUR_MS, points: new Map<number, number>() };
    const { short: completed } = completeHistories({ ...NO_WINDOWS, short, weekly: weeklyHistory });
    expect([...(completed?.points.values() ?? [])].every((points) => points === 0)).toBe(true);
    expect(completeHistories({ ...NO_WINDOWS, short }).short).toBe(short);
  });

  test("keep the pool of the first day from running out because of short windows", () => {
    // A week of office hours is known of the weekly window, and an hour of hard work of the short one.
    const nowMs = MONDAY + 4.5 * DAY_MS;
    const member = memberWith(officeHours(0.8), nowMs);
    const hour = Math.floor(nowMs / HOUR_MS);
    const weeklyHistory = member.histories.weekly as MeterHistory;
    const short: MeterHistory = {
      ...weeklyHistory,
      sinceMs: nowMs - HOUR_MS,
      points: new Map([[hour - 1, 8]]),
    };
    const window = {
      kind: "short",
      left: 0.92,
      resetAtMs: nowMs + 4 * HOUR_MS,
      lengthMs: 5 * HOUR_MS,
    } as const;
    const { outcome } = finished(
      poolForecast(
        [
          {
            ...member,
            windows: { ...member.windows, short: window },
            histories: { ...member.histories, short },
          },
        ],
        { nowMs, futures: FUTURES },
      ),
    );
    expect(outcome.kind).toBe("lasts");
  });
});

describe("the forecast of the pool", () => {
  const nowMs = MONDAY + 3 * DAY_MS;
  const forecast = (...members: readonly ForecastMember[]) =>
    finished(poolForecast(members, { nowMs, futures: FUTURES }));
  const busy = (change?: Partial<ForecastMember>) => memberWith(steady(1), nowMs, change);
  const idle = (change?: Partial<ForecastMember>) => memberWith(steady(0), nowMs, change);

  test("of one account is that of the account", () => {
    const hours = (likelyOf(forecast(busy()).outcome) - nowMs) / HOUR_MS;
    expect(hours).toBeGreaterThan(20);
    expect(hours).toBeLessThan(36);
  });

  test("is later with an account that takes over", () => {
    const one = likelyOf(forecast(busy()).outcome);
    const two = forecast(busy(), idle()).outcome;
    expect(two.kind === "reached" ? two.likelyMs : Number.POSITIVE_INFINITY).toBeGreaterThan(
      one + 2 * DAY_MS,
    );
  });

  test("counts a larger plan as several accounts", () => {
    expect(forecast(busy(), idle({ plan: "pro" })).outcome.kind).toBe("lasts");
    expect(forecast(busy(), busy(), busy(), idle()).outcome.kind).toBe("reached");
    expect(forecast(busy(), busy(), busy(), idle({ plan: "prolite" })).outcome.kind).toBe("lasts");
  });

  test("does not count accounts out of service, but their use", () => {
    const { outcome, accounts } = forecast(busy({ inService: false }), idle());
    expect(accounts).toBe(1);
    expect(outcome.kind).toBe("reached");
    expect(forecast(busy({ inService: false })).outcome).toEqual({ kind: "unknown", why: "no-figures" });
  });

  test("waits for the resets of accounts", () => {
    // The last account is exhausted after 50 hours, and the other one is back before or after that.
    const member = memberWith(steady(1), nowMs);
    const soon = (left: number, hours: number): ByWindow<WindowSummary> => ({
      ...NO_WINDOWS,
      weekly: { kind: "weekly", left, resetAtMs: nowMs + hours * HOUR_MS, lengthMs: 7 * DAY_MS },
    });
    const last = { ...member, windows: soon(0.5, 150) };
    expect(forecast(last, { ...idle(), windows: soon(0, 10) }).outcome.kind).not.toBe("exhausted");
    const early = forecast(last, { ...idle(), windows: soon(0, 10) }).outcome;
    const late = forecast(last, { ...idle(), windows: soon(0, 140) }).outcome;
    expect(likelyOf(late)).toBeLessThan(nowMs + 3 * DAY_MS);
    expect(early.kind === "reached" ? early.likelyMs : Number.POSITIVE_INFINITY).toBeGreaterThan(
      likelyOf(late) + DAY_MS,
    );
  });

  test("lasts if it is hardly used, and says how far it looked", () => {
    const { outcome, untilMs } = forecast(memberWith(steady(0.1), nowMs), idle());
    expect(outcome.kind).toBe("lasts");
    expect(untilMs).toBe(nowMs + POOL_SPAN_MS);
  });

  test("is exhausted when every account is", () => {
    const out = {
      ...busy(),
      windows: { ...NO_WINDOWS, weekly: { ...(busy().windows.weekly as WindowSummary), left: 0 } },
    };
    expect(forecast(out, idle({ closedUntilMs: nowMs + HOUR_MS })).outcome.kind).toBe("exhausted");
    expect(forecast(out, idle()).outcome.kind).not.toBe("exhausted");
  });

  test("says which accounts it leaves out, and that it knows too little", () => {
    const unknown: ForecastMember = {
      ...idle(),
      windows: {
        ...NO_WINDOWS,
        weekly: { kind: "weekly", left: undefined, resetAtMs: undefined, lengthMs: 7 * DAY_MS },
      },
    };
    expect(forecast(busy(), unknown)).toMatchObject({ accounts: 1, leftOut: 1 });
    expect(forecast({ ...busy(), histories: NO_WINDOWS }).outcome).toEqual({
      kind: "unknown",
      why: "little-history",
    });
  });

  test("never has an interval out of order, whatever the accounts are", () => {
    for (let count = 1; count <= 12; count++) {
      const members = Array.from({ length: count }, (_, index) => memberWith(officeHours(index % 4), nowMs));
      const { outcome } = forecast(...members);
      if (outcome.kind !== "reached") continue;
      expect(outcome.earliestMs).toBeGreaterThanOrEqual(nowMs);
      expect(outcome.likelyMs).toBeGreaterThanOrEqual(outcome.earliestMs);
      expect(outcome.latestMs ?? Number.POSITIVE_INFINITY).toBeGreaterThanOrEqual(outcome.likelyMs);
    }
  });
});
