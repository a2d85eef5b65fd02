import { expect, test } from "bun:test";
import type { PolicyMode } from "../../src/core/policy.ts";
import { statusDocument } from "../../src/core/status.ts";
import { type FakeClock, fakeClock } from "../support/clock.ts";
import { memoryPool } from "../support/memory-pool.ts";

function setup(mode: PolicyMode = "usage_balanced", affinity = true) {
  const clock: FakeClock = fakeClock();
  const { pool, store } = memoryPool({ aliases: ["a", "b", "c"], clock, mode, affinity, quotaTtlMs: 60_000 });
  const pick = (session?: string) => {
    const lease = pool.pick({ session, hops: [], tried: new Set(), spends: true, requestId: 1 });
    if (lease === undefined) throw new Error("no account was picked");
    return lease;
  };
  const serve = (session?: string) => {
    const lease = pick(session);
    lease.settle({ kind: "ok" }, { turn: true });
    lease.release();
    return lease.upstream.label;
  };
  const switches = () => pool.facts().switches;
  return { pool, clock, store, pick, serve, switches };
}

test("a session that leaves an exhausted account is a switch with its reason", () => {
  const s = setup();
  s.serve("one");
  expect(s.switches()).toEqual([]);
  s.pick("one").settle({ kind: "limit", untilMs: s.clock.now() + 10_000 });
  const to = s.serve("one");
  expect(s.switches()).toEqual([
    {
      atMs: s.clock.now(),
      firstAtMs: s.clock.now(),
      count: 1,
      ...{ from: "a", to, reason: "usage-limit", window: "short", session: "one" },
    },
  ]);
});

test("the sessions of one account that move together are one switch, and a later one is another", () => {
  const s = setup("sticky");
  for (const session of ["one", "two"]) s.serve(session);
  const limit = () => s.pick("one").settle({ kind: "limit", untilMs: s.clock.now() + 3_600_000 });
  limit();
  for (const session of ["one", "two"]) expect(s.serve(session)).toBe("b");
  expect(s.switches()).toHaveLength(1);
  limit();
  expect(s.serve("two")).toBe("c");
  expect(s.switches().map(({ from, to }) => `${from} ${to}`)).toEqual(["b c", "a b"]);
});

test("a repeated switch moves to the front, with its last time and its number", () => {
  const s = setup("sticky");
  const failOver = (session: string) => {
    s.serve(session);
    s.pick(session).settle({ kind: "cool", reason: "http-500", forMs: 2000, isTimed: true });
    expect(s.serve(session)).toBe("b");
  };
  const firstAtMs = s.clock.now();
  failOver("one");
  s.clock.advance(60_000);
  for (const alias of ["c", "a"]) {
    s.store.state.pinnedId = `openai:${alias}`;
    expect(s.serve("one")).toBe(alias);
  }
  s.store.state.pinnedId = undefined;
  s.clock.advance(9 * 60_000 - 1);
  failOver("two");
  const [latest, ...others] = s.switches();
  expect(latest).toMatchObject({
    from: "a",
    to: "b",
    count: 2,
    firstAtMs,
    atMs: s.clock.now(),
    session: "two",
  });
  expect(others.map(({ from, to, count }) => `${from} ${to} ${count}`)).toEqual(["c a 1", "b c 1"]);
});

test("a pool continues the switches of earlier processes", () => {
  const clock = fakeClock();
  const firstAtMs = clock.now() - 120_000;
  const moved = { from: "a", to: "b", reason: "http-500", session: "one" };
  const pastSwitches = [
    { ...moved, atMs: firstAtMs },
    { from: "b", to: "c", reason: "pinned", atMs: clock.now() - 90_000 },
    { ...moved, atMs: clock.now() - 60_000 },
  ];
  const { pool } = memoryPool({
    aliases: ["a", "b", "c"],
    clock,
    mode: "sticky",
    quotaTtlMs: 60_000,
    pastSwitches,
  });
  const turn = () => pool.pick({ session: "two", hops: [], tried: new Set(), spends: true, requestId: 1 });
  turn()?.settle({ kind: "cool", reason: "http-500", forMs: 2000, isTimed: true });
  turn()?.settle({ kind: "ok" }, { turn: true });
  expect(pool.facts().switches).toEqual([
    { ...moved, session: "two", firstAtMs, atMs: clock.now(), count: 3 },
    {
      from: "b",
      to: "c",
      reason: "pinned",
      firstAtMs: clock.now() - 90_000,
      atMs: clock.now() - 90_000,
      count: 1,
    },
  ]);
});

