// Status documents of pools with one, three and eleven accounts, in every state that an account can have.

import { StatusAnswer } from "../../src/core/status-schema.ts";

/** The time of the documents, Unix ms. */
export const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);
const HOUR = 3600;
const DAY = 24 * HOUR;
const at = (seconds: number) => NOW / 1000 + seconds;

/** An account of the proxy `laptop` that is ready. */
export const account = (alias: string, more: Record<string, unknown> = {}) => ({
  proxy_name: "laptop",
  alias,
  id: `openai:${alias}`,
  email: `${alias}@example.com`,
  active: false,
  pinned: false,
  healthy: true,
  enabled: true,
  cooldown_seconds: 0,
  daily_left_pct: 80,
  weekly_left_pct: 70,
  daily_reset_at: at(3 * HOUR),
  weekly_reset_at: at(4 * DAY),
  score: 0.5,
  in_flight: 0,
  sessions: 2,
  plan_type: "plus",
  figures: [
    { window: "daily", source: "headers", age_seconds: 5 },
    { window: "weekly", source: "usage_api", age_seconds: 2400, outdated: true },
  ],
  ...more,
});

const ALICE = account("alice", { active: true, in_flight: 3, sessions: 12, plan_type: "pro" });
const BOB = account("bob", {
  weekly_left_pct: 0,
  weekly_reset_at: at(2.6 * HOUR),
  cooldown_seconds: 2.6 * HOUR,
  cooldown_reason: "usage-limit",
});
const UNKNOWN = { daily_left_pct: -1, weekly_left_pct: -1, daily_reset_at: 0, weekly_reset_at: 0 };
const ERIN = account("erin", { enabled: false, disabled_reason: "refresh-token-expired", sessions: 0 });

const SWITCHES = [
  {
    at_ms: NOW - 130_000,
    from: "bob",
    to: "alice",
    reason: "usage-limit",
    window: "weekly",
    session: "019ac3f2-1b2c",
  },
  { at_ms: NOW - 2 * HOUR * 1000, from: "erin", to: "bob", reason: "refresh-token-expired", count: 4 },
  { at_ms: NOW - 3 * HOUR * 1000, from: "carol", to: "erin", reason: "http-503", session: "019ac3e0-77aa" },
  { at_ms: NOW - 4 * HOUR * 1000, from: "dave", to: "carol", reason: "pinned" },
];

const pool = (accounts: readonly object[], more: object = {}) =>
  StatusAnswer.parse({
    proxy_name: "laptop",
    policy: { mode: "usage_balanced" },
    selected_account_id: "openai:alice",
    selection_reason: "usage-stay",
    accounts,
    ...more,
  });

/** The forecast of a window that is exhausted in so many hours, or not at all. */
const reached = (window: string, [earliest, likely, latest]: readonly (number | undefined)[]) => ({
  window,
  outcome: "reached",
  percent_per_hour: window === "daily" ? 22 : 0.6,
  likely_at: at((likely ?? 0) * HOUR),
  earliest_at: at((earliest ?? 0) * HOUR),
  ...(latest === undefined ? {} : { latest_at: at(latest * HOUR) }),
});

/** Three accounts with forecasts: one in use, one at its limit, and one that is hardly used, on another proxy. */
export const FORECAST = pool(
  [
    {
      ...ALICE,
      forecast: [reached("daily", [0.9, 1.6, undefined]), reached("weekly", [20, 40, 70])],
    },
    {
      ...BOB,
      forecast: [
        { window: "daily", outcome: "lasts" },
        { window: "weekly", outcome: "exhausted" },
      ],
    },
    account("carol", {
      proxy_name: "office",
      forecast: [
        { window: "daily", outcome: "unknown", why: "little-history" },
        { window: "weekly", outcome: "lasts", percent_per_hour: 0.01, earliest_at: at(90 * HOUR) },
      ],
    }),
  ],
  {
    forecast: {
      ...reached("weekly", [50, 77, undefined]),
      until: at(7 * DAY),
      accounts: 3,
      left_out: 0,
    },
  },
);

/** One account, ready. */
export const ONE = pool([ALICE]);
/** Three accounts: one in use, one at its limit, one with a dead login. */
export const THREE = pool([ALICE, BOB, ERIN], { switches: SWITCHES.slice(0, 2) });
/** Eleven accounts, two limits of models, and child proxies. */
export const ELEVEN = pool(
  [
    { ...ALICE, pinned: true },
    BOB,
    account("carol", { daily_left_pct: 0.2, weekly_left_pct: 99.7, draining: true }),
    account("dave", { healthy: false, cooldown_seconds: 30, cooldown_reason: "http-503" }),
    ERIN,
    account("frank", { enabled: false, disabled_reason: "operator" }),
    account("grace", {
      daily_left_pct: 0,
      credits: { has_credits: true, unlimited: false, balance: 4.5, usable: true },
    }),
    account("heidi", { limit_reached_type: "workspace_owner_credits_depleted", plan_type: "team" }),
    account("ivan", { individual_limit: { left_pct: 0, reset_at: at(9 * DAY) }, plan_type: "team" }),
    account("judy-with-a-long-name", {
      healthy: false,
      cooldown_seconds: 104_173_150,
      cooldown_reason: "usage-limit",
      monthly_left_pct: 0,
      monthly_reset_at: at(104_173_150),
      ...UNKNOWN,
      windows: ["monthly"],
      plan_type: "free",
    }),
    account("会社", { proxy_name: "edge-b", healthy: false, ...UNKNOWN }),
  ],
  {
    switches: SWITCHES,
    additional_limits: [
      {
        limit_id: "spark",
        limit_name: "Spark",
        primary_left_pct: 75,
        primary_reset_at: at(59 * 60),
        secondary_left_pct: 100,
        secondary_reset_at: at(6 * DAY),
      },
    ],
    child_proxies: [
      {
        name: "edge-b",
        url: "http://192.0.2.2:8787",
        active: false,
        healthy: true,
        reachable: true,
        cooldown_seconds: 0,
        score: 0.4,
        selected_target: "openai:mallory",
        selection_reason: "usage-fallback",
        child_proxies: [
          {
            name: "deep",
            url: "http://192.0.2.3:8787",
            active: false,
            healthy: false,
            reachable: false,
            cooldown_seconds: 0,
            score: 0,
            last_error: "connection refused",
            next: "start it",
          },
        ],
      },
    ],
  },
);
