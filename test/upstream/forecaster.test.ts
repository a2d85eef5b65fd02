// What a proxy learns about the use of its accounts, what of it survives a restart, and the forecasts it makes.

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
  return {
    clock,
    path,
    warnings,
    pool,
    store,
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
        pool,
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

/** Lets the forecast that has begun finish. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 150; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Uses `alice` for so many hours, from `usedPercent` on. */
async function use(s: Setup, hours: number, usedPercent: number, pointsPerHour: number): Promise<void> {
  for (let quarter = 0; quarter < hours * 4; quarter++) {
    s.report("alice", Math.floor(usedPercent + (quarter * pointsPerHour) / 4));
    s.report("bob", 5);
    s.clock.advance(HOUR_MS / 4);
  }
  // The first forecast was waiting for this all the time; the next one is up to date.
  await settled();
  s.clock.advance(60_000);
  await settled();
}

function aliceOf(s: Setup, forecaster: Forecaster) {
  const { accounts, forecast } = statusDocument(s.pool.facts(), s.pool.view(), forecaster.current());
  return { pool: forecast, alice: accounts.find(({ alias }) => alias === "alice")?.forecast?.[0] };
}

describe("the forecaster", () => {
  test("forecasts from what it has seen", async () => {
    using s = setUp();
    const forecaster = s.restarted();
    expect(forecaster.current()).toBeUndefined();
    await use(s, 24, 20, 2);
    const { alice, pool } = aliceOf(s, forecaster);
    expect(alice).toMatchObject({ window: "weekly", outcome: "reached" });
    expect(alice?.percent_per_hour).toBeCloseTo(1.8, 0);
    expect(pool).toMatchObject({ accounts: 2, left_out: 0 });
    expect(pool?.outcome).not.toBe("unknown");
  });

  test("knows after a restart what it knew before", async () => {
    using s = setUp();
    const first = s.restarted();
    await use(s, 24, 20, 2);
    first.stop();
    const before = aliceOf(s, first);
    const second = s.restarted();
    s.clock.advance(1_000);
    await settled();
    const after = aliceOf(s, second);
    expect(after.alice?.outcome).toBe("reached");
    expect(Math.abs((after.alice?.likely_at ?? 0) - (before.alice?.likely_at ?? 0))).toBeLessThan(3 * 3_600);
  });

  test("loses nothing when the process is killed", async () => {
    using s = setUp();
    const first = s.restarted();
    await use(s, 24, 20, 2);
    const second = s.restarted();
    s.report("alice", 72);
    s.clock.advance(1_000);
    await settled();
    expect(aliceOf(s, second).alice?.percent_per_hour).toBeCloseTo(
      aliceOf(s, first).alice?.percent_per_hour ?? 0,
      0,
    );
  });

  test("creates the file when there is something to write", async () => {
    using s = setUp();
    s.restarted();
    s.report("alice", 20);
    s.clock.advance(60_000);
    await settled();
    expect(existsSync(s.path)).toBe(false);
    s.clock.advance(5 * 60_000);
    expect(existsSync(s.path)).toBe(true);
  });

  test("writes nothing without recording", async () => {
    using s = setUp({ isRecording: false });
    const forecaster = s.restarted();
    await use(s, 2, 20, 2);
    forecaster.stop();
    expect(existsSync(s.path)).toBe(false);
    expect(forecaster.current()).toBeDefined();
  });

  test("works without a file that can be written, and reports that", async () => {
    using s = setUp();
    mkdirSync(s.path);
    const forecaster = s.restarted();
    await use(s, 24, 20, 2);
    expect(aliceOf(s, forecaster).alice?.outcome).toBe("reached");
    expect(s.warnings).toEqual([expect.stringContaining("reading the history of the accounts' use")]);
  });

  test("has no forecast for an account out of service", async () => {
    using s = setUp();
    const forecaster = s.restarted();
    const [alice] = s.store.state.accounts;
    if (alice !== undefined) drain(alice);
    await use(s, 24, 20, 2);
    const { alice: forecast, pool } = aliceOf(s, forecaster);
    expect(forecast).toBeUndefined();
    expect(pool?.accounts).toBe(1);
  });

  test("begins again with the figures of another plan", async () => {
    using s = setUp();
    const forecaster = s.restarted();
    await use(s, 24, 20, 2);
    s.report("alice", 3, "pro");
    s.clock.advance(60_000);
    await settled();
    expect(aliceOf(s, forecaster).alice?.percent_per_hour).toBeLessThan(0.3);
    s.report("alice", 70, "plus");
    s.clock.advance(60_000);
    await settled();
    expect(aliceOf(s, forecaster).alice?.percent_per_hour).toBeGreaterThan(1);
  });

  test("stops when it is stopped", async () => {
    using s = setUp();
    const forecaster = s.restarted();
    await use(s, 2, 20, 2);
    const before = forecaster.current();
    forecaster.stop();
    await use(s, 24, 30, 2);
    expect(forecaster.current()).toBe(before as NonNullable<typeof before>);
  });
});
