import { describe, expect, test } from "bun:test";
import {
  exhausted,
  exhaustedUntilMs,
  hasRoom,
  mergeQuota,
  type Quota,
  remaining,
  UNKNOWN_QUOTA,
} from "../../src/core/quota.ts";
import { quotaFromEvent, quotaFromHeaders, quotaFromUsage } from "../../src/core/quota-wire.ts";

const NOW = 1_700_000_000_000;
const view = { nowMs: NOW, ttlMs: 60_000 };

describe("the usage endpoint", () => {
  const body = {
    plan_type: "team",
    rate_limit: {
      primary_window: {
        used_percent: 25,
        limit_window_seconds: 18_000,
        reset_after_seconds: 60,
        reset_at: 1_700_000_060,
      },
      secondary_window: null,
    },
    additional_rate_limits: [
      {
        limit_name: "Spark",
        metered_feature: "codex_spark",
        rate_limit: { primary_window: { limit: 200, used: 50, reset_after_seconds: 10 } },
      },
    ],
  };
  test("gives windows, plan and additional limits; a missing window stays unknown", () => {
    const quota = quotaFromUsage(body, NOW);
    expect(quota).toEqual({
      planType: "team",
      main: {
        id: "codex",
        name: undefined,
        primary: {
          usedPercent: 25,
          resetAtMs: 1_700_000_060_000,
          windowSeconds: 18_000,
          asOfMs: NOW,
          source: "usage_api",
        },
        secondary: undefined,
      },
      additional: [
        {
          id: "codex_spark",
          name: "Spark",
          primary: {
            usedPercent: 25,
            resetAtMs: NOW + 10_000,
            windowSeconds: undefined,
            asOfMs: NOW,
            source: "usage_api",
          },
          secondary: undefined,
        },
      ],
    });
    expect(remaining(quota?.main.secondary, view)).toBeUndefined();
  });
  test("is no evidence when it is something else", () => {
    for (const other of [null, [], "x", {}, { plan_type: 1 }, { error: { message: "no" } }])
      expect(quotaFromUsage(other, NOW)).toBeUndefined();
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
    expect(quota?.main.primary).toMatchObject({
      usedPercent: 12.5,
      windowSeconds: 18_000,
      source: "headers",
    });
    expect(quota?.main.secondary).toBeUndefined();
    expect(quota?.additional).toMatchObject([
      { id: "codex_bengalfox", name: "Spark", primary: { usedPercent: 100 } },
    ]);
    expect(quota?.planType).toBe("pro");
  });
  test("are no evidence when there are none", () => {
    expect(quotaFromHeaders(new Headers({ "x-other": "1" }), NOW)).toBeUndefined();
  });
});

describe("a codex.rate_limits event", () => {
  const rate_limits = {
    primary: { used_percent: 77, window_minutes: 300, reset_at: 1_700_000_060 },
    secondary: null,
  };
  test("is about the main limit unless it names another", () => {
    expect(quotaFromEvent({ type: "codex.rate_limits", rate_limits }, NOW)?.main.primary?.usedPercent).toBe(
      77,
    );
    const other = quotaFromEvent(
      { type: "codex.rate_limits", metered_limit_name: "spark", rate_limits },
      NOW,
    );
    expect(other?.main.primary).toBeUndefined();
    expect(other?.additional[0]?.id).toBe("spark");
  });
});

test("a time told in milliseconds is one all the same", () => {
  const resetMs = NOW + 3_600_741;
  const rate_limits = { primary: { used_percent: 1, reset_at: resetMs }, secondary: null };
  expect(quotaFromEvent({ type: "codex.rate_limits", rate_limits }, NOW)?.main.primary?.resetAtMs).toBe(
    resetMs,
  );
});

describe("merging", () => {
  const at = (asOfMs: number, usedPercent: number): Quota => ({
    ...UNKNOWN_QUOTA,
    main: {
      ...UNKNOWN_QUOTA.main,
      primary: { usedPercent, resetAtMs: NOW + 1000, windowSeconds: undefined, asOfMs, source: "headers" },
    },
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
      expect(merged.main.primary?.usedPercent).toBe(30);
    }
  });
  test("knows when something is used up, and until when", () => {
    const used = at(NOW, 100);
    expect(exhausted(used, view)).toBe(true);
    expect(exhaustedUntilMs(used, view)).toBe(NOW + 1000);
    expect(hasRoom(used, view)).toBe(false);
    const later = { ...view, nowMs: NOW + 1000 };
    expect(exhausted(used, later)).toBe(false);
    expect(hasRoom(UNKNOWN_QUOTA, view)).toBe(false);
    expect(hasRoom(at(NOW, 99), view)).toBe(true);
  });
});
