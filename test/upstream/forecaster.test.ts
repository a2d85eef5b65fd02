// What a proxy learns about the use of its accounts, what of it survives a restart, and the forecasts it makes, for whom.

import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { UNKNOWN_QUOTA } from "../../src/core/quota.ts";
import { statusDocument } from "../../src/core/status.ts";
import { drain } from "../../src/state/record-changes.ts";
import { createUsageStore } from "../../src/state/usage/usage-store.ts";
import { createForecaster, type Forecaster } from "../../src/upstream/forecaster.ts";
import { type FakeClock, fakeClock } from "../support/clock.ts";
import { memoryPool } from "../support/memory-pool.ts";
import { tempDirectory } from "../support/temp.ts";

const HOUR_MS = 3_600_000;
const NOON = new Date(2026, 10, 2, 12).getTime();

interface Setup extends Disposable {
  readonly clock: FakeClock;
  readonly path: string;
  readonly warnings: readonly string[];
  readonly pool: ReturnType<typeof memoryPool>["pool"];
  readonly store: ReturnType<typeof memoryPool>["store"];
  /** How often the forecaster has looked at the accounts. */
  looks(): number;
  /** A new forecaster on the same file, as after a restart. */
  restarted(): Forecaster;
  /** The account `alias` has used so much of its weekly window. */
  report(alias: string, usedPercent: number, plan?: string): void;
}

function setUp({ aliases = ["alice", "bob"], isRecording = true } = {}): Setup {
  const temp = tempDirectory();
  const path = join(temp.path, "usage.db");
  const clock = fakeClock(NOON);
  const warnings: string[] = [];
  const log = { info: () => {}, warn: (message: string) => void warnings.push(message) };
  const { pool, store } = memoryPool({ aliases, clock, mode: "sticky", quotaTtlMs: 30 * 60_000 });
  const resetAtMs = NOON + 6 * 24 * HOUR_MS;
  const stops: (() => void)[] = [];
  let looks = 0;
  const watched = {
    ...pool,
    facts: () => {
      looks++;
      return pool.facts();
    },
  };
  return {
    clock,
    path,
    warnings,
    pool,
    store,
    looks: () => looks,
    restarted: () => {
      const usage = createUsageStore({
        path,
        deps: { clock, log },
        events: { append: () => {} },
        owner: { isOurs: () => true },
        settings: () => ({ enabled: isRecording, keepDays: 90 }),
        identityOf: () => undefined,
      });
      const forecaster = createForecaster({
        deps: { clock, log },
        pool: watched,
        usage,
        isRecording: () => isRecording,
      });
      forecaster.start();
      stops.push(usage.stop);
      return forecaster;
    },
    report: (alias, usedPercent, planType = "plus") =>
      pool.learn(`openai:${alias}`, {
        ...UNKNOWN_QUOTA,
        planType,
        main: {
          ...UNKNOWN_QUOTA.main,
          windows: {
            short: undefined,
            weekly: {
              usedPercent,
              resetAtMs,
              windowSeconds: 604_800,
              asOfMs: clock.now(),
              source: "usage_api",
            },
            monthly: undefined,
          },
          completeAsOfMs: clock.now(),
        },
      }),
    [Symbol.dispose]: () => {
      for (const stop of stops) stop();
      temp[Symbol.dispose]();
    },
  };
}

/** Uses `alice` for so many hours, from `usedPercent` on. */
function use(s: Setup, hours: number, usedPercent: number, pointsPerHour: number): void {
  for (let quarter = 0; quarter < hours * 4; quarter++) {
    s.report("alice", Math.floor(usedPercent + (quarter * pointsPerHour) / 4));
    s.report("bob", 5);
    s.clock.advance(HOUR_MS / 4);
  }
}

async function aliceOf(s: Setup, forecaster: Forecaster) {
  const { accounts, forecast } = statusDocument(s.pool.facts(), s.pool.view(), await forecaster.latest());
  return { pool: forecast, alice: accounts.find(({ alias }) => alias === "alice")?.forecast?.[0] };
}

