import { describe, expect, test } from "bun:test";
import type { PolicyMode } from "../../src/core/policy.ts";
import { newAccount, type Store } from "../../src/state/store.ts";
import { createAffinity } from "../../src/upstream/affinity.ts";
import { createPool, type Lease, type Pool } from "../../src/upstream/pool.ts";
import type { Upstream } from "../../src/upstream/upstream.ts";
import { type FakeClock, fakeClock } from "../support/clock.ts";

interface Setup {
  readonly pool: Pool;
  readonly clock: FakeClock;
  readonly store: Store;
  pick(session?: string): Lease;
  serve(session?: string): string;
}

function setup(aliases: readonly string[], mode: PolicyMode = "usage_balanced", affinity = true): Setup {
  const clock = fakeClock();
  const store: Store = {
    state: {
      accounts: aliases.map((alias) => newAccount(alias, `/${alias}`)),
      activeId: undefined,
      pinnedId: undefined,
      messageCounter: 0,
      lastRotationMs: 0,
    },
    touch: () => {},
    flush: () => {},
  };
  const pool = createPool({
    deps: { clock, log: { info: () => {}, warn: () => {} } },
    store,
    affinity: createAffinity(),
    events: { append: () => {}, flush: () => {} },
    settings: () => ({
      proxyName: "p",
      policy: { mode, deltaPercent: 10, weights: { daily: 60, weekly: 40 }, affinity },
      quotaTtlMs: 60_000,
    }),
    makeUpstream: (record) => ({ id: record.id, label: record.alias }) as Upstream,
  });
  const pick = (session?: string): Lease => {
    const lease = pool.pick({ session, tried: new Set(), spends: true, requestId: 1 });
    if (lease === undefined) throw new Error("nobody");
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
  test("keeps its account although the policy prefers another by now", () => {
    const s = setup(["a", "b"], "round_robin");
    const first = s.serve("one");
    for (let count = 0; count < 5; count++) {
      s.serve();
      expect(s.serve("one")).toBe(first);
    }
  });

  test("makes a detour around a fault, and comes back", () => {
    const s = setup(["a", "b"]);
    expect(s.serve("one")).toBe("a");
    s.pick("one").settle({ kind: "cool", reason: "http-500", forMs: 2000 });
    expect(s.serve("one")).toBe("b");
    s.clock.advance(2000);
    expect(s.serve("one")).toBe("a");
  });

  test("moves for good when its account is used up", () => {
    const s = setup(["a", "b"]);
    s.serve("one");
    s.pick("one").settle({ kind: "limit", untilMs: s.clock.now() + 10_000 });
    expect(s.serve("one")).toBe("b");
    s.clock.advance(20_000);
    expect(s.serve("one")).toBe("b");
  });

  test("moves when another account is pinned, and an open socket is told so", () => {
    const s = setup(["a", "b"]);
    s.serve("one");
    expect(s.pool.shouldMove("openai:a", "one")).toBe(false);
    s.store.state.pinnedId = "openai:b";
    expect(s.pool.shouldMove("openai:a", "one")).toBe(true);
    expect(s.serve("one")).toBe("b");
  });

  test("is placed by the policy every time when affinity is off", () => {
    const s = setup(["a", "b"], "round_robin", false);
    expect([1, 2, 3, 4].map(() => s.serve("one"))).toEqual(["a", "b", "a", "b"]);
  });
});

describe("round_robin", () => {
  test("takes turns even while no request has ended yet", () => {
    const s = setup(["a", "b", "c"], "round_robin");
    expect([1, 2, 3, 4].map(() => s.pick().upstream.label)).toEqual(["a", "b", "c", "a"]);
  });
});

test("what needs no allowance does not move the round, and is served by a used-up account", () => {
  const s = setup(["a", "b"], "round_robin");
  const other = () =>
    s.pool.pick({ session: undefined, tried: new Set(), spends: false, requestId: 1 })?.upstream.label;
  expect(s.serve()).toBe("a");
  other();
  expect(s.serve()).toBe("b");
  for (const _ of ["a", "b"]) s.pick().settle({ kind: "limit", untilMs: s.clock.now() + 1000 });
  expect(s.pool.pick({ session: undefined, tried: new Set(), spends: true, requestId: 1 })).toBeUndefined();
  const lease = s.pool.pick({ session: undefined, tried: new Set(), spends: false, requestId: 1 });
  lease?.settle({ kind: "ok" });
  expect(s.pool.pick({ session: undefined, tried: new Set(), spends: true, requestId: 1 })).toBeUndefined();
});

describe("health", () => {
  test("of a limit without a reset is believed for a minute, and no longer", () => {
    const s = setup(["a"]);
    s.pick().settle({ kind: "limit", untilMs: undefined });
    expect(s.pool.pick({ session: undefined, tried: new Set(), spends: true, requestId: 1 })).toBeUndefined();
    expect(s.pool.shortage()).toMatchObject({ kind: "all_exhausted", untilMs: s.clock.now() + 60_000 });
    s.clock.advance(60_000);
    expect(s.serve()).toBe("a");
  });

  test("of a limit whose reset is over already is that of one without a reset", () => {
    const s = setup(["a"]);
    s.pick().settle({ kind: "limit", untilMs: s.clock.now() - 1 });
    expect(s.pool.shortage()).toMatchObject({ kind: "all_exhausted", untilMs: s.clock.now() + 60_000 });
  });

  test("that merely rests is tried all the same when there is nothing else", () => {
    const s = setup(["a", "b"]);
    s.pick().settle({ kind: "cool", reason: "http-500", forMs: 9000 });
    s.pick().settle({ kind: "cool", reason: "http-500", forMs: 3000 });
    expect(s.pick().choice).toMatchObject({ id: "openai:b", reason: "least-bad" });
  });

  test("comes back before the reset when newer figures show room", () => {
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
      planType: undefined,
      main: { id: "codex", name: undefined, primary: window, secondary: undefined },
      additional: [],
    });
    expect(s.serve()).toBe("a");
  });

  test("of a disabled account lets another one serve, and the pin waits for it", () => {
    const s = setup(["a", "b"]);
    s.store.state.pinnedId = "openai:a";
    s.pick().settle({ kind: "disable", reason: "http-401" });
    expect(s.store.state.pinnedId).toBe("openai:a");
    expect(s.serve()).toBe("b");
    expect(s.pool.shortage().details).toEqual(["a (disabled: http-401)", "b (failed this request)"]);
  });
});

test("uses are counted while they last, and released once", () => {
  const s = setup(["a"]);
  const lease = s.pick();
  expect(s.pool.facts().accounts[0]?.inFlight).toBe(1);
  lease.release();
  lease.release();
  expect(s.pool.facts().accounts[0]?.inFlight).toBe(0);
});
