// Two replicas of a pool, in one process: what one notices about an account, the other applies.

import { describe, expect, test } from "bun:test";
import type { PutBack } from "../../src/cluster/put-back.ts";
import type { Signal, SignalKind, Signals } from "../../src/cluster/signals.ts";
import { createTurnShares } from "../../src/cluster/turn-shares.ts";
import { type Quota, type QuotaWindow, UNKNOWN_QUOTA } from "../../src/core/quota.ts";
import { byKind } from "../../src/core/windows.ts";
import { createSimulatedPool } from "../../src/simulation/simulated-pool.ts";
import { newAccount } from "../../src/state/account-record.ts";
import { changeHealth, disableByOperator, enable, makePlausible } from "../../src/state/record-changes.ts";
import { createAccountSignals } from "../../src/upstream/account-signals.ts";
import type { Lease } from "../../src/upstream/leases.ts";
import type { Pool } from "../../src/upstream/pool.ts";
import type { PoolObserver } from "../../src/upstream/pool-observer.ts";
import { fakeClock } from "../support/clock.ts";

const MINUTE_MS = 60_000;
const POLICY = {
  mode: "sticky",
  deltaPercent: 10,
  weights: { daily: 60, weekly: 40 },
  affinity: true,
  useCredits: true,
  spendFloors: "last",
  tags: undefined,
} as const;

/** `aheadMs`: how far the clock of the second replica is ahead. `concurrency`: of both accounts, 0: no limit. */
function setup(aheadMs = 0, concurrency = 0) {
  const clock = fakeClock();
  const sent: string[] = [];
  const cut = { isCut: false };
  const watchers: Map<string, (signal: Signal<never>) => void>[] = [new Map(), new Map()];
  const clocks = [clock, { ...clock, now: () => clock.now() + aheadMs }];
  const signalsOf = (index: number): Signals => ({
    put: <T>(kind: SignalKind<T>, name: string, value: T, atMs = clocks[index]!.now()) => {
      sent.push(`${index} ${kind.kind}`);
      const byMs = index === 0 ? aheadMs : -aheadMs;
      const parsed = kind.schema.parse(JSON.parse(JSON.stringify(value)));
      const signal = {
        name,
        value: kind.shift?.(parsed, byMs) ?? parsed,
        atMs: atMs + byMs,
        endsMs: clocks[1 - index]!.now() + kind.lifetimeMs,
        replica: String(index),
      };
      watchers[1 - index]!.get(kind.kind)?.(signal as Signal<never>);
    },
    watch: (kind, apply) => void watchers[index]!.set(kind.kind, apply),
    ask: async () => {},
  });
  const replicas = clocks.map((ownClock, index) => {
    let observer: PoolObserver | undefined;
    const { pool, store } = createSimulatedPool({
      records: ["a", "b"].map((alias) => newAccount(alias, `/${alias}`, { loginMark: "login" })),
      clock: ownClock,
      settings: {
        policy: POLICY,
        quotaTtlMs: 10 * MINUTE_MS,
        fileOptions: concurrency === 0 ? {} : { a: { concurrency }, b: { concurrency } },
      },
      observer: {
        changed: (...change) => observer?.changed(...change),
        modelRefused: (...refusal) => observer?.modelRefused(...refusal),
        turnsChanged: (record) => observer?.turnsChanged(record),
      },
    });
    const notes = new Map<string, PutBack>();
    const shared = { clock: ownClock, signals: signalsOf(index), replica: String(index) };
    const signals = createAccountSignals({
      ...shared,
      putBack: {
        all: () => notes,
        note: (id, putBack) => void notes.set(id, putBack),
        forget: (id) => void notes.delete(id),
      },
      store,
      turnShares: createTurnShares({ ...shared, replicas: () => 2, isCutOff: () => cut.isCut }),
      concurrency: () => concurrency,
    });
    observer = signals;
    return { pool, store, signals, clock: ownClock, record: store.state.accounts[0]! };
  });
  const [first, second] = replicas as [(typeof replicas)[0], (typeof replicas)[0]];
  for (const { signals, pool } of replicas) signals.start(pool);
  return { clock, sent, cut, first, second };
}

