import { describe, expect, test } from "bun:test";
import { type Candidate, type ChoiceContext, choose, type PolicyMode, score } from "../../src/core/policy.ts";
import { type Quota, type QuotaWindow, UNKNOWN_QUOTA } from "../../src/core/quota.ts";

const candidate = (id: string, more: Partial<Candidate> = {}): Candidate => ({
  id,
  state: "available",
  exhausted: false,
  draining: false,
  score: 0.5,
  untilMs: 0,
  ...more,
});
const context = (mode: PolicyMode, more: Partial<ChoiceContext> = {}): ChoiceContext => ({
  settings: { mode, deltaPercent: 10, weights: { daily: 60, weekly: 40 } },
  activeId: undefined,
  pinnedId: undefined,
  boundId: undefined,
  tried: new Set(),
  ...more,
});
const chosen = (candidates: Candidate[], how: ChoiceContext) => {
  const choice = choose(candidates, how);
  return choice === undefined
    ? "nobody"
    : `${choice.id} ${choice.reason}${choice.switched ? " switched" : ""}`;
};

describe("usage_balanced", () => {
  const how = (activeId?: string) => context("usage_balanced", { activeId });
  test("takes the best when there is no active one, the first among equals", () => {
    expect(chosen([candidate("a"), candidate("b", { score: 0.9 })], how())).toBe("b usage-fallback switched");
    expect(chosen([candidate("a"), candidate("b")], how())).toBe("a usage-fallback switched");
  });
  test("stays until another is better by more than the delta", () => {
    expect(chosen([candidate("a"), candidate("b", { score: 0.6 })], how("a"))).toBe("a usage-stay");
    expect(chosen([candidate("a"), candidate("b", { score: 0.61 })], how("a"))).toBe(
      "b usage-hysteresis switched",
    );
  });
});

describe("sticky", () => {
  test("stays while it can, then takes the first", () => {
    expect(chosen([candidate("a"), candidate("b")], context("sticky", { activeId: "b" }))).toBe("b sticky");
    const cooling = candidate("b", { state: "resting", untilMs: 5 });
    expect(chosen([candidate("a"), cooling], context("sticky", { activeId: "b" }))).toBe(
      "a sticky-fallback switched",
    );
  });
});

describe("round_robin", () => {
  const three = [candidate("a"), candidate("b"), candidate("c")];
  test("takes turns in list order, and wraps", () => {
    expect(chosen(three, context("round_robin", { activeId: "a" }))).toBe("b rr switched");
    expect(chosen(three, context("round_robin", { activeId: "c" }))).toBe("a rr switched");
  });
  test("goes on behind an active account that cannot serve", () => {
    const list = [candidate("a"), candidate("b", { state: "out" }), candidate("c")];
    expect(chosen(list, context("round_robin", { activeId: "b" }))).toBe("c rr-fallback switched");
  });
  test("stays when there is only one", () => {
    expect(chosen([candidate("a")], context("round_robin", { activeId: "a" }))).toBe("a rr-stay");
    expect(chosen(three, context("round_robin"))).toBe("a rr-fallback switched");
  });
});

describe("whatever the policy,", () => {
  test("the pin comes first, then the session's own account", () => {
    const list = [candidate("a", { score: 1 }), candidate("b"), candidate("c")];
    expect(chosen(list, context("usage_balanced", { pinnedId: "c", boundId: "b" }))).toBe("c pinned");
    expect(chosen(list, context("usage_balanced", { boundId: "b" }))).toBe("b affinity");
  });
  test("accounts with room come before exhausted ones, pinned and bound ones too", () => {
    const list = [candidate("a", { exhausted: true, score: 0.9 }), candidate("b", { score: 0.1 })];
    expect(chosen(list, context("usage_balanced", { pinnedId: "a", boundId: "a" }))).toBe(
      "b usage-fallback switched",
    );
  });
  test("exhausted accounts are still tried when nothing else is there", () => {
    expect(chosen([candidate("a", { exhausted: true })], context("sticky"))).toBe(
      "a sticky-fallback switched",
    );
  });
  test("the one whose rest ends first is tried when all are resting", () => {
    const list = [
      candidate("a", { state: "resting", untilMs: 20 }),
      candidate("b", { state: "resting", untilMs: 10 }),
    ];
    expect(chosen(list, context("round_robin"))).toBe("b least-bad switched");
    expect(chosen(list, context("round_robin", { tried: new Set(["b"]) }))).toBe("a least-bad switched");
  });
  test("an account is not tried twice, and nobody is chosen when none is left", () => {
    expect(chosen([candidate("a")], context("sticky", { tried: new Set(["a"]) }))).toBe("nobody");
    expect(chosen([candidate("a", { state: "out" })], context("sticky"))).toBe("nobody");
    expect(chosen([], context("usage_balanced"))).toBe("nobody");
  });
});

