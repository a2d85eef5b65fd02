import { describe, expect, test } from "bun:test";
import type { Candidate } from "../../src/core/availability.ts";
import { type ChoiceContext, choose, type PolicyMode, urgency } from "../../src/core/policy.ts";
import { type Quota, type QuotaWindow, UNKNOWN_QUOTA, unknownLimit } from "../../src/core/quota.ts";
import { scoreOf, summaryOf, type WindowSummary } from "../../src/core/quota-summary.ts";
import { byKind } from "../../src/core/windows.ts";
import { candidate, context, windows } from "../support/candidates.ts";

const chosen = (candidates: Candidate[], how: ChoiceContext) => {
  const choice = choose(candidates, how);
  return choice === undefined ? "none" : `${choice.id} ${choice.reason}${choice.switched ? " switched" : ""}`;
};

describe("usage_balanced", () => {
  const how = (activeId?: string) => context("usage_balanced", { activeId });
  test("takes the best account if none is active, and of equals the first", () => {
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
    const cooling = candidate("b", { condition: "cooling", untilMs: 5 });
    expect(chosen([candidate("a"), cooling], context("sticky", { activeId: "b" }))).toBe(
      "a sticky-fallback switched",
    );
  });
});

describe("round_robin", () => {
  const three = [candidate("a"), candidate("b"), candidate("c")];
  test("takes the accounts in list order, and starts again after the last", () => {
    expect(chosen(three, context("round_robin", { activeId: "a" }))).toBe("b rr switched");
    expect(chosen(three, context("round_robin", { activeId: "c" }))).toBe("a rr switched");
  });
  test("continues after an active account that cannot serve", () => {
    const list = [candidate("a"), candidate("b", { condition: "limited" }), candidate("c")];
    expect(chosen(list, context("round_robin", { activeId: "b" }))).toBe("c rr-fallback switched");
  });
  test("stays if there is only one account", () => {
    expect(chosen([candidate("a")], context("round_robin", { activeId: "a" }))).toBe("a rr-stay");
    expect(chosen(three, context("round_robin"))).toBe("a rr-fallback switched");
  });
});

describe("among equals", () => {
  test("usage_balanced takes the account with fewer requests in flight", () => {
    const list = [candidate("a", { inFlight: 2 }), candidate("b", { inFlight: 1 })];
    expect(chosen(list, context("usage_balanced"))).toBe("b usage-fallback switched");
    expect(chosen(list, context("usage_balanced", { activeId: "a" }))).toBe("b usage-idle switched");
    const better = [candidate("a", { inFlight: 2, score: 0.51 }), candidate("b")];
    expect(chosen(better, context("usage_balanced", { activeId: "a" }))).toBe("a usage-stay");
  });
});

describe("least_in_flight", () => {
  test("takes the account with the fewest requests in flight, and of equals the one with the better score", () => {
    const list = [
      candidate("a", { inFlight: 1, score: 1 }),
      candidate("b", { score: 0.2 }),
      candidate("c", { score: 0.4 }),
    ];
    expect(chosen(list, context("least_in_flight", { activeId: "a" }))).toBe("c least-in-flight switched");
  });
});

describe("reset_aware", () => {
  const HOUR = 3_600_000;
  const window = (left: number | undefined, resetInH: number | undefined, hours: number): WindowSummary => ({
    kind: hours === 5 ? "short" : "weekly",
    left,
    resetAtMs: resetInH === undefined ? undefined : resetInH * HOUR,
    lengthMs: hours * HOUR,
  });
  const account = (id: string, weekly: WindowSummary, daily = window(1, undefined, 5)) =>
    candidate(id, { windows: windows(daily, weekly) });

  test("takes the account whose quota would expire unused", () => {
    const list = [
      account("full week ahead", window(0.9, 160, 168)),
      account("half left, a day to go", window(0.5, 24, 168)),
    ];
    expect(chosen(list, context("reset_aware"))).toBe("half left, a day to go reset-aware switched");
  });
  test("stays with the active one while no other is more urgent by the delta", () => {
    const list = [account("a", window(0.5, 84, 168)), account("b", window(0.52, 84, 168))];
    expect(chosen(list, context("reset_aware", { activeId: "a" }))).toBe("a reset-stay");
    const clear = [account("a", window(0.5, 84, 168)), account("b", window(0.99, 84, 168))];
    expect(chosen(clear, context("reset_aware", { activeId: "a" }))).toBe("b reset-aware switched");
  });
  test("urgency is 1 if use and time run evenly, and an unknown window counts as a new one with 0.30 left", () => {
    const weights = { daily: 60, weekly: 40 };
    const even = account("a", window(0.25, 42, 168), window(0.5, 2.5, 5));
    expect(urgency(even, weights, 0)).toBeCloseTo(1, 10);
    const unknown = account("b", window(undefined, undefined, 168), window(undefined, undefined, 5));
    expect(urgency(unknown, weights, 0)).toBeCloseTo(0.3, 10);
  });
});