describe("the forecaster", () => {
  test("forecasts from what it has seen", async () => {
    using s = setUp();
    const forecaster = s.restarted();
    use(s, 24, 20, 2);
    const { alice, pool } = await aliceOf(s, forecaster);
    expect(alice).toMatchObject({ window: "weekly", outcome: "reached" });
    expect(alice?.percent_per_hour).toBeCloseTo(1.8, 0);
    expect(pool).toMatchObject({ accounts: 2, left_out: 0 });
    expect(pool?.outcome).not.toBe("unknown");
  });

  test("knows after a restart what it knew before", async () => {
    using s = setUp();
    const first = s.restarted();
    use(s, 24, 20, 2);
    const before = await aliceOf(s, first);
    first.stop();
    const second = s.restarted();
    const after = await aliceOf(s, second);
    expect(after.alice?.outcome).toBe("reached");
    expect(Math.abs((after.alice?.likely_at ?? 0) - (before.alice?.likely_at ?? 0))).toBeLessThan(3 * 3_600);
  });

  test("knows it of a large pool too, which it reads in parts", async () => {
    const aliases = Array.from({ length: 50 }, (_, index) => `account${index}`);
    using s = setUp({ aliases });
    const first = s.restarted();
    for (let hour = 0; hour < 24; hour++) {
      for (const alias of aliases) s.report(alias, 20 + 2 * hour);
      s.clock.advance(HOUR_MS);
    }
    first.stop();
    const forecasts = await s.restarted().latest();
    const outcomes = [...(forecasts?.accounts.values() ?? [])].map(([window]) => window?.outcome.kind);
    expect(outcomes).toEqual(aliases.map(() => "reached"));
  });

  test("loses nothing when the process is killed", async () => {
    using s = setUp();
    const first = s.restarted();
    use(s, 24, 20, 2);
    const second = s.restarted();
    s.report("alice", 72);
    expect((await aliceOf(s, second)).alice?.percent_per_hour).toBeCloseTo(
      (await aliceOf(s, first)).alice?.percent_per_hour ?? 0,
      0,
    );
  });

  test("creates the file when there is something to write", () => {
    using s = setUp();
    s.restarted();
    s.report("alice", 20);
    s.clock.advance(60_000);
    expect(existsSync(s.path)).toBe(false);
    s.clock.advance(5 * 60_000);
    expect(existsSync(s.path)).toBe(true);
  });

  test("writes what it has not learned yet when it stops", async () => {
    using s = setUp();
    const first = s.restarted();
    use(s, 24, 20, 2);
    s.report("alice", 90);
    first.stop();
    const after = await aliceOf(s, s.restarted());
    expect(after.alice?.percent_per_hour).toBeGreaterThan(2);
  });

  test("writes nothing without recording", async () => {
    using s = setUp({ isRecording: false });
    const forecaster = s.restarted();
    use(s, 2, 20, 2);
    expect(await forecaster.latest()).toBeDefined();
    forecaster.stop();
    expect(existsSync(s.path)).toBe(false);
  });

  test("works without a file that can be written, and reports that", async () => {
    using s = setUp();
    mkdirSync(s.path);
    const forecaster = s.restarted();
    use(s, 24, 20, 2);
    expect((await aliceOf(s, forecaster)).alice?.outcome).toBe("reached");
    expect(s.warnings).toEqual([expect.stringContaining("reading the history of the accounts' use")]);
  });

  test("has no forecast for an account out of service", async () => {
    using s = setUp();
    const forecaster = s.restarted();
    const [alice] = s.store.state.accounts;
    if (alice !== undefined) drain(alice);
    use(s, 24, 20, 2);
    const { alice: forecast, pool } = await aliceOf(s, forecaster);
    expect(forecast).toBeUndefined();
    expect(pool?.accounts).toBe(1);
  });

  test("begins again with the figures of another plan", async () => {
    using s = setUp();
    const forecaster = s.restarted();
    use(s, 24, 20, 2);
    s.report("alice", 3, "pro");
    s.clock.advance(60_000);
    expect((await aliceOf(s, forecaster)).alice?.percent_per_hour).toBeLessThan(0.3);
    s.report("alice", 70, "plus");
    s.clock.advance(60_000);
    expect((await aliceOf(s, forecaster)).alice?.percent_per_hour).toBeGreaterThan(1);
  });

  test("stops when it is stopped", async () => {
    using s = setUp();
    const forecaster = s.restarted();
    use(s, 2, 20, 2);
    const before = await forecaster.latest();
    forecaster.stop();
    const looks = s.looks();
    s.report("alice", 80);
    s.clock.advance(10 * 60_000);
    expect(await forecaster.latest()).toBe(before as NonNullable<typeof before>);
    expect(s.looks()).toBe(looks);
  });
});

