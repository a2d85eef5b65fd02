import { describe, expect, test } from "bun:test";
import {
  canServe,
  exhaustedUntilMs,
  isExhausted,
  mergeQuota,
  type Quota,
  type QuotaWindow,
  remaining,
  UNKNOWN_QUOTA,
} from "../../src/core/quota.ts";
import { scoreOf, summaryOf } from "../../src/core/quota-summary.ts";
import { quotaFromEvent, quotaFromHeaders, quotaFromUsage } from "../../src/core/quota-wire.ts";
import { hasSpendableCredits } from "../../src/core/spending.ts";
import { byKind, presentOf, WINDOW_KINDS } from "../../src/core/windows.ts";

const NOW = 1_700_000_000_000;
const view = { nowMs: NOW, ttlMs: 60_000 };
const WEEK_S = 604_800;

/** Names of the windows in `quota`, and whether the list is complete. */
const shapeOf = ({ main }: Quota) => ({
  has: WINDOW_KINDS.filter((kind) => main.windows[kind] !== undefined),
  complete: main.completeAsOfMs > 0,
});

describe("a window", () => {
  const window = (windowSeconds: number | undefined) => ({ windowSeconds });
  const shape = (primary?: { windowSeconds: number | undefined }, secondary?: typeof primary) =>
    Object.entries(byKind(primary, secondary)).flatMap(([kind, one]) =>
      one === undefined ? [] : [`${kind} ${one.windowSeconds}`],
    );
  test("has the kind given by its length, whatever its position", () => {
    expect(shape(window(18_000), window(WEEK_S))).toEqual(["short 18000", "weekly 604800"]);
    expect(shape(window(WEEK_S))).toEqual(["weekly 604800"]);
    expect(shape(window(WEEK_S), window(18_000))).toEqual(["short 18000", "weekly 604800"]);
    expect(shape(window(2_592_000))).toEqual(["monthly 2592000"]);
    expect(shape(window(86_400), window(2_592_000))).toEqual(["short 86400", "monthly 2592000"]);
  });
  test("has the kind of its position if the length is unknown", () => {
    expect(shape(window(undefined), window(undefined))).toEqual(["short undefined", "weekly undefined"]);
  });
  test("of the same kind as the other one counts as the next longer kind", () => {
    expect(shape(window(86_400), window(18_000))).toEqual(["short 18000", "weekly 86400"]);
    expect(shape(window(WEEK_S), window(undefined))).toEqual(["weekly 604800", "monthly undefined"]);
    expect(shape(window(2_592_000), window(2_600_000))).toEqual(["weekly 2592000", "monthly 2600000"]);
  });
});

