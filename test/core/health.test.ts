import { describe, expect, test } from "bun:test";
import {
  backoffMs,
  HEALTHY,
  type Health,
  type HealthEvent,
  healthAt,
  OPERATOR_REASON,
  transition,
} from "../../src/core/health.ts";

const fault = (sinceMs: number, untilMs: number): Health => ({
  kind: "cooling",
  cause: "fault",
  reason: "http-500",
  sinceMs,
  untilMs,
  faults: 1,
});
const limit = (sinceMs: number, untilMs: number): Health => ({
  kind: "cooling",
  cause: "limit",
  reason: "usage-limit",
  sinceMs,
  untilMs,
  faults: 0,
});
const disabled = (reason: string): Health => ({ kind: "disabled", reason, sinceMs: 0 });
const cool = (atMs: number, untilMs: number, cause: "limit" | "fault" = "fault"): HealthEvent => ({
  kind: "cool",
  cause,
  reason: cause === "limit" ? "usage-limit" : "http-500",
  atMs,
  untilMs,
});

describe("health", () => {
  const TABLE: [string, Health, HealthEvent, Health][] = [
    ["a fault cools a healthy account", HEALTHY, cool(10, 20), fault(10, 20)],
    ["a longer rest replaces a shorter one", fault(10, 20), cool(12, 30), fault(12, 30)],
    ["a short fault does not shorten a limit", limit(10, 1000), cool(12, 30), limit(10, 1000)],
    ["a limit replaces a fault", fault(10, 20), cool(12, 900, "limit"), limit(12, 900)],
    ["a disabled account does not start to cool", disabled("http-401"), cool(1, 2), disabled("http-401")],
    [
      "the first reason for being disabled stays",
      disabled("a"),
      { kind: "disable", reason: "b", atMs: 1 },
      disabled("a"),
    ],
    [
      "but an operator's decision is put above any other reason",
      disabled("http-401"),
      { kind: "disable", reason: OPERATOR_REASON, atMs: 1 },
      { kind: "disabled", reason: OPERATOR_REASON, sinceMs: 1 },
    ],
    ["the operator enables what was disabled", disabled("operator"), { kind: "enable" }, HEALTHY],
    ["and what is dead, on trial", disabled("refresh-token-reused"), { kind: "enable" }, HEALTHY],
    ["and what cools", limit(1, 9), { kind: "enable" }, HEALTHY],
    ["new credentials cure a dead login", disabled("refresh-token-reused"), { kind: "renewed" }, HEALTHY],
    [
      "new credentials do not undo an operator's decision",
      disabled(OPERATOR_REASON),
      { kind: "renewed" },
      disabled(OPERATOR_REASON),
    ],
    ["new credentials do not end a limit", limit(1, 9), { kind: "renewed" }, limit(1, 9)],
    [
      "a request begun after the fault and served ends it",
      fault(10, 20),
      { kind: "served", startedMs: 11 },
      HEALTHY,
    ],
    ["one begun before it does not", fault(10, 20), { kind: "served", startedMs: 9 }, fault(10, 20)],
    ["newer figures with room end a limit", limit(10, 1000), { kind: "room", asOfMs: 11 }, HEALTHY],
    ["older ones do not", limit(10, 1000), { kind: "room", asOfMs: 10 }, limit(10, 1000)],
    ["room does not end a fault", fault(10, 20), { kind: "room", asOfMs: 11 }, fault(10, 20)],
    ["room does not enable", disabled("http-401"), { kind: "room", asOfMs: 11 }, disabled("http-401")],
  ];
  for (const [name, from, event, to] of TABLE)
    test(name, () => {
      expect(transition(from, event)).toEqual(to);
    });

  test("a cooldown ends by time alone", () => {
    expect(healthAt(fault(10, 20), 19).kind).toBe("cooling");
    expect(healthAt(fault(10, 20), 20)).toBe(HEALTHY);
  });
});

describe("a cooldown after a fault that named no time", () => {
  /** Fails `gapMs` after the end of each cooldown. Returns the length of each cooldown. */
  const cooldowns = (count: number, gapMs: number, random = 0): number[] => {
    let health: Health = HEALTHY;
    let atMs = 0;
    return Array.from({ length: count }, () => {
      const forMs = backoffMs(health, 2000, atMs, random);
      health = transition(health, cool(atMs, atMs + forMs));
      atMs += forMs + gapMs;
      return forMs;
    });
  };
  test("doubles with each fault in a row, up to five minutes", () => {
    expect(cooldowns(9, 1)).toEqual([2000, 4000, 8000, 16_000, 32_000, 64_000, 128_000, 256_000, 300_000]);
  });
  test("has its first length if the last incident was long ago", () => {
    expect(cooldowns(3, 601_000)).toEqual([2000, 2000, 2000]);
  });
  test("is up to a fifth longer, at random", () => {
    expect(cooldowns(2, 1, 1)).toEqual([2400, 4800]);
  });
  test("counts requests that failed together as one", () => {
    const once = transition(HEALTHY, cool(0, 2000));
    const twice = transition(once, cool(100, 2100));
    expect(backoffMs(twice, 2000, 2100, 0)).toBe(4000);
  });
  test("starts again after the first success", () => {
    const served = transition(fault(0, 2000), { kind: "served", startedMs: 2000 });
    expect(backoffMs(served, 2000, 3000, 0)).toBe(2000);
  });
});

test("newer figures that show an earlier reset shorten a limit, older ones and later resets do not", () => {
  const room = (asOfMs: number, fromMs: number): HealthEvent => ({ kind: "room", asOfMs, fromMs });
  expect(transition(limit(10, 1000), room(20, 500))).toEqual(limit(10, 500));
  expect(transition(limit(10, 1000), room(10, 500))).toEqual(limit(10, 1000));
  expect(transition(limit(10, 1000), room(20, 2000))).toEqual(limit(10, 1000));
  expect(transition(fault(10, 1000), room(20, 500))).toEqual(fault(10, 1000));
});
