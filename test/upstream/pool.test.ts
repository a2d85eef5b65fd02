import { describe, expect, test } from "bun:test";
import type { PolicyMode } from "../../src/core/policy.ts";
import { type QuotaWindow, UNKNOWN_QUOTA } from "../../src/core/quota.ts";
import { type Ramp, rampAfter } from "../../src/core/slow-start.ts";
import { byKind } from "../../src/core/windows.ts";
import { identify } from "../../src/state/record-changes.ts";
import type { Store } from "../../src/state/store.ts";
import type { Lease } from "../../src/upstream/leases.ts";
import type { Pool } from "../../src/upstream/pool.ts";
import { type FakeClock, fakeClock } from "../support/clock.ts";
import { memoryPool } from "../support/memory-pool.ts";

const NO_LOGIN = {
  accountId: undefined,
  userId: undefined,
  email: undefined,
  planType: undefined,
  apiBaseUrl: undefined,
  mark: "",
};

interface Setup {
  readonly pool: Pool;
  readonly clock: FakeClock;
  readonly store: Store;
  pick(session?: string): Lease;
  serve(session?: string): string;
}

function setup(aliases: readonly string[], mode: PolicyMode = "usage_balanced", affinity = true): Setup {
  const clock = fakeClock();
  const { pool, store } = memoryPool({ aliases, clock, mode, affinity, quotaTtlMs: 60_000 });
  const pick = (session?: string): Lease => {
    const lease = pool.pick({ session, hops: [], tried: new Set(), spends: true, requestId: 1 });
    if (lease === undefined) throw new Error("no account was picked");
    return lease;
  };
  return {
    pool,
    clock,
    store,
    pick,
    serve: (session) => {
      const lease = pick(session);
      lease.settle({ kind: "ok" }, { turn: true });
      lease.release();
      return lease.upstream.label;
    },
  };
}

describe("a session", () => {
  test("keeps its account even when the policy prefers another", () => {
    const s = setup(["a", "b"], "round_robin");
    const first = s.serve("one");
    for (let count = 0; count < 5; count++) {
      s.serve();
      expect(s.serve("one")).toBe(first);
    }
  });

  test("avoids a faulty account for a while, and returns to it", () => {
    const s = setup(["a", "b"]);
    expect(s.serve("one")).toBe("a");
    const failed = s.pick("one");
    failed.settle({ kind: "cool", reason: "http-500", forMs: 2000, isTimed: true });
    failed.release();
    expect(s.serve("one")).toBe("b");
    s.clock.advance(2000);
    expect(s.serve("one")).toBe("a");
  });

  test("moves permanently when its account is exhausted", () => {
    const s = setup(["a", "b"]);
    s.serve("one");
    s.pick("one").settle({ kind: "limit", untilMs: s.clock.now() + 10_000 });
    expect(s.serve("one")).toBe("b");
    s.clock.advance(20_000);
    expect(s.serve("one")).toBe("b");
  });

  test("moves when another account is pinned, even on an open socket", () => {
    const s = setup(["a", "b"]);
    s.serve("one");
    expect(s.pool.shouldMove("openai:a", { session: "one", hops: [] }, true)).toBe(false);
    s.store.state.pinnedId = "openai:b";
    expect(s.pool.shouldMove("openai:a", { session: "one", hops: [] }, true)).toBe(true);
    expect(s.serve("one")).toBe("b");
  });

  test("is placed by the policy every time when affinity is off", () => {
    const s = setup(["a", "b"], "round_robin", false);
    expect([1, 2, 3, 4].map(() => s.serve("one"))).toEqual(["a", "b", "a", "b"]);
  });
});

describe("round_robin", () => {
  test("alternates even before any request has ended", () => {
    const s = setup(["a", "b", "c"], "round_robin");
    expect([1, 2, 3, 4].map(() => s.pick().upstream.label)).toEqual(["a", "b", "c", "a"]);
  });
});

