import { describe, expect, test } from "bun:test";
import { plainView } from "../../src/core/capacity.ts";
import { capacityOfReport } from "../../src/core/child-capacity.ts";
import { newestOfEach, REPORT_MS, reportOf } from "../../src/core/child-report.ts";
import { type QuotaWindow, UNKNOWN_QUOTA } from "../../src/core/quota.ts";
import { StatusAnswer } from "../../src/core/status-schema.ts";
import { byKind } from "../../src/core/windows.ts";

const NOW = 1_700_000_000_000;
const VIEW = plainView(NOW);
const OWN = { name: "front", id: "f0" };

const account = (alias: string, more: Record<string, unknown> = {}) => ({
  proxy_name: "child",
  alias,
  id: `openai:${alias}`,
  active: false,
  pinned: false,
  healthy: true,
  enabled: true,
  cooldown_seconds: 0,
  daily_left_pct: 50,
  weekly_left_pct: 50,
  daily_reset_at: NOW / 1000 + 3_600,
  weekly_reset_at: NOW / 1000 + 86_400,
  score: 0.5,
  ...more,
});
const report = (accounts: unknown, more: Record<string, unknown> = {}) =>
  reportOf(StatusAnswer.parse({ proxy_name: "child", accounts, ...more }), OWN, NOW);
const capacity = (accounts: unknown) => capacityOfReport(report(accounts), VIEW);

describe("a child's capacity", () => {
  test("is the mean of its accounts in service, as the Go program weighs it", () => {
    const all = [
      account("a", { score: 0.9 }),
      account("b", { score: 0.3 }),
      account("c", { score: 1, enabled: false }),
      account("d", { score: 1, cooldown_seconds: 9, healthy: false }),
      account("e", { score: 1, draining: true }),
      account("f", { score: 7, disabled_reason: "http-401" }),
    ];
    expect(capacity(all)).toMatchObject({
      condition: "ready",
      why: undefined,
      summary: { exhausted: false },
    });
    expect(capacity(all).score).toBeCloseTo(0.6);
  });

  test("is exhausted if all of them are exhausted, and not before", () => {
    const empty = account("a", { daily_left_pct: 0, score: 0 });
    expect(capacity([empty, account("b")]).summary.exhausted).toBe(false);
    expect(capacity([empty]).summary.exhausted).toBe(true);
  });

  test("is at its floor if all accounts with quota are, and limited if they are kept back", () => {
    const low = { weekly_left_pct: 10, floor_weekly_pct: 20, at_floor: ["weekly"] };
    const empty = account("e", { daily_left_pct: 0, score: 0 });
    expect(capacity([account("a", low), account("b")]).condition).toBe("ready");
    expect(capacity([account("a", low), empty])).toMatchObject({ condition: "at_floor", why: "floor" });
    expect(capacity([account("a", { ...low, kept_back: true })])).toMatchObject({
      condition: "limited",
      untilMs: NOW + 86_400_000,
    });
  });

  test("is valid as long as the report and its figures are", () => {
    expect(capacity([account("a")]).summary.goodUntilMs).toBe(NOW + REPORT_MS);
    const soon = account("a", { daily_reset_at: NOW / 1000 + 5 });
    expect(capacity([soon]).summary.goodUntilMs).toBe(NOW + 5_000);
  });

  test("is limited until the first reset if all accounts are limited, and cooling if they are cooling", () => {
    const limited = (seconds: number) =>
      account(`l${seconds}`, { healthy: false, cooldown_seconds: seconds, cooldown_reason: "usage-limit" });
    const cooling = account("r", { healthy: false, cooldown_seconds: 7, cooldown_reason: "http-503" });
    expect(capacity([limited(900), limited(600)])).toMatchObject({
      condition: "limited",
      untilMs: NOW + 600_000,
    });
    expect(capacity([limited(2), cooling])).toMatchObject({ condition: "cooling", untilMs: NOW + 7_000 });
  });

  test("without accounts is disabled, with the reason", () => {
    expect(capacity([])).toMatchObject({ condition: "disabled", why: "it has no accounts" });
    expect(capacity(null)).toMatchObject({ condition: "disabled", why: "it has no accounts" });
    expect(capacity([account("a", { enabled: false })])).toMatchObject({
      condition: "disabled",
      why: "none of its accounts is in service",
    });
  });

  test("leaves out accounts that lead back, and names the circle", () => {
    const mine = account("mine", { proxy_name: "front", proxy_id: "f0", proxy_path: [OWN] });
    const behind = account("far", {
      proxy_name: "far",
      proxy_id: "x",
      proxy_path: [OWN, { name: "far", id: "x" }],
    });
    const answer = report([mine, behind], { proxy_id: "c0" });
    expect(answer.accounts).toEqual([]);
    expect(answer.cycle).toBe("front -> child -> front");
    expect(capacityOfReport(answer, VIEW).why).toBe(
      "it has no accounts, and it leads back to this proxy: front -> child -> front",
    );
    // The Go program reports names only.
    expect(report([account("mine", { proxy_name: "FRONT" })]).accounts).toEqual([]);
  });

  test("counts an account that is reported twice once", () => {
    const one = account("a", { proxy_name: "leaf", proxy_id: "l", proxy_path: [{ name: "leaf", id: "l" }] });
    expect(
      report([
        one,
        {
          ...one,
          proxy_path: [
            { name: "m", id: "m" },
            { name: "leaf", id: "l" },
          ],
        },
      ]).accounts.length,
    ).toBe(1);
    const other = { ...one, proxy_id: "l2" };
    expect(report([one, other]).accounts.length).toBe(2);
  });
});

test("of accounts with the same identity, the newest figures count; accounts without one all count", () => {
  const at = (asOfMs: number) => ({
    ...UNKNOWN_QUOTA,
    main: {
      ...UNKNOWN_QUOTA.main,
      windows: byKind<QuotaWindow>(
        { usedPercent: 1, resetAtMs: undefined, windowSeconds: undefined, asOfMs, source: "child" },
        undefined,
      ),
    },
  });
  const all = [
    { name: "old", identity: "i", quota: at(1) },
    { name: "new", identity: "i", quota: at(2) },
    { name: "x", identity: undefined, quota: at(1) },
    { name: "y", identity: undefined, quota: at(1) },
  ];
  expect(newestOfEach(all).map(({ name }) => name)).toEqual(["new", "x", "y"]);
});
