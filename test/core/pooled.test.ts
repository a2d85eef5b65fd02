import { describe, expect, test } from "bun:test";
import { HEALTHY, type Health } from "../../src/core/health.ts";
import { pooledUsage } from "../../src/core/pooled.ts";
import { type Quota, type QuotaWindow, UNKNOWN_QUOTA } from "../../src/core/quota.ts";
import { summaryOf } from "../../src/core/quota-summary.ts";
import { type Spending, UNKNOWN_SPENDING } from "../../src/core/spending.ts";
import { usageBody } from "../../src/core/usage-body.ts";
import { byKind } from "../../src/core/windows.ts";

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
  const quota: Quota = {
    ...UNKNOWN_QUOTA,
    planType,
    main: { ...UNKNOWN_QUOTA.main, windows: byKind(primary, secondary) },
  };
  return { health, quota, summary: summaryOf(quota, quota.main, view) };
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
  const body = usageBody(pooledUsage(accounts, view, true), NOW) as {
    plan_type: string;
    rate_limit: Record<string, unknown> & {
      primary_window: Record<string, number> | null;
      secondary_window: Record<string, number> | null;
    };
    credits: Record<string, unknown>;
  };
  const { allowed, limit_reached, primary_window, secondary_window } = body.rate_limit;
  return {
    plan: body.plan_type,
    allowed,
    reached: limit_reached,
    used: [primary_window?.used_percent, secondary_window?.used_percent],
    resets: [primary_window?.reset_after_seconds, secondary_window?.reset_after_seconds],
    seconds: [primary_window?.limit_window_seconds, secondary_window?.limit_window_seconds],
    credits: body.credits,
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

  test("omits a window that is unknown in every account", () => {
    expect(limitOf(account(window(50), undefined), account(undefined, undefined))).toMatchObject({
      allowed: true,
      used: [50, undefined],
    });
    expect(limitOf(account(undefined, undefined))).toMatchObject({
      allowed: true,
      used: [undefined, undefined],
    });
  });

  test("of weekly-only accounts has one weekly window, which stays out of the short windows of others", () => {
    const weekly = { ...window(40), windowSeconds: 604_800 };
    expect(limitOf(account(weekly, undefined))).toMatchObject({
      used: [40, undefined],
      seconds: [604_800, undefined],
    });
    expect(limitOf(account(weekly, undefined), account(window(10), window(20)))).toMatchObject({
      used: [10, 30],
      seconds: [18_000, 604_800],
    });
  });

  test("has the credits of all accounts, and is not exhausted while one can serve on them", () => {
    const credits = (balance: number, unlimited = false) => ({
      ...UNKNOWN_SPENDING,
      credits: { value: { hasCredits: true, unlimited, balance }, asOfMs: NOW },
    });
    const spent = (spending: Spending) => {
      const one = account(window(100), window(10));
      const quota = { ...one.quota, spending };
      return { ...one, quota, summary: summaryOf(quota, quota.main, view) };
    };
    const all = [spent(credits(2.5)), spent(credits(0.25)), spent(UNKNOWN_SPENDING)];
    expect(limitOf(...all)).toMatchObject({
      allowed: true,
      reached: false,
      used: [99, 10],
      credits: { has_credits: true, unlimited: false, balance: "2.75" },
    });
    expect(limitOf(spent(credits(0, true)), ...all).credits).toMatchObject({ unlimited: true });
    const saved = usageBody(pooledUsage(all, view, false), NOW);
    expect(saved).toMatchObject({ rate_limit: { allowed: false }, credits: { has_credits: false } });
  });

  test("is never exhausted while one account has room, because Codex would stop sending", () => {
    const spent = account(window(100), window(10));
    expect(limitOf(spent, spent, spent, account(window(99.9), window(10)))).toMatchObject({
      allowed: true,
      reached: false,
      used: [99, 10],
    });
  });

  test("is exhausted if every account is, in whatever window, and shows the first end", () => {
    expect(
      limitOf(account(window(100, 500), window(10, 90)), account(window(20, 70), window(100, 9000))),
    ).toMatchObject({ allowed: false, reached: true, used: [100, 55], resets: [500, 90] });
    const [a, b] = [account(window(100, 500), window(100, 9000)), account(window(100, 700), window(10))];
    expect(limitOf(a, b)).toMatchObject({ used: [100, 55], resets: [700, 3600] });
  });

  test("has the reason why the workspace allows no more, unless an account is back before", () => {
    const forbidden = (type: string) => {
      const one = account(window(40), window(10));
      const reachedType = { value: type, asOfMs: NOW };
      const spendControl = { value: true, asOfMs: NOW };
      const quota = { ...one.quota, spending: { ...UNKNOWN_SPENDING, reachedType, spendControl } };
      return { ...one, quota, summary: summaryOf(quota, quota.main, view) };
    };
    const member = forbidden("workspace_member_usage_limit_reached");
    const body = (...accounts: Parameters<typeof limitOf>) =>
      usageBody(pooledUsage(accounts, view, true), NOW);
    expect(body(member, member)).toMatchObject({
      rate_limit: { allowed: false, primary_window: { used_percent: 40 } },
      rate_limit_reached_type: { type: "workspace_member_usage_limit_reached" },
      spend_control: { reached: true },
    });
    expect(body(member, account(window(100), window(10)))).toMatchObject({
      rate_limit_reached_type: { type: "rate_limit_reached" },
      spend_control: { reached: false },
    });
    expect(body(member, account(window(50), window(10)))).toMatchObject({
      rate_limit: { allowed: true },
      rate_limit_reached_type: null,
    });
  });

  test("is exhausted if the backend has refused, even if no figure shows it", () => {
    expect(limitOf(account(undefined, window(10), limited))).toMatchObject({
      allowed: false,
      used: [100, 10],
      resets: [60, 3600],
    });
    expect(limitOf(account(undefined, window(10), limited), account(undefined, undefined))).toMatchObject({
      allowed: true,
    });
  });

  test("allows nothing if no account is in service, and reports no reached limit either", () => {
    expect(limitOf(account(window(10), window(10), disabled))).toMatchObject({
      allowed: false,
      reached: false,
      used: [undefined, undefined],
    });
  });

  test("has the plan that offers the most", () => {
    const plans = (...names: (string | undefined)[]) =>
      limitOf(...names.map((name) => account(undefined, undefined, HEALTHY, name))).plan;
    expect(plans(undefined, "free", "pro", "plus")).toBe("pro");
    expect(plans(undefined, "new_plan")).toBe("new_plan");
    expect(plans(undefined)).toBe("plus");
  });
});
