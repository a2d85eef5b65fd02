// Priorities and floors in a pool: where turns go, and what is left of the accounts then.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { OptionValues, SpendFloors } from "../../src/core/account-options.ts";
import { POLICY_MODES } from "../../src/core/policy.ts";
import { type QuotaEvidence, UNKNOWN_QUOTA } from "../../src/core/quota.ts";
import { byKind } from "../../src/core/windows.ts";
import { setOptions } from "../../src/state/record-changes.ts";
import { fakeClock } from "../support/clock.ts";
import { NOW } from "../support/evidence.ts";
import { memoryPool } from "../support/memory-pool.ts";

const HOUR_MS = 3_600_000;
const SHORT_RESET_MS = NOW + 3 * HOUR_MS;
const WEEK_RESET_MS = NOW + 50 * HOUR_MS;

/** Figures after which `short` and `weekly` percent are left. */
function left(short: number, weekly: number, nowMs = NOW): QuotaEvidence {
  const window = (percent: number, seconds: number, resetAtMs: number) => ({
    usedPercent: 100 - percent,
    resetAtMs,
    windowSeconds: seconds,
    asOfMs: nowMs,
    source: "headers" as const,
  });
  return {
    ...UNKNOWN_QUOTA,
    main: {
      ...UNKNOWN_QUOTA.main,
      completeAsOfMs: nowMs,
      windows: byKind(window(short, 18_000, SHORT_RESET_MS), window(weekly, 604_800, WEEK_RESET_MS)),
    },
  };
}

function setup(
  fileOptions: Readonly<Record<string, OptionValues>>,
  more: { readonly spendFloors?: SpendFloors; readonly mode?: (typeof POLICY_MODES)[number] } = {},
) {
  const clock = fakeClock(NOW);
  const { mode = "usage_balanced" } = more;
  const aliases = ["alice", "bob", "carol"];
  const { pool, store } = memoryPool({
    aliases,
    clock,
    quotaTtlMs: 100 * HOUR_MS,
    fileOptions,
    ...more,
    mode,
  });
  const pick = (session?: string, pinned?: string) =>
    pool.pick({
      session,
      hops: [],
      tried: new Set(),
      spends: true,
      requestId: 1,
      pinnedId: pinned && `openai:${pinned}`,
    });
  return {
    pool,
    store,
    clock,
    learn: (alias: string, short: number, weekly: number) =>
      pool.learn(`openai:${alias}`, left(short, weekly, clock.now())),
    /** Serves a turn and returns the account's alias, or "none". */
    serve: (session?: string, pinned?: string): string => {
      const lease = pick(session, pinned);
      lease?.settle({ kind: "ok" }, { turn: true });
      lease?.release();
      return lease?.upstream.label ?? "none";
    },
  };
}

describe("a priority", () => {
  test("goes before the policy, as long as the account has room", () => {
    const s = setup({ carol: { priority: 1 } });
    s.learn("alice", 90, 90);
    s.learn("carol", 10, 10);
    expect(s.serve()).toBe("carol");
    s.learn("carol", 0, 10);
    expect(s.serve()).toBe("alice");
  });

  test("does not move a session that is bound to an account with room", () => {
    const s = setup({ alice: { priority: 1 } });
    s.learn("alice", 0, 50);
    s.learn("bob", 90, 90);
    expect(s.serve("one")).toBe("bob");
    s.clock.advance(3 * HOUR_MS);
    expect(s.serve("one")).toBe("bob");
    expect(s.serve("two")).toBe("alice");
  });

  test("of accounts with the same one, the policy decides", () => {
    const s = setup({ alice: { priority: 1 }, bob: { priority: 1 } }, { mode: "round_robin" });
    expect([s.serve(), s.serve(), s.serve(), s.serve()]).toEqual(["alice", "bob", "alice", "bob"]);
  });
});