describe("the usage endpoint", () => {
  const usage = (rate_limit: unknown, more: object = {}) =>
    quotaFromUsage({ plan_type: "team", rate_limit, ...more }, NOW) ?? UNKNOWN_QUOTA;
  const short = {
    used_percent: 25,
    limit_window_seconds: 18_000,
    reset_after_seconds: 60,
    reset_at: 1_700_000_060,
  };
  const weekly = { used_percent: 100, limit_window_seconds: WEEK_S, reset_at: 1_700_600_000 };

  test("gives windows, plan and additional limits", () => {
    const extra = {
      limit_name: "Spark",
      metered_feature: "codex-spark",
      normal_model_slug: "gpt-x",
      rate_limit: { primary_window: { limit: 200, used: 50, reset_after_seconds: 10 } },
    };
    const quota = usage(
      { primary_window: short, secondary_window: weekly },
      { additional_rate_limits: [extra] },
    );
    expect(quota.planType).toBe("team");
    expect(quota.main.windows.short).toEqual({
      usedPercent: 25,
      resetAtMs: 1_700_000_060_000,
      windowSeconds: 18_000,
      asOfMs: NOW,
      source: "usage_api",
    });
    expect(quota.additional).toMatchObject([
      { id: "codex_spark", name: "Spark", model: "gpt-x", windows: { short: { usedPercent: 25 } } },
    ]);
  });

  test("lists all windows: one that it omits does not exist", () => {
    expect(shapeOf(usage({ primary_window: weekly, secondary_window: null }))).toEqual({
      has: ["weekly"],
      complete: true,
    });
    expect(shapeOf(usage({ primary_window: short }))).toEqual({ has: ["short"], complete: true });
    expect(shapeOf(usage({ primary_window: null, secondary_window: null }))).toEqual({
      has: [],
      complete: true,
    });
    const zero = { used_percent: 0, limit_window_seconds: 0, reset_at: 0 };
    expect(shapeOf(usage({ primary_window: weekly, secondary_window: zero }))).toEqual({
      has: ["weekly"],
      complete: true,
    });
  });

  test("leaves unreadable values unknown", () => {
    expect(shapeOf(usage(null))).toEqual({ has: [], complete: false });
    expect(shapeOf(usage({ primary_window: short, secondary_window: { used_percent: "x" } }))).toEqual({
      has: ["short"],
      complete: false,
    });
  });

  test("gives no evidence if it is something else", () => {
    for (const other of [null, [], "x", {}, { plan_type: 1 }, { error: { message: "no" } }])
      expect(quotaFromUsage(other, NOW)).toBeUndefined();
  });

  describe("on an exhausted account", () => {
    const used = { primary_window: weekly, secondary_window: null };
    const usable = (more: object) => hasSpendableCredits(usage(used, more).spending, view);
    test("reports credits that can be spent", () => {
      expect(usable({ credits: { has_credits: true, unlimited: false, balance: "9.99" } })).toBe(true);
      expect(usable({ credits: { has_credits: true, unlimited: true, balance: null } })).toBe(true);
      expect(usable({ credits: { has_credits: true, unlimited: false, balance: "0" } })).toBe(false);
      expect(usable({ credits: { has_credits: false, unlimited: false, balance: "5" } })).toBe(false);
      expect(usable({ credits: null })).toBe(false);
      const capped = { has_credits: true, unlimited: true, overage_limit_reached: true };
      expect(usable({ credits: capped })).toBe(false);
    });
    test("reports the restrictions of the workspace", () => {
      const credits = { has_credits: true, unlimited: true };
      expect(usable({ credits, spend_control: { reached: true } })).toBe(false);
      const limit = { limit: "10", used: "10", remaining_percent: 0, reset_at: 1_700_000_900 };
      const own = usage(
        { primary_window: short },
        { credits, spend_control: { reached: false, individual_limit: limit } },
      );
      expect(hasSpendableCredits(own.spending, view)).toBe(false);
      expect(isExhausted(own, own.main, view)).toBe(true);
      expect(exhaustedUntilMs(own, own.main, view)).toBe(1_700_000_900_000);
      expect(isExhausted(own, own.main, { ...view, nowMs: 1_700_000_900_000 })).toBe(false);
    });
    for (const type of [
      "workspace_owner_credits_depleted",
      "workspace_member_credits_depleted",
      "workspace_owner_usage_limit_reached",
      "workspace_member_usage_limit_reached",
    ])
      test(`believes ${type} while it is fresh`, () => {
        const quota = usage({ primary_window: short }, { rate_limit_reached_type: { type } });
        expect(isExhausted(quota, quota.main, view)).toBe(true);
        expect(exhaustedUntilMs(quota, quota.main, view)).toBeUndefined();
        expect(isExhausted(quota, quota.main, { ...view, nowMs: NOW + 61_000 })).toBe(false);
        const later = quotaFromUsage({ plan_type: "team", rate_limit_reached_type: null }, NOW + 1);
        expect(isExhausted(mergeQuota(quota, later ?? UNKNOWN_QUOTA), quota.main, view)).toBe(false);
      });
    test("ignores rate_limit_reached in favour of the windows", () => {
      const quota = usage({ primary_window: short }, { rate_limit_reached_type: "rate_limit_reached" });
      expect(isExhausted(quota, quota.main, view)).toBe(false);
    });
  });
});