const REQUEST = { session: undefined, hops: [], tried: new Set<string>(), spends: true, requestId: 1 };

function pick(pool: Pool, model?: string): Lease {
  const lease = pool.pick({ ...REQUEST, model });
  if (lease === undefined) throw new Error("no account was picked");
  return lease;
}

const figures = (usedPercent: number, asOfMs: number, resetAtMs: number): Quota => {
  const window: QuotaWindow = { usedPercent, resetAtMs, windowSeconds: 18_000, asOfMs, source: "headers" };
  return { ...UNKNOWN_QUOTA, main: { ...UNKNOWN_QUOTA.main, windows: byKind(window, undefined) } };
};

describe("the concurrency limit", () => {
  const turn = (pool: Pool) => pool.pick({ ...REQUEST, bytes: 1 });

  test("applies to the turns of both replicas, and a slot is free immediately when a turn ends on the other one", () => {
    const { first, second } = setup(0, 1);
    const leases = [turn(first.pool), turn(first.pool)];
    expect(leases.map((lease) => lease?.upstream.label)).toEqual(["a", "b"]);
    expect(turn(second.pool)).toBeUndefined();
    let rooms = 0;
    second.pool.onRoom(() => rooms++);
    leases[0]?.release();
    expect(rooms).toBe(1);
    expect(turn(second.pool)?.upstream.label).toBe("a");
  });

  test("is divided within a second when the replica does not hear from the others, and whole again afterwards", () => {
    const { clock, cut, first } = setup(0, 4);
    for (let turns = 0; turns < 2; turns++) turn(first.pool);
    clock.advance(1_000);
    expect(first.record).toMatchObject({ turns: 2, turnSharers: 1 });
    cut.isCut = true;
    clock.advance(1_000);
    expect(first.record).toMatchObject({ turnsElsewhere: 0, turnSharers: 2 });
    expect(turn(first.pool)?.upstream.label).toBe("b");
    cut.isCut = false;
    clock.advance(1_000);
    expect(first.record.turnSharers).toBe(1);
  });

  test("is not counted for accounts without one", () => {
    const { sent, first } = setup();
    turn(first.pool)?.release();
    expect(sent.filter((line) => line.includes("turns-at-once"))).toEqual([]);
  });
});