describe("a floor", () => {
  const FLOOR = { alice: { floorWeekly: 20, priority: 1 } };

  test("holds the account back while others have room, also from its own sessions", () => {
    const s = setup(FLOOR);
    s.learn("alice", 90, 21);
    expect(s.serve("one")).toBe("alice");
    s.learn("alice", 90, 20);
    expect(s.pool.shouldMove("openai:alice", { session: "one", hops: [] }, true)).toBe(true);
    expect(s.serve("one")).toBe("bob");
    expect(s.pool.facts().switches[0]).toMatchObject({
      from: "alice",
      to: "bob",
      reason: "floor",
      window: "weekly",
    });
    s.learn("alice", 90, 50);
    expect(s.serve("one")).toBe("bob"); // the session has moved for good
  });

  test("gives way as the last resort before exhausted accounts", () => {
    const s = setup(FLOOR);
    s.learn("alice", 90, 10);
    for (const alias of ["bob", "carol"]) s.learn(alias, 0, 50);
    expect(s.serve("one")).toBe("alice");
    expect(s.pool.shouldMove("openai:alice", { session: "one", hops: [] }, true)).toBe(false);
    const { accounts } = s.pool.explain(undefined, undefined);
    expect(accounts[0]?.why).toBe(
      "among those with priority 1: it served last, and no other score is better by more than delta_percent; no other account can serve, so its kept-back quota is used (Weekly limit: the last 20 % are kept back)",
    );
  });

  test("never gives way with spend_floors = never, and the refusal names the reset", () => {
    const s = setup(
      { alice: { floorDaily: 20, floorWeekly: 20 }, bob: { floorWeekly: 50 } },
      { spendFloors: "never" },
    );
    s.learn("alice", 15, 90);
    s.learn("bob", 90, 40);
    s.learn("carol", 0, 40);
    const limited = s.pool.pick({
      session: undefined,
      hops: [],
      tried: new Set(),
      spends: true,
      requestId: 1,
    });
    expect(limited?.upstream.label).toBe("carol"); // exhausted by its figures only
    limited?.settle({ kind: "limit", untilMs: WEEK_RESET_MS });
    limited?.release();
    expect(s.serve()).toBe("none");
    expect(s.pool.shortage(undefined)).toMatchObject({
      kind: "all_exhausted",
      untilMs: SHORT_RESET_MS,
      keptBack: [
        { alias: "alice", floors: ["daily"], floorsInFile: ["daily"] },
        { alias: "bob", floors: ["weekly"], floorsInFile: ["weekly"] },
      ],
    });
    expect(s.pool.explain(undefined, undefined).back_at_ms).toBe(SHORT_RESET_MS);
    s.clock.advance(SHORT_RESET_MS - NOW);
    expect(s.serve()).toBe("alice");
  });

  test("of a whole window has no known end, because the reset does not help", () => {
    const whole = { floorDaily: 100 };
    const s = setup({ alice: whole, bob: whole, carol: whole }, { spendFloors: "never" });
    for (const alias of ["alice", "bob", "carol"]) s.learn(alias, 90, 90);
    expect(s.serve()).toBe("none");
    expect(s.pool.shortage(undefined)).toMatchObject({ kind: "all_exhausted", untilMs: undefined });
  });

  test("that is never spent is no part of the pool's figures", () => {
    const pooled = (spendFloors: SpendFloors) => {
      const s = setup({ alice: { floorDaily: 20, floorWeekly: 50 } }, { spendFloors });
      s.learn("alice", 90, 40);
      for (const alias of ["bob", "carol"]) s.learn(alias, 60, 70);
      const { windows, reached } = s.pool.usage().main;
      return [windows.short?.left, windows.weekly?.left, reached];
    };
    expect(pooled("last")).toEqual([expect.closeTo(0.7), expect.closeTo(0.6), false]);
    // Of alice the pool may use 70 % of the short window, and nothing of the week.
    expect(pooled("never")).toEqual([expect.closeTo(1.9 / 3), expect.closeTo(1.4 / 3), false]);
  });

  test("does not hold back a pinned run", () => {
    const s = setup(FLOOR, { spendFloors: "never" });
    s.learn("alice", 90, 10);
    expect(s.serve("one", "alice")).toBe("alice");
    expect(s.serve("two")).toBe("bob");
  });

  test("does not hold back requests that spend nothing", () => {
    const s = setup({ alice: { floorWeekly: 20 }, bob: { floorWeekly: 20 }, carol: { floorWeekly: 20 } });
    for (const alias of ["alice", "bob", "carol"]) s.learn(alias, 90, 10);
    const request = { session: undefined, hops: [], tried: new Set<string>(), requestId: 1 };
    expect(s.pool.pick({ ...request, spends: false })?.upstream.label).toBe("alice");
  });

  test("does not give way for a detour around an account on which a response broke off", () => {
    const s = setup({ bob: { floorWeekly: 50 }, carol: { floorWeekly: 50 } });
    s.learn("alice", 90, 90);
    for (const alias of ["bob", "carol"]) s.learn(alias, 90, 40);
    const lease = s.pool.pick({ session: "one", hops: [], tried: new Set(), spends: true, requestId: 1 });
    lease?.broke();
    lease?.release();
    expect(s.serve("one")).toBe("alice");
  });

  test("that is set or removed has an effect immediately", () => {
    const s = setup({});
    for (const alias of ["bob", "carol"]) s.learn(alias, 10, 10);
    s.learn("alice", 30, 30);
    expect(s.serve()).toBe("alice");
    const [alice] = s.store.state.accounts;
    if (alice === undefined) throw new Error("no account");
    setOptions(alice, { floorWeekly: 30 });
    expect(s.serve()).toBe("bob");
    setOptions(alice, {});
    expect(s.serve()).not.toBe("none");
    expect(s.pool.facts().accounts[0]?.candidate.condition).toBe("ready");
  });

  const percent = fc.integer({ min: 0, max: 100 });
  const options: fc.Arbitrary<OptionValues> = fc.record({
    priority: fc.integer({ min: -1, max: 1 }),
    floorDaily: fc.constantFrom(0, 10, 50),
    floorWeekly: fc.constantFrom(0, 10, 50),
  });

  test("is never crossed while another account has room, whatever the figures, and is no reason to refuse", () =>
    fc.assert(
      fc.property(
        fc.array(options, { minLength: 3, maxLength: 3 }),
        fc.array(fc.tuple(fc.nat(2), percent, percent, fc.nat(3)), { maxLength: 20 }),
        fc.constantFrom(...POLICY_MODES),
        ([a = {}, b = {}, c = {}], steps, mode) => {
          const all = { alice: a, bob: b, carol: c };
          const s = setup(all, { mode });
          const known = new Map<string, { short: number; weekly: number }>();
          const room = (alias: keyof typeof all): "above" | "below" | "none" => {
            const figures = known.get(alias);
            if (figures === undefined) return "above";
            if (Math.min(figures.short, figures.weekly) === 0) return "none";
            const { floorDaily = 0, floorWeekly = 0 } = all[alias];
            const isLow =
              (floorDaily > 0 && figures.short <= floorDaily) ||
              (floorWeekly > 0 && figures.weekly <= floorWeekly);
            return isLow ? "below" : "above";
          };
          for (const [account, short, weekly, session] of steps) {
            const alias = (["alice", "bob", "carol"] as const)[account] ?? "alice";
            s.clock.advance(1);
            s.learn(alias, short, weekly);
            known.set(alias, { short, weekly });
            const served = s.serve(`s${session}`);
            expect(served).not.toBe("none");
            const rooms = (["alice", "bob", "carol"] as const).map(room);
            const best = ["above", "below", "none"].find((one) => rooms.includes(one as "above"));
            expect(room(served as keyof typeof all)).toBe(best as "above");
          }
        },
      ),
      { numRuns: 500 },
    ));
});
