// The leases of replicas: their rules over a simulated engine, and the scripts in a real one.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createEngine, type Engine } from "../../src/cluster/engine.ts";
import { type EngineLeases, engineLeases } from "../../src/cluster/engine-leases.ts";
import { LEASE_MS } from "../../src/cluster/lease-scripts.ts";
import type { Clock } from "../../src/deps.ts";
import { systemDeps } from "../../src/deps.ts";
import { fakeClock } from "../support/clock.ts";
import { startRedis, type TestRedis, whyNoRedis } from "../support/redis.ts";

/** An engine in memory, whose answer takes `answerMs`. */
function memoryEngine(clock: Pick<Clock, "monotonic">) {
  const leases = new Map<string, { readonly replica: string; readonly untilMs: number }>();
  return {
    lease: (replica: string, jobs: readonly string[]) =>
      jobs.map((job) => {
        const known = leases.get(job);
        const nowMs = clock.monotonic();
        if (known !== undefined && known.untilMs > nowMs && known.replica !== replica) return false;
        leases.set(job, { replica, untilMs: nowMs + LEASE_MS });
        return true;
      }),
    release: (replica: string, jobs: readonly string[]) => {
      for (const job of jobs) if (leases.get(job)?.replica === replica) leases.delete(job);
    },
  };
}

interface Side extends EngineLeases {
  isUsable: boolean;
  /** How far the clock of the replica is off, ms. */
  offMs: number;
  /** How long the replica was stopped, ms: its monotonic clock stood still. */
  stoppedMs: number;
}

function sides(count: number) {
  const clock = fakeClock();
  const engine = memoryEngine(clock);
  const list = Array.from({ length: count }, (_, index) => {
    const side = { isUsable: true, offMs: 0, stoppedMs: 0 };
    const leases = engineLeases({
      clock: {
        now: () => clock.now() + side.offMs,
        monotonic: () => clock.monotonic() - side.stoppedMs,
      },
      lease: async (jobs) => engine.lease(`r${index}`, jobs),
      release: async (jobs) => engine.release(`r${index}`, jobs),
      isUsable: () => side.isUsable,
      replicas: () => count,
    });
    return Object.assign(side, leases) satisfies Side;
  });
  return { clock, list };
}

const took = async (side: EngineLeases, kind: "shared" | "exclusive" = "exclusive") =>
  (await side.take(["job"], kind)).has("job");

describe("a lease", () => {
  test("of an exclusive job belongs to one replica at any time, whatever fails", async () => {
    const step = fc.record({
      replica: fc.integer({ min: 0, max: 2 }),
      what: fc.constantFrom("take", "lose", "find", "stop", "clock", "back"),
      afterMs: fc.integer({ min: 0, max: 40_000 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const { clock, list } = sides(3);
        for (const { replica, what, afterMs } of steps) {
          const side = list[replica]!;
          clock.advance(afterMs);
          if (what === "take") await took(side);
          if (what === "lose") side.isUsable = false;
          if (what === "find") side.isUsable = true;
          if (what === "stop") side.stoppedMs += afterMs;
          if (what === "clock" && side.stoppedMs === 0) side.offMs = afterMs - 20_000;
          if (what === "back") side.giveBack("job");
          expect(list.filter((one) => one.holds("job")).length).toBeLessThanOrEqual(1);
        }
      }),
      { numRuns: 300 },
    );
  });

  test("goes to another replica when its holder is gone, or gives it back", async () => {
    const { clock, list } = sides(2);
    const [a, b] = list as [Side, Side];
    expect([await took(a), await took(b)]).toEqual([true, false]);
    clock.advance(LEASE_MS - 1);
    expect([a.holds("job"), await took(b)]).toEqual([true, false]);
    clock.advance(1);
    expect([a.holds("job"), await took(b)]).toEqual([false, true]);
    b.giveBack("job");
    expect([b.holds("job"), await took(a)]).toEqual([false, true]);
    await a.giveBackAll();
    expect([a.holds("job"), await took(b)]).toEqual([false, true]);
  });

  test("ends on the clock that is ahead, because a process may be stopped and a clock may be set", async () => {
    const { clock, list } = sides(1);
    const [a] = list as [Side];
    await took(a);
    a.stoppedMs = LEASE_MS;
    clock.advance(LEASE_MS);
    expect(a.holds("job")).toBe(false);
    await took(a);
    a.offMs = -1;
    expect(a.holds("job")).toBe(false);
  });
});

describe("without the engine", () => {
  test("every replica does shared jobs, each with its share, and only the holder does exclusive ones until its lease ends", async () => {
    const { clock, list } = sides(2);
    const [a, b] = list as [Side, Side];
    await took(a);
    expect([a.workers(), b.workers()]).toEqual([1, 1]);
    for (const side of list) side.isUsable = false;
    expect([a.workers(), b.workers()]).toEqual([2, 2]);
    expect([await took(a, "shared"), await took(b, "shared")]).toEqual([true, true]);
    expect([await took(a), await took(b)]).toEqual([true, false]);
    clock.advance(LEASE_MS);
    expect([await took(a), await took(b)]).toEqual([false, false]);
  });

  test("a replica whose request for a lease fails does not hold it, and still does shared jobs", async () => {
    const failing = engineLeases({
      clock: fakeClock(),
      lease: async () => {
        throw new Error("cut off");
      },
      release: async () => {},
      isUsable: () => true,
      replicas: () => 2,
    });
    expect([await took(failing), await took(failing, "shared")]).toEqual([false, true]);
  });
});

describe.skipIf(whyNoRedis !== undefined)("the scripts", () => {
  let redis: TestRedis;
  let engine: Engine;
  const lease = (replica: string, ...jobs: readonly string[]) => engine.run("lease", replica, ...jobs);
  const age = (ms: number) => redis.cli("HSET", META, "since", String(Date.now() - ms));

  beforeAll(async () => {
    redis = await startRedis();
    engine = createEngine({ url: redis.url, pool: "team", deps: systemDeps() });
    await engine.connected(5_000);
  });
  afterAll(async () => {
    engine.close();
    await redis[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    await redis.cli("FLUSHALL");
    await age(2 * LEASE_MS);
  });

  test("give each job to one replica, which may take it again or release it", async () => {
    expect(await lease("a", "one", "two")).toEqual([1, 1]);
    expect(await lease("b", "two", "three")).toEqual([0, 1]);
    expect(await lease("a", "two")).toEqual([1]);
    await engine.run("release", "b", "one");
    expect(await lease("b", "one")).toEqual([0]);
    await engine.run("release", "a", "one");
    expect(await lease("b", "one")).toEqual([1]);
  });

  test("give a job to another replica when the lease has ended, and forget ended leases", async () => {
    await redis.cli("HSET", LEASES, "one", "1 a");
    await redis.cli("HSET", LEASES, "two", "1 a");
    expect(await lease("b", "one")).toEqual([1]);
    expect(await redis.cli("HKEYS", LEASES)).toBe("one");
  });

  test("give nothing in an engine that may have lost leases", async () => {
    await age(LEASE_MS / 2);
    expect(await lease("a", "one")).toEqual([0]);
    await redis.cli("FLUSHALL");
    expect(await lease("a", "one")).toEqual([0]);
  });
});

const META = "{codexlb:team}:meta";
const LEASES = "{codexlb:team}:leases";
