import { describe, expect, test } from "bun:test";
import type { PooledUsage } from "../../src/core/pooled.ts";
import type { PooledLimit } from "../../src/core/pooled-limits.ts";
import { quotaFromEvent } from "../../src/core/quota-wire.ts";
import { poolHeaders, poolLimitsEvent } from "../../src/proxy/pool-limits.ts";
import { startPool } from "../support/pool.ts";
import { startUpstream } from "../support/upstream.ts";

const RESET_S = 1_900_000_000;
const limit = (id: string, left: number, more: Partial<PooledLimit> = {}): PooledLimit => ({
  id,
  name: undefined,
  model: undefined,
  windows: {
    short: { kind: "short", left, resetAtMs: RESET_S * 1000, windowSeconds: 18_000 },
    weekly: { kind: "weekly", left: 1, resetAtMs: undefined, windowSeconds: 604_800 },
    monthly: undefined,
  },
  reached: false,
  ...more,
});
const USAGE: PooledUsage = {
  planType: "pro",
  main: limit("codex", 0.42),
  additional: [limit("codex_spark", 0.1, { name: "Spark" })],
  credits: undefined,
  reachedType: undefined,
  spendControlReached: false,
};
const event = (received: Record<string, unknown>) => {
  const text = poolLimitsEvent(
    { kind: "quota", event: received, evidence: quotaFromEvent(received, 0) },
    USAGE,
  );
  return text === undefined ? undefined : JSON.parse(text);
};

describe("an event about limits gets the pool's limits,", () => {
  const rate_limits = { primary: { used_percent: 3, window_minutes: 300 }, secondary: null };

  test("for the main limit", () => {
    expect(event({ type: "codex.rate_limits", rate_limits, extra: 1 })).toMatchObject({
      extra: 1,
      plan_type: "pro",
      rate_limits: {
        allowed: true,
        limit_reached: false,
        primary: { used_percent: 58, window_minutes: 300, reset_at: RESET_S },
        secondary: { used_percent: 0, window_minutes: 10_080 },
      },
    });
  });

  test("for another limit that the pool knows, and is not replaced for an unknown limit", () => {
    const eventOf = (name: string) =>
      event({ type: "codex.rate_limits", metered_limit_name: name, rate_limits });
    expect(eventOf("codex-spark")?.rate_limits.primary.used_percent).toBe(90);
    expect(eventOf("codex_other")).toBeUndefined();
  });

  test("with exactly the windows and credits of the pool", () => {
    const { weekly } = USAGE.main.windows;
    const weeklyOnly = limit("codex", 1, { windows: { short: undefined, weekly, monthly: undefined } });
    const credits = { hasCredits: true, unlimited: false, balance: 2.5 };
    const usage = { ...USAGE, main: weeklyOnly, credits };
    const received = { type: "codex.rate_limits", rate_limits };
    const text = poolLimitsEvent(
      { kind: "quota", event: received, evidence: quotaFromEvent(received, 0) },
      usage,
    );
    expect(JSON.parse(text ?? "")).toMatchObject({
      rate_limits: { allowed: true, primary: { used_percent: 0, window_minutes: 10_080 }, secondary: null },
      credits: { has_credits: true, unlimited: false, balance: "2.5" },
    });
    const headers = new Headers({
      "x-codex-primary-used-percent": "3",
      "x-codex-secondary-used-percent": "9",
    });
    poolHeaders(headers, () => usage);
    expect(headers.get("x-codex-primary-window-minutes")).toBe("10080");
    expect(headers.get("x-codex-secondary-used-percent")).toBeNull();
    expect(headers.get("x-codex-credits-balance")).toBe("2.5");
  });

  test("in Codex's own spellings", () => {
    const limits = { limit_id: "codex", primary: { used_percent: 3, resets_at: 1 } };
    const bare = event({ type: "token_count", info: { total: 1 }, rate_limits: limits });
    expect(bare).toMatchObject({
      info: { total: 1 },
      rate_limits: {
        limit_id: "codex",
        plan_type: "pro",
        primary: { used_percent: 58, window_minutes: 300, resets_at: RESET_S },
      },
    });
    const wrapped = event({ type: "event_msg", payload: { type: "token_count", rate_limits: limits, x: 1 } });
    expect(wrapped).toMatchObject({ payload: { x: 1, rate_limits: { primary: { used_percent: 58 } } } });
    expect(event({ type: "event_msg", payload: { type: "agent_message" } })).toBeUndefined();
    expect(event({ type: "token_count", info: {} })).toBeUndefined();
  });
});

test("the pool's headers replace all limit headers of an account", () => {
  const headers = new Headers({
    "x-codex-primary-used-percent": "99.5",
    "x-codex-primary-reset-after-seconds": "5",
    "x-codex-promo-message": "buy",
    "x-codex-plan-type": "plus",
    "x-codex-other-primary-used-percent": "1",
    "x-request-id": "kept",
  });
  poolHeaders(headers, () => USAGE);
  expect(Object.fromEntries(headers)).toEqual({
    "x-request-id": "kept",
    "x-codex-plan-type": "pro",
    "x-codex-active-limit": "codex",
    "x-codex-credits-has-credits": "false",
    "x-codex-credits-unlimited": "false",
    "x-codex-primary-used-percent": "58",
    "x-codex-primary-window-minutes": "300",
    "x-codex-primary-reset-at": String(RESET_S),
    "x-codex-secondary-used-percent": "0",
    "x-codex-secondary-window-minutes": "10080",
    "x-codex-spark-primary-used-percent": "90",
    "x-codex-spark-primary-window-minutes": "300",
    "x-codex-spark-primary-reset-at": String(RESET_S),
    "x-codex-spark-secondary-used-percent": "0",
    "x-codex-spark-secondary-window-minutes": "10080",
    "x-codex-spark-limit-name": "Spark",
  });
});

test("the proxy learns the figures in a stream, and replaces them with the pool's", async () => {
  const lines = [
    { type: "response.created", response: { id: "r" } },
    {
      type: "token_count",
      info: {},
      rate_limits: {
        primary: { used_percent: 30, window_minutes: 300, resets_at: RESET_S },
        secondary: null,
      },
    },
    { type: "response.output_text.delta", delta: "x" },
    {
      type: "codex.rate_limits",
      metered_limit_name: "codex_spark",
      rate_limits: { primary: { used_percent: 70, window_minutes: 300, reset_at: RESET_S }, secondary: null },
    },
    { type: "response.completed", response: { id: "r" } },
  ];
  const body = lines.map((line) => `event: ${line.type}\ndata: ${JSON.stringify(line)}\n\n`).join("");
  await using upstream = startUpstream(
    () => new Response(body, { headers: { "content-type": "text/event-stream" } }),
  );
  await using pool = await startPool({
    accounts: [{ alias: "alice" }, { alias: "bob" }],
    upstream: upstream.baseUrl,
  });
  const answer = await fetch(`${pool.url}/backend-api/codex/responses`, { method: "POST", body: "{}" });
  const events = (await answer.text())
    .split("\n")
    .filter((line) => line.startsWith("data: "))
    .map((line) => JSON.parse(line.slice(6)));
  expect(events.map(({ type }) => type)).toEqual(lines.map(({ type }) => type));
  expect(events[1].rate_limits).toMatchObject({ limit_id: "codex", primary: { used_percent: 30 } });
  expect(events[3].rate_limits.primary.used_percent).toBe(70);
  const alice = (await pool.status()).accounts.find(({ alias }) => alias === "alice");
  expect(alice?.daily_left_pct).toBe(70);
});