describe("a replica applies", () => {
  test("a cooldown at once, and its end", () => {
    const { clock, sent, first, second } = setup();
    const lease = pick(first.pool);
    lease.settle({ kind: "cool", reason: "http-500", forMs: 5_000, isTimed: true });
    lease.release();
    expect(second.record.health).toMatchObject({ kind: "cooling", reason: "http-500" });
    expect(second.record.health).toEqual(first.record.health);
    expect(pick(second.pool).upstream.label).toBe("b");
    clock.advance(2_000);
    first.pool.note(first.record.id, { kind: "served", startedMs: clock.now() });
    expect(second.record.health).toEqual({ kind: "healthy" });
    clock.advance(5_000);
    expect(sent.filter((line) => line.includes("health"))).toEqual(["0 health", "0 health"]);
  });

  test("the end of a cooldown, unless it began after the turn that was served", () => {
    const { clock, first, second } = setup();
    const cool = ({ pool }: typeof first, forMs: number) =>
      pool.note("openai:a", {
        kind: "cool",
        cause: "fault",
        reason: "x",
        atMs: clock.now(),
        untilMs: clock.now() + forMs,
      });
    cool(first, 5_000);
    clock.advance(1_000);
    const early = first.pool.use("openai:a", REQUEST, undefined)!;
    clock.advance(1_000);
    cool(second, 60_000);
    early.settle({ kind: "ok" }, { turn: true });
    for (const { record } of [first, second]) expect(record.health.kind).toBe("cooling");
    const late = second.pool.use("openai:a", REQUEST, undefined)!;
    late.settle({ kind: "ok" }, { turn: true });
    for (const { record } of [first, second]) expect(record.health.kind).toBe("healthy");
  });

  test("the longer of two cooldowns", () => {
    const { clock, first, second } = setup();
    const cool = (pool: Pool, forMs: number) => {
      const untilMs = clock.now() + forMs;
      pool.note("openai:a", { kind: "cool", cause: "fault", reason: "x", atMs: clock.now(), untilMs });
      return untilMs;
    };
    const untilMs = cool(first.pool, 60_000);
    clock.advance(1_000);
    cool(second.pool, 5_000);
    for (const { record } of [first, second]) expect(record.health).toMatchObject({ untilMs });
  });

  test("exhaustion at once, newer figures within a second, and older ones never", () => {
    const { clock, sent, first, second } = setup();
    const resetMs = clock.now() + 3_600_000;
    first.pool.learn("openai:a", figures(100, clock.now(), resetMs));
    expect(second.record.quota).toEqual(first.record.quota);
    expect(pick(second.pool).upstream.label).toBe("b");
    clock.advance(2_000);
    const asOfMs = clock.now();
    second.pool.learn("openai:a", figures(20, asOfMs, resetMs));
    expect(first.record.quota.main.windows.short?.usedPercent).toBe(20);
    second.pool.learn("openai:a", figures(25, asOfMs + 1, resetMs));
    clock.advance(1_000);
    expect(first.record.quota.main.windows.short?.usedPercent).toBe(25);
    const before = sent.length;
    first.pool.learn("openai:a", figures(5, asOfMs - 1_000, resetMs));
    clock.advance(1_000);
    expect(second.record.quota.main.windows.short?.usedPercent).toBe(25);
    // Older figures changed nothing, so nothing was sent.
    expect(sent.slice(before).filter((line) => line.includes("figures"))).toEqual([]);
  });

  test("evidence of room, which ends a limit there too", () => {
    const { clock, first, second } = setup();
    const untilMs = clock.now() + 3_600_000;
    first.pool.note("openai:a", {
      kind: "cool",
      cause: "limit",
      reason: "usage-limit",
      atMs: clock.now(),
      untilMs,
    });
    expect(second.record.health).toMatchObject({ kind: "cooling", untilMs });
    clock.advance(10_000);
    second.pool.learn("openai:a", figures(3, clock.now(), untilMs));
    clock.advance(1_000);
    for (const { record } of [first, second]) expect(record.health.kind).toBe("healthy");
  });

  test("a rejected login, unless it has a newer one", () => {
    const { first, second } = setup();
    first.pool.disable("openai:a", "refresh-token-reused");
    expect(second.record.health).toMatchObject({ kind: "disabled", reason: "refresh-token-reused" });
    const later = setup();
    Object.assign(later.second.record, { loginMark: "newer" });
    later.first.pool.disable("openai:a", "refresh-token-reused");
    expect(later.second.record.health.kind).toBe("healthy");
  });

  test("nothing that concerns one replica only, or that replicas share as a fact", () => {
    const { clock, sent, first } = setup();
    first.pool.disable("openai:a", "missing-auth");
    disableByOperator(first.store.state.accounts[1]!, clock.now());
    clock.advance(2_000);
    expect(sent).toEqual([]);
  });

  test("that the operator has put an account back into service", () => {
    const { clock, first, second } = setup();
    first.pool.learn("openai:a", figures(100, clock.now(), clock.now() + 3_600_000));
    first.pool.note("openai:a", {
      kind: "cool",
      cause: "limit",
      reason: "usage-limit",
      atMs: clock.now(),
      untilMs: clock.now() + 3_600_000,
    });
    clock.advance(1_000);
    enable(first.record);
    first.signals.operated("enabled", first.record);
    expect(second.record.health.kind).toBe("healthy");
    expect(second.record.quota.main.windows.short).toBeUndefined();
  });

  test("that an import of the rejected login has put the account back into service, if it has that login", () => {
    for (const loginOfSecond of ["login", "newer"]) {
      const { clock, first, second } = setup();
      first.pool.disable("openai:a", "refresh-token-expired");
      Object.assign(second.record, { loginMark: loginOfSecond });
      clock.advance(2_000);
      changeHealth(first.record, { kind: "renewed" });
      first.signals.operated("imported", first.record);
      clock.advance(2_000);
      expect(first.record.health.kind).toBe("healthy");
      expect(second.record.health.kind).toBe(loginOfSecond === "login" ? "healthy" : "disabled");
    }
  });

  test("nothing of an import that ends no disablement", () => {
    const { clock, sent, first } = setup();
    first.signals.operated("imported", first.record);
    first.pool.disable("openai:a", "http-402");
    changeHealth(first.record, { kind: "renewed" });
    first.signals.operated("imported", first.record);
    clock.advance(2_000);
    expect(sent).toEqual(["0 health"]);
  });

  test("which limit refuses a model", () => {
    const { clock, first, second } = setup();
    const lease = pick(first.pool, "special");
    lease.settle({ kind: "limit", limitId: "meter", untilMs: clock.now() + 3_600_000 });
    lease.release();
    expect(pick(second.pool, "special").upstream.label).toBe("b");
    expect(pick(second.pool, "other").upstream.label).toBe("a");
  });

  test("the times of another clock as its own", () => {
    const { clock, first, second } = setup(5 * MINUTE_MS);
    const atMs = clock.now();
    const health = { cause: "fault", reason: "x", atMs, untilMs: atMs + 8_000 } as const;
    first.pool.note("openai:a", { kind: "cool", ...health });
    expect(second.record.health).toMatchObject({
      sinceMs: second.clock.now(),
      untilMs: second.clock.now() + 8_000,
    });
    // The backend names the end of a window, whatever the clocks show.
    const resetMs = atMs + 3_600_000;
    first.pool.learn("openai:b", figures(100, atMs, resetMs));
    const learned = second.store.state.accounts[1]!.quota.main.windows.short;
    expect(learned).toMatchObject({ asOfMs: second.clock.now(), resetAtMs: resetMs });
    clock.advance(10_000);
    second.pool.learn("openai:b", figures(40, second.clock.now(), resetMs));
    clock.advance(1_000);
    expect(first.store.state.accounts[1]!.quota.main.windows.short?.usedPercent).toBe(40);
  });
});

test("newer figures are still sent after the clock of a replica has been set back", () => {
  const { clock, first, second } = setup();
  first.pool.learn("openai:a", figures(10, clock.now(), clock.now() + 3_600_000));
  clock.advance(1_000);
  clock.setBack(10 * MINUTE_MS);
  makePlausible(first.record, clock.now());
  makePlausible(second.record, clock.now());
  clock.advance(1_000);
  first.pool.learn("openai:a", figures(30, clock.now(), clock.now() + 3_600_000));
  clock.advance(1_000);
  expect(second.record.quota.main.windows.short?.usedPercent).toBe(30);
});

test("requests in flight on another replica count for the balance, until it is gone", () => {
  const { clock, first, second } = setup();
  const leases = [pick(first.pool), pick(first.pool)];
  clock.advance(1_000);
  expect(second.record.inFlightElsewhere).toBe(2);
  expect(second.pool.facts().accounts[0]?.candidate.inFlight).toBe(2);
  expect(second.pool.inFlight()).toBe(0);
  leases[0]!.release();
  clock.advance(1_000);
  expect(second.record.inFlightElsewhere).toBe(1);
  first.signals.stop();
  clock.advance(12_000);
  expect(second.record.inFlightElsewhere).toBe(0);
});