test("a request that uses no quota does not advance round_robin, and an exhausted account can serve it", () => {
  const s = setup(["a", "b"], "round_robin");
  const other = () =>
    s.pool.pick({ session: undefined, hops: [], tried: new Set(), spends: false, requestId: 1 })?.upstream
      .label;
  expect(s.serve()).toBe("a");
  other();
  expect(s.serve()).toBe("b");
  for (const _ of ["a", "b"]) s.pick().settle({ kind: "limit", untilMs: s.clock.now() + 1000 });
  expect(
    s.pool.pick({ session: undefined, hops: [], tried: new Set(), spends: true, requestId: 1 }),
  ).toBeUndefined();
  const lease = s.pool.pick({ session: undefined, hops: [], tried: new Set(), spends: false, requestId: 1 });
  lease?.settle({ kind: "ok" });
  expect(
    s.pool.pick({ session: undefined, hops: [], tried: new Set(), spends: true, requestId: 1 }),
  ).toBeUndefined();
});

describe("an account", () => {
  test("with a limit without a reset cools down for a minute, not longer", () => {
    const s = setup(["a"]);
    s.pick().settle({ kind: "limit", untilMs: undefined });
    expect(
      s.pool.pick({ session: undefined, hops: [], tried: new Set(), spends: true, requestId: 1 }),
    ).toBeUndefined();
    expect(s.pool.shortage(undefined)).toMatchObject({
      kind: "all_exhausted",
      untilMs: s.clock.now() + 60_000,
    });
    s.clock.advance(60_000);
    expect(s.serve()).toBe("a");
  });

  test("with a limit whose reset is in the past cools down as without a reset", () => {
    const s = setup(["a"]);
    s.pick().settle({ kind: "limit", untilMs: s.clock.now() - 1 });
    expect(s.pool.shortage(undefined)).toMatchObject({
      kind: "all_exhausted",
      untilMs: s.clock.now() + 60_000,
    });
  });

  test("that is cooling down is tried if there is no other", () => {
    const s = setup(["a", "b"]);
    s.pick().settle({ kind: "cool", reason: "http-500", forMs: 9000, isTimed: true });
    s.pick().settle({ kind: "cool", reason: "http-500", forMs: 3000, isTimed: true });
    expect(s.pick().choice).toMatchObject({ id: "openai:b", reason: "least-bad" });
  });

  test("returns to service before the reset if newer figures show room", () => {
    const s = setup(["a"]);
    s.pick().settle({ kind: "limit", untilMs: s.clock.now() + 1_000_000 });
    s.clock.advance(10);
    const window = {
      usedPercent: 5,
      resetAtMs: undefined,
      windowSeconds: undefined,
      asOfMs: s.clock.now(),
      source: "usage_api",
    } as const;
    s.pool.learn("openai:a", {
      ...UNKNOWN_QUOTA,
      main: { ...UNKNOWN_QUOTA.main, windows: byKind<QuotaWindow>(window, undefined) },
    });
    expect(s.serve()).toBe("a");
  });

  test("that is pinned and disabled lets another one serve, and keeps its pin", () => {
    const s = setup(["a", "b"]);
    s.store.state.pinnedId = "openai:a";
    s.pick().settle({ kind: "disable", reason: "http-401" });
    expect(s.store.state.pinnedId).toBe("openai:a");
    expect(s.serve()).toBe("b");
    expect(s.pool.shortage(undefined).details).toEqual([
      "a (disabled: login expired)",
      "b (failed this request)",
    ]);
  });
});

describe("slow start", () => {
  test("allows one request at a time, then two, then four, then any number", () => {
    const steps: Ramp[] = [rampAfter(undefined, "cooled")];
    for (let served = 0; served < 4; served++) steps.push(rampAfter(steps.at(-1), "served"));
    expect(steps).toEqual([1, 2, 4, undefined, undefined]);
    expect(rampAfter(2, "cooled")).toBe(1);
    expect(rampAfter(1, "restored")).toBeUndefined();
  });

  test("protects a recovering account from too many requests, and delays no request", () => {
    const s = setup(["a", "b"], "sticky", false);
    expect(s.serve()).toBe("a");
    const failed = s.pick();
    failed.settle({ kind: "cool", reason: "http-503", forMs: 1000, isTimed: true });
    failed.release();
    expect(s.serve()).toBe("b");
    s.store.state.activeId = "openai:a";
    s.clock.advance(1000);
    const taken = () => {
      const lease = s.pick();
      lease.settle({ kind: "client" });
      return lease;
    };
    const probe = taken();
    expect(probe.upstream.label).toBe("a");
    expect(taken().upstream.label).toBe("b");
    probe.settle({ kind: "ok" }, { turn: true });
    s.store.state.activeId = "openai:a";
    expect(taken().upstream.label).toBe("a");
    expect(taken().upstream.label).toBe("b");
  });
});