describe("headers", () => {
  test("give the main limit and others by name", () => {
    const quota = quotaFromHeaders(
      new Headers({
        "x-codex-primary-used-percent": "12.5",
        "x-codex-primary-window-minutes": "300",
        "x-codex-primary-reset-at": "1700000060",
        "x-codex-secondary-used-percent": "nonsense",
        "x-codex-bengalfox-primary-used-percent": "120",
        "x-codex-bengalfox-limit-name": "Spark",
        "x-codex-plan-type": "pro",
      }),
      NOW,
    );
    expect(quota?.main.windows.short).toMatchObject({
      usedPercent: 12.5,
      windowSeconds: 18_000,
      source: "headers",
    });
    expect(shapeOf(quota ?? UNKNOWN_QUOTA)).toEqual({ has: ["short"], complete: false });
    expect(quota?.additional).toMatchObject([
      { id: "codex_bengalfox", name: "Spark", windows: { short: { usedPercent: 100 } } },
    ]);
    expect(quota?.planType).toBe("pro");
  });
  test("of an account with one weekly window list no other window", () => {
    const quota = quotaFromHeaders(
      new Headers({
        "x-codex-primary-used-percent": "40",
        "x-codex-primary-window-minutes": "10080",
        "x-codex-primary-reset-at": "1700600000",
        "x-codex-secondary-used-percent": "0",
        "x-codex-secondary-window-minutes": "0",
      }),
      NOW,
    );
    expect(shapeOf(quota ?? UNKNOWN_QUOTA)).toEqual({ has: ["weekly"], complete: true });
  });
  test("give credits, with or without windows", () => {
    const quota = quotaFromHeaders(
      new Headers({
        "x-codex-credits-has-credits": "true",
        "x-codex-credits-unlimited": "false",
        "x-codex-credits-balance": "12.50",
      }),
      NOW,
    );
    expect(quota?.spending.credits).toEqual({
      value: { hasCredits: true, unlimited: false, balance: 12.5 },
      asOfMs: NOW,
    });
    expect(quota?.main).toEqual(UNKNOWN_QUOTA.main);
  });
  test("name the exhausted limit; without a name none is exhausted", () => {
    const limits = { "x-codex-primary-used-percent": "10", "x-codex-primary-window-minutes": "300" };
    const type = { "x-codex-rate-limit-reached-type": "workspace_owner_credits_depleted" };
    const refused = quotaFromHeaders(new Headers({ ...limits, ...type }), NOW) ?? UNKNOWN_QUOTA;
    expect(isExhausted(refused, refused.main, view)).toBe(true);
    const served = quotaFromHeaders(new Headers(limits), NOW + 1) ?? UNKNOWN_QUOTA;
    const merged = mergeQuota(refused, served);
    expect(isExhausted(merged, merged.main, view)).toBe(false);
  });
  test("give no evidence if there are none", () => {
    expect(quotaFromHeaders(new Headers({ "x-other": "1" }), NOW)).toBeUndefined();
  });
});

describe("a codex.rate_limits event", () => {
  const rate_limits = {
    primary: { used_percent: 77, window_minutes: 300, reset_at: 1_700_000_060 },
    secondary: null,
  };
  const read = (more: object) => quotaFromEvent({ type: "codex.rate_limits", rate_limits, ...more }, NOW);
  test("is about the main limit unless it names another", () => {
    expect(read({})?.main.windows.short?.usedPercent).toBe(77);
    const other = read({ metered_limit_name: "spark" });
    expect(other?.main).toEqual(UNKNOWN_QUOTA.main);
    expect(other?.additional[0]?.id).toBe("spark");
  });
  test("gives credits", () => {
    const credits = { has_credits: true, unlimited: false, balance: "9.99" };
    expect(read({ credits })?.spending.credits?.value).toEqual({
      hasCredits: true,
      unlimited: false,
      balance: 9.99,
    });
  });
});

test("a time in milliseconds is read as such", () => {
  const resetMs = NOW + 3_600_741;
  const rate_limits = { primary: { used_percent: 1, reset_at: resetMs }, secondary: null };
  const quota = quotaFromEvent({ type: "codex.rate_limits", rate_limits }, NOW);
  expect(quota?.main.windows.short?.resetAtMs).toBe(resetMs);
});

