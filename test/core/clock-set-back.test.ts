// Stored times after the clock was set back.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { healthSetBack, plausibleHealth, plausibleQuota } from "../../src/core/clock-set-back.ts";
import type { Health } from "../../src/core/health.ts";
import { mergeQuota, type Quota, type QuotaWindow, UNKNOWN_QUOTA } from "../../src/core/quota.ts";
import { byKind } from "../../src/core/windows.ts";

const NOW = Date.UTC(2026, 0, 1);
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const cooling = (cause: "fault" | "limit", sinceMs: number, untilMs: number): Health => ({
  kind: "cooling",
  cause,
  reason: "x",
  sinceMs,
  untilMs,
  faults: 1,
});
const leftMs = (health: Health, nowMs: number) =>
  health.kind === "cooling" ? Math.max(0, health.untilMs - nowMs) : 0;
const times = {
  since: fc.integer({ min: 0, max: 10 * DAY_MS }),
  lasts: fc.integer({ min: 0, max: HOUR_MS }),
};

describe("a cooldown", () => {
  test("after a fault lasts as long as before, however far the clock is set back", () => {
    fc.assert(
      fc.property(times.since, times.lasts, fc.nat(400 * DAY_MS), (agoMs, lastsMs, byMs) => {
        const before = cooling("fault", NOW - agoMs, NOW - agoMs + lastsMs);
        const left = leftMs(before, NOW);
        const after = plausibleHealth(healthSetBack(before, byMs), NOW - byMs);
        expect(leftMs(after, NOW - byMs)).toBe(left);
      }),
    );
  });

  test("read from disk is never longer than it was originally, nor than the longest possible cooldown", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("fault" as const, "limit" as const),
        fc.integer({ min: NOW - 400 * DAY_MS, max: NOW + 400 * DAY_MS }),
        fc.nat(400 * DAY_MS),
        (cause, sinceMs, lastsMs) => {
          const kept = plausibleHealth(cooling(cause, sinceMs, sinceMs + lastsMs), NOW);
          const left = leftMs(kept, NOW);
          expect(left).toBeLessThanOrEqual(cause === "fault" ? 1.2 * HOUR_MS : 32 * DAY_MS);
          expect(left).toBeLessThanOrEqual(lastsMs);
        },
      ),
    );
  });

  test("after a limit ends at the time that the backend named, now that the clock is right", () => {
    const before = cooling("limit", NOW - HOUR_MS, NOW + 5 * HOUR_MS);
    expect(healthSetBack(before, 60_000)).toBe(before);
    expect(plausibleHealth(before, NOW - 60_000)).toBe(before);
  });

  test("of the Go program, which has no start time, is unchanged", () => {
    const health = cooling("limit", 0, NOW + DAY_MS);
    expect(plausibleHealth(health, NOW)).toBe(health);
  });

  test("is the only part of an account's health that changes", () => {
    for (const health of [
      { kind: "healthy" },
      { kind: "disabled", reason: "operator", sinceMs: NOW },
    ] as Health[]) {
      expect(healthSetBack(health, DAY_MS)).toBe(health);
      expect(plausibleHealth(health, 0)).toBe(health);
    }
  });
});

describe("figures", () => {
  const figures = (usedPercent: number, asOfMs: number, resetAtMs = asOfMs + HOUR_MS): Quota => ({
    ...UNKNOWN_QUOTA,
    main: {
      ...UNKNOWN_QUOTA.main,
      windows: byKind<QuotaWindow>(
        { usedPercent, resetAtMs, windowSeconds: 18_000, asOfMs, source: "headers" },
        undefined,
      ),
    },
  });

  test("from before the clock was set back are replaced by newer ones", () => {
    const kept = plausibleQuota(figures(100, NOW + DAY_MS), NOW);
    expect(mergeQuota(kept, figures(10, NOW + 1)).main.windows.short?.usedPercent).toBe(10);
  });

  test("do not contain a reset later than any window allows", () => {
    expect(
      plausibleQuota(figures(100, NOW + 400 * DAY_MS), NOW).main.windows.short?.resetAtMs,
    ).toBeUndefined();
  });

  test("that are plausible stay the same object", () => {
    const right = figures(100, NOW);
    expect(plausibleQuota(right, NOW)).toBe(right);
  });
});