describe("score", () => {
  const view = { nowMs: 1_000_000, ttlMs: 60_000 };
  const window = (usedPercent: number, more: Partial<QuotaWindow> = {}): QuotaWindow => ({
    usedPercent,
    resetAtMs: 2_000_000,
    windowSeconds: undefined,
    asOfMs: view.nowMs,
    source: "headers",
    ...more,
  });
  const quota = (primary?: QuotaWindow, secondary?: QuotaWindow): Quota => ({
    ...UNKNOWN_QUOTA,
    main: { ...UNKNOWN_QUOTA.main, primary, secondary },
  });
  const weights = { daily: 60, weekly: 40 };
  const TABLE: [string, Quota, number][] = [
    ["nothing known counts 0.30", UNKNOWN_QUOTA, 0.3],
    ["both windows weighted", quota(window(50), window(0)), 0.7],
    ["one window unknown", quota(window(0)), 0.72],
    ["figures older than the TTL are unknown", quota(window(0, { asOfMs: view.nowMs - 60_001 })), 0.3],
    ["used up stays used up however old, until its reset", quota(window(100, { asOfMs: 0 }), window(0)), 0.4],
    [
      "a window that was reset a moment ago is whole",
      quota(window(100, { resetAtMs: view.nowMs - 1 }), window(0)),
      1,
    ],
    [
      "one that was reset long ago is unknown",
      quota(window(100, { resetAtMs: view.nowMs - 60_001 }), window(0)),
      0.58,
    ],
  ];
  for (const [name, given, expected] of TABLE)
    test(name, () => {
      expect(score(given, weights, view)).toBeCloseTo(expected, 10);
    });
  test("is never more than what an additional limit has left", () => {
    const spark = { id: "spark", name: "Spark", primary: window(90), secondary: undefined };
    expect(score({ ...quota(window(0), window(0)), additional: [spark] }, weights, view)).toBeCloseTo(
      0.1,
      10,
    );
  });
  test("is 0 when both weights are", () => {
    expect(score(quota(window(0), window(0)), { daily: 0, weekly: -1 }, view)).toBe(0);
  });
});

describe("a draining account", () => {
  const draining = candidate("a", { draining: true, score: 1 });
  const other = candidate("b");
  for (const mode of ["usage_balanced", "sticky", "round_robin"] as const)
    test(`takes nothing new under ${mode}, though it is the active one`, () => {
      expect(chosen([draining, other], context(mode, { activeId: "a" }))).toStartWith("b ");
    });
  test("keeps the sessions that it has, and what the operator pins to it", () => {
    expect(chosen([draining, other], context("sticky", { boundId: "a" }))).toBe("a affinity");
    expect(chosen([draining, other], context("sticky", { pinnedId: "a" }))).toBe("a pinned");
  });
  test("is left alone even when nobody else can serve, or others only rest or are used up", () => {
    expect(chosen([draining], context("sticky"))).toBe("nobody");
    const resting = candidate("b", { state: "resting", untilMs: 5 });
    expect(chosen([draining, resting], context("sticky"))).toBe("b least-bad switched");
    expect(chosen([draining, candidate("b", { exhausted: true })], context("sticky"))).toBe(
      "b sticky-fallback switched",
    );
  });
});
