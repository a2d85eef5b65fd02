import { describe, expect, test } from "bun:test";
import { HEALTHY, type Health } from "../../src/core/health.ts";
import { pooledUsage, usageBody } from "../../src/core/pooled.ts";
import { type Quota, type QuotaWindow, UNKNOWN_QUOTA } from "../../src/core/quota.ts";
import { standingOf } from "../../src/core/standing.ts";

const NOW = 1_800_000_000_000;
const view = { nowMs: NOW, ttlMs: 60_000 };
const window = (usedPercent: number, resetInS = 3_600): QuotaWindow => ({
  usedPercent,
  resetAtMs: NOW + resetInS * 1000,
  windowSeconds: undefined,
  asOfMs: NOW,
  source: "headers",
});
const account = (
  primary: QuotaWindow | undefined,
  secondary: QuotaWindow | undefined,
  health: Health = HEALTHY,
  planType?: string,
) => {
  const quota: Quota = { planType, main: { ...UNKNOWN_QUOTA.main, primary, secondary }, additional: [] };
  return { health, quota, standing: standingOf(quota, view) };
};
const disabled: Health = { kind: "disabled", reason: "operator", sinceMs: 0 };
const limited: Health = {
  kind: "cooling",
  cause: "limit",
  reason: "usage-limit",
  sinceMs: 0,
  untilMs: NOW + 60_000,
  faults: 0,
};
const limitOf = (...accounts: ReturnType<typeof account>[]) => {
  const body = usageBody(pooledUsage(accounts, view), NOW) as {
    plan_type: string;
    rate_limit: Record<string, unknown> & {
      primary_window: Record<string, number>;
      secondary_window: Record<string, number>;
    };
  };
  const { allowed, limit_reached, primary_window, secondary_window } = body.rate_limit;
  return {
    plan: body.plan_type,
    allowed,
    reached: limit_reached,
    used: [primary_window.used_percent, secondary_window.used_percent],
    resets: [primary_window.reset_after_seconds, secondary_window.reset_after_seconds],
  };
};

describe("the pool's usage", () => {
  test("is the mean over the accounts in service, with the earliest reset", () => {
    expect(
      limitOf(
        account(window(10, 900), window(40)),
        account(window(31, 600), window(60)),
        account(window(100), window(100), disabled),
      ),
    ).toMatchObject({ allowed: true, used: [21, 50], resets: [600, 3600] });
  });

  test("leaves out what nobody knows", () => {
    expect(limitOf(account(window(50), undefined), account(undefined, undefined))).toMatchObject({
      allowed: true,
      used: [50, 0],
    });
  });

  test("never reads as used up while one account has room: Codex would stop sending", () => {
    const spent = account(window(100), window(10));
    expect(limitOf(spent, spent, spent, account(window(99.9), window(10)))).toMatchObject({
      allowed: true,
      reached: false,
      used: [99, 10],
    });
  });

  test("reads as used up when every account is, whichever window it is, with what ends it first", () => {
    expect(
      limitOf(account(window(100, 500), window(10, 90)), account(window(20, 70), window(100, 9000))),
    ).toMatchObject({ allowed: false, reached: true, used: [100, 100], resets: [500, 9000] });
  });

  test("reads as used up when the backend has refused, though no figure says so", () => {
    expect(limitOf(account(undefined, window(10), limited))).toMatchObject({
      allowed: false,
      used: [100, 10],
      resets: [60, 3600],
    });
    expect(limitOf(account(undefined, window(10), limited), account(undefined, undefined))).toMatchObject({
      allowed: true,
    });
  });

  test("allows nothing when no account is in service, and says no limit is reached either", () => {
    expect(limitOf(account(window(10), window(10), disabled))).toMatchObject({
      allowed: false,
      reached: false,
      used: [0, 0],
    });
  });

  test("has the plan that offers most", () => {
    const plans = (...names: (string | undefined)[]) =>
      limitOf(...names.map((name) => account(undefined, undefined, HEALTHY, name))).plan;
    expect(plans(undefined, "free", "pro", "plus")).toBe("pro");
    expect(plans(undefined, "new_plan")).toBe("new_plan");
    expect(plans(undefined)).toBe("plus");
  });
});