describe("a full account", () => {
  const full = candidate("full", { fullAt: 1, score: 0.9 });
  const cooling = candidate("cooling", { condition: "cooling", untilMs: 9 });
  test("is passed over, even by its own sessions and by a pin", () => {
    const other = candidate("other", { condition: "exhausted" });
    for (const more of [{}, { boundId: "full" }, { pinnedId: "full" }])
      expect(choose([full, other], context("sticky", more))?.id).toBe("other");
  });

  test("makes the turn wait rather than try an account that cools down", () => {
    expect(choose([full, cooling], context("sticky"))).toBeUndefined();
    expect(choose([cooling], context("sticky"))?.id).toBe("cooling");
    const both = candidate("both", { condition: "cooling", fullAt: 1, untilMs: 5 });
    expect(choose([both, cooling], context("sticky"))?.id).toBe("cooling");
    expect(choose([both], context("sticky"))).toBeUndefined();
    expect(choose([both, full], context("sticky"))).toBeUndefined();
  });
});

describe("an account that is recovering", () => {
  const probing = (id: string) => candidate(id, { condition: "probing", inFlight: 1, score: 1 });
  test("gets only its probe while another account is ready, even from its own sessions", () => {
    const list = [probing("a"), candidate("b")];
    expect(chosen(list, context("usage_balanced"))).toBe("b usage-fallback switched");
    expect(chosen(list, context("usage_balanced", { boundId: "a" }))).toBe("b usage-fallback switched");
  });
  test("serves nevertheless if it is pinned or the only one with room", () => {
    expect(chosen([probing("a"), candidate("b")], context("sticky", { pinnedId: "a" }))).toBe("a pinned");
    const list = [
      probing("a"),
      candidate("b", { exhausted: true }),
      candidate("c", { condition: "cooling" }),
    ];
    expect(chosen(list, context("usage_balanced"))).toBe("a usage-fallback switched");
  });
});

test("a session that only some accounts can decrypt goes to no other, not even to a pinned one", () => {
  const list = [
    candidate("a", { condition: "limited" }),
    candidate("b"),
    candidate("c", { exhausted: true }),
  ];
  const how = (...readers: string[]) =>
    context("usage_balanced", { pinnedId: "b", boundId: "a", readers: new Set(readers) });
  expect(chosen(list, how("a"))).toBe("none");
  expect(chosen(list, how("a", "c"))).toBe("c usage-fallback switched");
});

