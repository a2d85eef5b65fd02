// Tests an account's credits over time: found by a poll, refused by the backend, or excluded by the settings.

import { describe, expect, test } from "bun:test";
import { type Quota, UNKNOWN_QUOTA } from "../../src/core/quota.ts";
import { quotaFromUsage } from "../../src/core/quota-wire.ts";
import { fakeClock } from "../support/clock.ts";
import { memoryPool } from "../support/memory-pool.ts";

const NOW = Date.UTC(2026, 0, 1);
const HOUR_MS = 3_600_000;

function setup(aliases: readonly string[], useCredits = true) {
  const clock = fakeClock(NOW);
  const { pool, store } = memoryPool({ aliases, clock, mode: "sticky", quotaTtlMs: HOUR_MS, useCredits });
  const usage = (used_percent: number, balance: number): Quota =>
    quotaFromUsage(
      {
        plan_type: "pro",
        rate_limit: {
          primary_window: {
            used_percent,
            limit_window_seconds: 18_000,
            reset_at: NOW / 1000 + 4 * 3_600,
          },
        },
        credits: { has_credits: balance > 0, unlimited: false, balance: String(balance) },
      },
      clock.now(),
    ) ?? UNKNOWN_QUOTA;
  const pick = () =>
    pool.pick({ session: undefined, hops: [], tried: new Set(), spends: true, requestId: 1 });
  return {
    clock,
    pool,
    store,
    learn: (alias: string, used: number, balance: number) =>
      pool.learn(`openai:${alias}`, usage(used, balance)),
    refuse: () => {
      const lease = pick();
      lease?.settle({ kind: "limit", untilMs: NOW + 4 * HOUR_MS });
      lease?.release();
    },
    next: () => {
      const lease = pick();
      lease?.release();
      return lease?.upstream.label ?? "none";
    },
  };
}

describe("an account that was refused for its limit", () => {
  test("returns to service when a poll finds credits", () => {
    const s = setup(["a"]);
    s.learn("a", 100, 0);
    s.refuse();
    expect(s.next()).toBe("none");
    s.clock.advance(60_000);
    s.learn("a", 100, 5);
    expect(s.next()).toBe("a");
  });

  test("despite its credits is not used again until the reset, whatever polls report", () => {
    const s = setup(["a"]);
    s.learn("a", 100, 5);
    s.refuse();
    s.clock.advance(60_000);
    s.learn("a", 100, 5);
    expect(s.next()).toBe("none");
    expect(s.pool.usage()).toMatchObject({ main: { reached: true }, credits: undefined });
    s.clock.advance(4 * HOUR_MS);
    expect(s.next()).toBe("a");
  });
});

test("an open connection serves no turn for a model that its account does not have, or that needs unwanted credits", () => {
  const clock = fakeClock(NOW);
  const offers = (id: string, model: string) => (model === "b" ? id === "openai:b" : undefined);
  const { pool } = memoryPool({ aliases: ["a", "b"], clock, mode: "sticky", quotaTtlMs: HOUR_MS, offers });
  const origin = { session: "s", hops: [] };
  expect(pool.shouldMove("openai:a", { ...origin, model: "b" }, true)).toBe(true);
  expect(pool.shouldMove("openai:a", { ...origin, model: "x" }, true)).toBe(false);
  pool.disable("openai:b", "operator");
  expect(pool.shouldMove("openai:a", { ...origin, model: "b" }, true)).toBe(true);
  // A warm-up uses no quota, and no other account would serve it better.
  expect(pool.shouldMove("openai:a", { ...origin, model: "b" }, false)).toBe(false);
  expect(pool.shortage("s", "b")).toMatchObject({ kind: "all_disabled", model: "b" });
});

describe("credits that must not be spent", () => {
  test("make only their account wait for its reset", () => {
    const s = setup(["a", "b"], false);
    s.learn("a", 100, 5);
    s.learn("b", 50, 0);
    expect(s.next()).toBe("b");
    s.learn("b", 100, 0);
    s.refuse();
    expect(s.next()).toBe("none");
    expect(s.pool.shortage(undefined)).toMatchObject({
      kind: "all_exhausted",
      untilMs: NOW + 4 * HOUR_MS,
    });
    s.clock.advance(4 * HOUR_MS);
    expect(s.next()).toBe("a");
  });

  test("leave the end of the shortage open if the workspace forbids all use", () => {
    const s = setup(["a"], false);
    const forbidden = quotaFromUsage(
      {
        plan_type: "team",
        rate_limit: null,
        credits: { has_credits: true, unlimited: true, balance: null },
        rate_limit_reached_type: { type: "workspace_owner_usage_limit_reached" },
      },
      NOW,
    );
    s.pool.learn("openai:a", forbidden ?? UNKNOWN_QUOTA);
    expect(s.pool.usage().main.reached).toBe(true);
    expect(s.pool.shortage(undefined).untilMs).toBeUndefined();
  });
});