describe("merging", () => {
  const window = (asOfMs: number, usedPercent: number): QuotaWindow => ({
    usedPercent,
    resetAtMs: NOW + 1000,
    windowSeconds: undefined,
    asOfMs,
    source: "headers",
  });
  const at = (asOfMs: number, usedPercent: number): Quota => ({
    ...UNKNOWN_QUOTA,
    main: { ...UNKNOWN_QUOTA.main, windows: byKind(window(asOfMs, usedPercent), undefined) },
  });
  test("takes the newest evidence, in any order of arrival", () => {
    const pieces = [at(1, 10), at(3, 30), at(2, 20)];
    const orders = [
      [0, 1, 2],
      [2, 1, 0],
      [1, 0, 2],
    ];
    for (const order of orders) {
      const merged = order.map((index) => pieces[index]!).reduce(mergeQuota, UNKNOWN_QUOTA);
      expect(merged.main.windows.short?.usedPercent).toBe(30);
    }
  });
  test("drops a window missing from a complete list, and keeps it if the list is partial", () => {
    const weekly: Quota = {
      ...UNKNOWN_QUOTA,
      main: { ...UNKNOWN_QUOTA.main, windows: byKind(undefined, window(5, 1)), completeAsOfMs: 5 },
    };
    for (const merged of [mergeQuota(at(3, 100), weekly), mergeQuota(weekly, at(3, 100))]) {
      expect(shapeOf(merged)).toEqual({ has: ["weekly"], complete: true });
      expect(isExhausted(merged, merged.main, view)).toBe(false);
    }
    expect(shapeOf(mergeQuota(weekly, at(9, 100))).has).toEqual(["short", "weekly"]);
  });
  test("knows whether a limit is exhausted, and until when", () => {
    const used = at(NOW, 100);
    expect(isExhausted(used, used.main, view)).toBe(true);
    expect(exhaustedUntilMs(used, used.main, view)).toBe(NOW + 1000);
    expect(canServe(used, used.main, view, true)).toBe(false);
    expect(isExhausted(used, used.main, { ...view, nowMs: NOW + 1000 })).toBe(false);
    const spending = quotaFromHeaders(
      new Headers({ "x-codex-credits-has-credits": "true", "x-codex-credits-balance": "1" }),
      NOW,
    );
    const paid = mergeQuota(used, spending ?? UNKNOWN_QUOTA);
    expect([canServe(paid, paid.main, view, true), canServe(paid, paid.main, view, false)]).toEqual([
      true,
      false,
    ]);
  });
});

describe("the score of an account", () => {
  const scored = (rate_limit: unknown) => {
    const quota = quotaFromUsage({ plan_type: "pro", rate_limit }, NOW) ?? UNKNOWN_QUOTA;
    const summary = summaryOf(quota, quota.main, view);
    return {
      score: scoreOf(summary, { daily: 60, weekly: 40 }),
      windows: presentOf(summary.windows).length,
    };
  };
  const window = (used_percent: number, limit_window_seconds: number) => ({
    used_percent,
    limit_window_seconds,
    reset_at: NOW / 1000 + 600,
  });
  test("with one weekly window is the share left in it", () => {
    expect(scored({ primary_window: window(20, WEEK_S), secondary_window: null })).toEqual({
      score: 0.8,
      windows: 1,
    });
  });
  test("with a monthly window weighs that like a weekly one", () => {
    const both = scored({ primary_window: window(0, 18_000), secondary_window: window(50, 2_592_000) });
    expect(both.score).toBeCloseTo(0.6 + 0.4 * 0.5);
  });
  test("without windows is 1, and with unknown windows 0.30", () => {
    expect(scored({ primary_window: null, secondary_window: null })).toEqual({ score: 1, windows: 0 });
    expect(scored(null)).toEqual({ score: 0.3, windows: 2 });
  });
  test("counts windows equally if none has a weight", () => {
    const quota = quotaFromUsage(
      { plan_type: "pro", rate_limit: { primary_window: window(20, WEEK_S) } },
      NOW,
    );
    const summary = summaryOf(quota ?? UNKNOWN_QUOTA, (quota ?? UNKNOWN_QUOTA).main, view);
    expect(scoreOf(summary, { daily: 1, weekly: 0 })).toBe(0.8);
    expect(remaining(quota?.main.windows.weekly, view)).toBe(0.8);
  });
});