describe("forecasts are only made for those who ask", () => {
  test("an idle proxy does nothing while they do not", () => {
    using s = setUp();
    s.report("alice", 20);
    s.restarted();
    s.clock.advance(24 * HOUR_MS);
    expect(s.looks()).toBe(0);
    expect(existsSync(s.path)).toBe(false);
  });

  test("changed figures are added to the history once, and make no forecast", async () => {
    using s = setUp();
    const forecaster = s.restarted();
    use(s, 1, 20, 2);
    expect(s.looks()).toBe(4);
    s.clock.advance(HOUR_MS);
    expect(s.looks()).toBe(4);
    expect(forecaster.current()).toBeUndefined();
  });

  test("an exhausted account is looked at until it can serve again, which changes nothing in its record", () => {
    using s = setUp();
    s.restarted();
    s.report("alice", 100);
    s.clock.advance(60_000);
    const looks = s.looks();
    s.clock.advance(HOUR_MS);
    expect(s.looks()).toBe(looks + 60);
    s.clock.advance(6 * 24 * HOUR_MS);
    const afterwards = s.looks();
    s.clock.advance(24 * HOUR_MS);
    expect(s.looks()).toBe(afterwards);
  });

  test("a question makes one, and the next answer has it", async () => {
    using s = setUp();
    const forecaster = s.restarted();
    use(s, 2, 20, 2);
    expect(forecaster.current()).toBeUndefined();
    const made = await forecaster.latest();
    expect(made?.pool.accounts).toBe(2);
    expect(forecaster.current()).toBe(made as NonNullable<typeof made>);
  });

  test("many questions at a time are answered by one forecast", async () => {
    using s = setUp();
    const forecaster = s.restarted();
    s.report("alice", 20);
    const [first, ...others] = await Promise.all(Array.from({ length: 20 }, () => forecaster.latest()));
    expect(s.looks()).toBe(1);
    expect(new Set(others)).toEqual(new Set([first]));
    expect(first).toBeDefined();
  });

  test("an answer comes without a forecast if that takes too long", async () => {
    using s = setUp({ aliases: Array.from({ length: 50 }, (_, index) => `account${index}`) });
    const forecaster = s.restarted();
    const answer = forecaster.latest();
    s.clock.advance(500);
    expect(await answer).toBeUndefined();
    expect((await forecaster.latest())?.pool.leftOut).toBe(50);
  });

  test("new figures replace a forecast after a minute, and time alone after five", async () => {
    using s = setUp();
    const forecaster = s.restarted();
    use(s, 2, 20, 2);
    const first = await forecaster.latest();
    s.report("alice", 30);
    s.clock.advance(30_000);
    expect(await forecaster.latest()).toBe(first as NonNullable<typeof first>);
    s.clock.advance(30_000);
    const second = await forecaster.latest();
    expect(second).not.toBe(first as NonNullable<typeof first>);
    s.clock.advance(4 * 60_000);
    expect(await forecaster.latest()).toBe(second as NonNullable<typeof second>);
    s.clock.advance(60_000);
    expect(await forecaster.latest()).not.toBe(second as NonNullable<typeof second>);
  });

  test("an account that goes out of service replaces a forecast at the next look", async () => {
    using s = setUp();
    const forecaster = s.restarted();
    use(s, 2, 20, 2);
    expect((await forecaster.latest())?.pool.accounts).toBe(2);
    const [alice] = s.store.state.accounts;
    if (alice !== undefined) drain(alice);
    s.clock.advance(20_000);
    expect((await forecaster.latest())?.pool.accounts).toBe(1);
  });

  test("the first figures replace one without any at the next question", async () => {
    using s = setUp();
    const forecaster = s.restarted();
    expect((await forecaster.latest())?.pool.accounts).toBe(0);
    for (const alias of ["alice", "bob"]) s.report(alias, 20);
    s.clock.advance(500);
    expect((await forecaster.latest())?.pool.accounts).toBe(2);
  });

  test("one that is too old is not shown, but replaced", async () => {
    using s = setUp();
    const forecaster = s.restarted();
    use(s, 2, 20, 2);
    const old = await forecaster.latest();
    s.clock.advance(HOUR_MS);
    expect(forecaster.current()).toBeUndefined();
    const renewed = await forecaster.latest();
    expect(renewed).toBeDefined();
    expect(renewed).not.toBe(old as NonNullable<typeof old>);
  });
});