test("a session that leaves its account has moved, even if the policy stays with the one that served last", () => {
  const list = [candidate("a", { condition: "limited" }), candidate("b"), candidate("c", { score: 0.1 })];
  const leaving = (mode: PolicyMode) => chosen(list, context(mode, { activeId: "b", boundId: "a" }));
  expect(leaving("usage_balanced")).toBe("b usage-stay switched");
  expect(leaving("sticky")).toBe("b sticky switched");
  expect(leaving("least_in_flight")).toBe("b least-in-flight switched");
  expect(leaving("reset_aware")).toContain(" switched");
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
  test("accounts with only credits come after those with quota, and before exhausted ones", () => {
    const paid = candidate("b", { exhausted: true, credits: true });
    const spent = candidate("a", { exhausted: true });
    expect(chosen([spent, paid, candidate("c")], context("sticky"))).toBe("c sticky-fallback switched");
    expect(chosen([spent, paid], context("sticky", { boundId: "a", pinnedId: "a" }))).toBe(
      "b sticky-fallback switched",
    );
  });
  test("an account without the model is never chosen, even if the request spends nothing", () => {
    const offering = new Set(["b"]);
    for (const spends of [true, false])
      expect(chosen([candidate("a"), candidate("b")], context("sticky", { offering, spends }))).toBe(
        "b sticky-fallback switched",
      );
    expect(chosen([candidate("a")], context("sticky", { offering }))).toBe("none");
  });
  test("exhausted accounts are tried if there are no others", () => {
    expect(chosen([candidate("a", { exhausted: true })], context("sticky"))).toBe(
      "a sticky-fallback switched",
    );
  });
  test("if all accounts are cooling, the one whose cooldown ends first is tried", () => {
    const list = [
      candidate("a", { condition: "cooling", untilMs: 20 }),
      candidate("b", { condition: "cooling", untilMs: 10 }),
    ];
    expect(chosen(list, context("round_robin"))).toBe("b least-bad switched");
    expect(chosen(list, context("round_robin", { tried: new Set(["b"]) }))).toBe("a least-bad switched");
  });
  test("an account is not tried twice, and none is chosen if none is left", () => {
    expect(chosen([candidate("a")], context("sticky", { tried: new Set(["a"]) }))).toBe("none");
    expect(chosen([candidate("a", { condition: "limited" })], context("sticky"))).toBe("none");
    expect(chosen([], context("usage_balanced"))).toBe("none");
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
    main: { ...UNKNOWN_QUOTA.main, windows: byKind(primary, secondary) },
  });
  const weights = { daily: 60, weekly: 40 };
  const TABLE: [string, Quota, number][] = [
    ["nothing known counts 0.30", UNKNOWN_QUOTA, 0.3],
    ["both windows weighted", quota(window(50), window(0)), 0.7],
    ["one window unknown", quota(window(0)), 0.72],
    ["figures older than the TTL are unknown", quota(window(0, { asOfMs: view.nowMs - 60_001 })), 0.3],
    [
      "exhausted stays exhausted however old, until its reset",
      quota(window(100, { asOfMs: 0 }), window(0)),
      0.4,
    ],
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
      expect(scoreOf(summaryOf(given, given.main, view), weights)).toBeCloseTo(expected, 10);
    });
  test("does not depend on additional limits, which count only for their own models", () => {
    const spark = { ...unknownLimit("spark", "Spark"), windows: byKind(window(90), undefined) };
    const both: Quota = { ...quota(window(0), window(0)), additional: [spark] };
    expect(scoreOf(summaryOf(both, both.main, view), weights)).toBe(1);
    expect(scoreOf(summaryOf(both, spark, view), weights)).toBeCloseTo(0.1, 10);
  });
  test("is 0 if both weights are 0", () => {
    const full = quota(window(0), window(0));
    expect(scoreOf(summaryOf(full, full.main, view), { daily: 0, weekly: -1 })).toBe(0);
  });
});

describe("a draining account", () => {
  const draining = candidate("a", { draining: true, score: 1 });
  const other = candidate("b");
  for (const mode of ["usage_balanced", "sticky", "round_robin"] as const)
    test(`takes no new session under ${mode}, even as the active account`, () => {
      expect(chosen([draining, other], context(mode, { activeId: "a" }))).toStartWith("b ");
    });
  test("keeps its sessions, and serves if it is pinned", () => {
    expect(chosen([draining, other], context("sticky", { boundId: "a" }))).toBe("a affinity");
    expect(chosen([draining, other], context("sticky", { pinnedId: "a" }))).toBe("a pinned");
  });
  test("gets no new session even if the others cannot serve, are cooling or are exhausted", () => {
    expect(chosen([draining], context("sticky"))).toBe("none");
    const cooling = candidate("b", { condition: "cooling", untilMs: 5 });
    expect(chosen([draining, cooling], context("sticky"))).toBe("b least-bad switched");
    expect(chosen([draining, candidate("b", { exhausted: true })], context("sticky"))).toBe(
      "b sticky-fallback switched",
    );
  });
});