describe("a session whose history only its account can read", () => {
  test("waits for that account and gets its reset, even while others have room", () => {
    const s = setup(["a", "b"]);
    s.serve("one");
    s.pick("one").hold();
    s.pick("one").settle({ kind: "limit", untilMs: s.clock.now() + 9000 });
    const request = { session: "one", hops: [], tried: new Set<string>(), spends: true, requestId: 1 };
    expect(s.pool.pick(request)).toBeUndefined();
    expect(s.pool.shortage("one")).toMatchObject({ kind: "all_exhausted", untilMs: s.clock.now() + 9000 });
    expect(s.serve("two")).toBe("b");
    s.clock.advance(9000);
    expect(s.serve("one")).toBe("a");
  });

  test("may go to another account of the same workspace, and is searched for when its account was removed", () => {
    const s = setup(["a", "b", "c"]);
    for (const account of s.store.state.accounts)
      identify(account, { ...NO_LOGIN, accountId: account.alias === "b" ? "other" : "shared" });
    s.serve("one");
    s.pick("one").hold();
    s.pick("one").settle({ kind: "limit", untilMs: s.clock.now() + 9000 });
    expect(s.pick("one").upstream.label).toBe("c");
    s.store.state.accounts = s.store.state.accounts.filter((account) => account.alias !== "a");
    s.pool.sync();
    expect(s.pick("one").upstream.label).toBe("b");
  });

  test("stays with the account that could read it", () => {
    const s = setup(["a", "b"]);
    const lease = s.pick("one");
    lease.settle({ kind: "ok" }, { turn: true, held: true });
    expect(s.pool.explain("on", undefined)).toMatchObject({ session: "one" });
    expect(s.pool.explain("one", undefined)).toMatchObject({ bound_to: lease.upstream.label, held: true });
  });
});

test("a session avoids the account whose response broke off until a turn is served, and explain says so", () => {
  const s = setup(["a", "b"]);
  expect(s.serve("one")).toBe("a");
  const lease = s.pick("one");
  lease.broke();
  lease.release();
  const { chosen, accounts } = s.pool.explain("one", undefined);
  expect(chosen).toBe("b");
  expect(accounts.find(({ alias }) => alias === "a")?.why).toContain("broke off there");
  expect(s.serve("one")).toBe("b");
  expect(s.serve("one")).toBe("a");
});

describe("a limit of one feature", () => {
  test("puts its account last, but does not exclude it", () => {
    const s = setup(["a", "b"]);
    s.pick().settle({ kind: "limit", untilMs: s.clock.now() + 1_000_000, limitId: "codex_spark" });
    expect(s.store.state.accounts[0]?.health.kind).toBe("healthy");
    expect(s.serve()).toBe("b");
    s.pick().settle({ kind: "disable", reason: "http-401" });
    expect(s.serve()).toBe("a");
  });
});

test("a request that is not a turn does not make its account the active one", () => {
  const s = setup(["a", "b"]);
  expect(s.serve()).toBe("a");
  const other = s.pool.pick({
    session: undefined,
    hops: [],
    tried: new Set(["openai:a"]),
    spends: false,
    requestId: 1,
  });
  other?.settle({ kind: "ok" });
  expect(other?.upstream.label).toBe("b");
  expect(s.store.state.activeId).toBe("openai:a");
});

test("uses are counted while they last, and released once", () => {
  const s = setup(["a"]);
  const lease = s.pick();
  expect(s.pool.facts().accounts[0]?.candidate.inFlight).toBe(1);
  lease.release();
  lease.release();
  expect(s.pool.facts().accounts[0]?.candidate.inFlight).toBe(0);
});