test("a cooldown, a pin and a drain are reasons", () => {
  const s = setup("sticky");
  s.serve("one");
  s.pick("one").settle({ kind: "cool", reason: "http-500", forMs: 2000, isTimed: true });
  expect(s.serve("one")).toBe("b");
  s.clock.advance(2000);
  s.store.state.pinnedId = "openai:c";
  expect(s.serve("one")).toBe("c");
  expect(s.switches().map(({ from, to, reason }) => [from, to, reason])).toEqual([
    ["b", "c", "pinned"],
    ["a", "b", "http-500"],
  ]);
});

test("a session that returns to its account after a cooldown is a switch", () => {
  const s = setup("sticky");
  s.serve("one");
  const failed = s.pick("one");
  failed.settle({ kind: "cool", reason: "http-500", forMs: 2000, isTimed: true });
  failed.release();
  for (const _turn of [1, 2]) expect(s.serve("one")).toBe("b");
  s.clock.advance(2000);
  for (const _turn of [1, 2]) expect(s.serve("one")).toBe("a");
  expect(s.switches().map(({ from, to, reason }) => [from, to, reason])).toEqual([
    ["b", "a", "affinity"],
    ["a", "b", "http-500"],
  ]);
});

test("the first turn of a session is no switch, whichever account served other sessions last", () => {
  const s = setup("sticky");
  s.serve("one");
  s.store.state.pinnedId = "openai:b";
  expect(s.serve("two")).toBe("b");
  s.store.state.pinnedId = undefined;
  s.pick("one").settle({ kind: "limit", untilMs: s.clock.now() + 10_000 });
  s.pick("two").settle({ kind: "limit", untilMs: s.clock.now() + 10_000 });
  expect(s.serve("three")).toBe("c");
  expect(s.switches()).toEqual([]);
});

test("sessions that the settings do not keep on their account name the policy as the reason", () => {
  const s = setup("round_robin", false);
  for (const to of ["a", "b"]) expect(s.serve("one")).toBe(to);
  expect(s.switches().map(({ from, to, reason }) => [from, to, reason])).toEqual([["a", "b", "rr"]]);
});

test("balancing new sessions over accounts that can all serve is no switch", () => {
  const s = setup("round_robin");
  for (let count = 0; count < 6; count++) s.serve();
  expect(s.switches()).toEqual([]);
});

test("each account reports the number of its sessions", () => {
  const s = setup("sticky");
  for (const session of ["one", "two"]) s.serve(session);
  expect(s.pool.facts().accounts.map(({ alias, sessions }) => [alias, sessions])).toEqual([
    ["a", 2],
    ["b", 0],
    ["c", 0],
  ]);
});

test("the status names only the beginning of a session's id", () => {
  const s = setup("sticky");
  const session = "019ac3f2-1b2c-7d3e-8f90-a1b2c3d4e5f6";
  s.serve(session);
  s.pick(session).settle({ kind: "limit", untilMs: s.clock.now() + 10_000 });
  s.serve(session);
  const view = { nowMs: s.clock.now(), ttlMs: 60_000 };
  expect(statusDocument(s.pool.facts(), view).switches?.map((one) => one.session)).toEqual(["019ac3f2-1b2c"]);
});

test("a switch on another replica is listed by its time, and counts apart from those here", () => {
  const s = setup("sticky");
  s.serve("one");
  s.pick("one").settle({ kind: "limit", untilMs: s.clock.now() + 10_000 });
  s.serve("one");
  const [own] = s.switches();
  if (own === undefined) throw new Error("there is no switch");
  const { firstAtMs: _, count: __, ...moved } = own;
  s.pool.noteSwitch({ ...moved, atMs: moved.atMs - 1_000, replica: "lab" });
  s.pool.noteSwitch({ ...moved, atMs: moved.atMs + 1_000, replica: "lab" });
  expect(s.switches().map(({ atMs, count, replica }) => [atMs - moved.atMs, count, replica])).toEqual([
    [1_000, 2, "lab"],
    [0, 1, undefined],
  ]);
  const { switches = [] } = statusDocument(s.pool.facts(), s.pool.view());
  expect(switches.map(({ replica }) => replica)).toEqual(["lab", undefined]);
});
