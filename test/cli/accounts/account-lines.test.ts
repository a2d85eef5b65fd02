// `codexlb account show` on a terminal.

import { describe, expect, test } from "bun:test";
import { AccountDetails } from "../../../src/auth/account-details.ts";
import { accountLines } from "../../../src/cli/accounts/account-lines.ts";
import { account, FORECAST, NOW } from "../../support/status-documents.ts";

const HOUR = 3600;
const atSeconds = (seconds: number) => NOW / 1000 + seconds;
const ago = (seconds: number) => new Date(NOW - seconds * 1000).toISOString();

function details(status: Record<string, unknown>, more: Record<string, unknown> = {}): AccountDetails {
  return AccountDetails.parse({
    status: account("alice", status),
    home: "/home/me/.codex-lb/accounts/alice",
    chatgpt_account_id: "1a2b3c4d-0000-4000-8000-000000000001",
    sessions: { count: 2, latest: ["019aa0", "019a9f"] },
    login: {
      signed_in_at_ms: NOW - 12 * 24 * HOUR * 1000,
      refreshed_at_ms: NOW - 3 * HOUR * 1000,
      expires_at_ms: NOW + 9 * 24 * HOUR * 1000,
      renewable: true,
    },
    events: [
      { ts: ago(3 * HOUR), event: "account.imported", fields: {} },
      {
        ts: ago(600),
        event: "account.cooldown",
        fields: { account_alias: "alice", cooldown_seconds: 120, reason: "http-503" },
      },
      { ts: ago(90), event: "request.switched", fields: { from: "bob", to: "alice", reason: "pinned" } },
    ],
    ...more,
  });
}

const draw = (about: AccountDetails, columns = 80, utf8 = true) =>
  `${accountLines(about, { columns, colour: false, utf8, nowMs: NOW }).join("\n")}\n`;

test.each([60, 100])("an account with a forecast on %i columns", (columns) => {
  const [alice] = FORECAST.accounts;
  expect(draw(details({ forecast: alice?.forecast }), columns)).toMatchSnapshot();
});

test("reset credits are shown below the limits", () => {
  const reset_credits = { count: 2, expires_at: atSeconds(12 * 24 * HOUR), as_of_ms: NOW };
  expect(draw(details({ reset_credits }))).toContain(
    "\n             2 reset credits, the first expires in 12 days\n",
  );
});

describe("an account that is", () => {
  const STATES: Record<string, AccountDetails> = {
    ready: details({ pinned: true, active: true, in_flight: 3, last_used_at_ms: NOW - 4_000 }),
    "at its limit": details(
      {
        daily_left_pct: 0,
        daily_reset_at: atSeconds(2.6 * HOUR),
        cooldown_seconds: 2.6 * HOUR,
        cooldown_reason: "usage-limit",
        windows: ["daily", "weekly", "monthly"],
        monthly_left_pct: 55,
        monthly_reset_at: atSeconds(20 * 24 * HOUR),
        additional_limits: [
          {
            limit_id: "spark",
            limit_name: "GPT-Spark",
            primary_left_pct: 12,
            primary_reset_at: atSeconds(HOUR),
            primary_window_seconds: 18_000,
            secondary_left_pct: -1,
            secondary_reset_at: 0,
          },
        ],
        credits: { has_credits: true, unlimited: false, balance: 4.5, usable: false },
      },
      {
        switches: [
          { at_ms: NOW - 130_000, from: "alice", to: "bob", reason: "usage-limit", window: "daily" },
        ],
      },
    ),
    "cooling down": details({ cooldown_seconds: 90, cooldown_reason: "http-503" }),
    draining: details({ draining: true }),
    "disabled by the user": details({ enabled: false, disabled_reason: "operator" }),
    "without a valid login": details({ enabled: false, disabled_reason: "refresh-token-expired" }),
    "disabled for another reason": details({ enabled: false, disabled_reason: "http-403" }),
    "known from the files only": details(
      { proxy_name: "", email: "", plan_type: undefined, daily_left_pct: -1, daily_reset_at: 0 },
      { sessions: { count: 0, latest: [] }, events: [], login: undefined, chatgpt_account_id: undefined },
    ),
  };
  for (const [name, about] of Object.entries(STATES)) test(name, () => expect(draw(about)).toMatchSnapshot());
});

/** Each on a line of its own, from the left edge, for the terminal to continue it. */
const WIDER_THAN_30 = [
  "1a2b3c4d-0000-4000-8000-000000000001",
  "/home/me/.codex-lb/accounts/alice",
  "/home/me/.codex-lb/accounts/alice/config.toml",
];

describe("on a terminal", () => {
  const about = details(
    { active: true, cooldown_seconds: 2.6 * HOUR, cooldown_reason: "usage-limit" },
    {
      settings_file: "/home/me/.codex-lb/accounts/alice/config.toml",
      outbound_proxy: "http://proxy.example:3128",
    },
  );

  for (const columns of [30, 60, 120])
    test(`of ${columns} columns only a path, an id or a command is wider`, () => {
      const lines = accountLines(about, { columns, colour: false, utf8: true, nowMs: NOW });
      const wider = lines.filter((line) => Bun.stringWidth(line) > columns);
      expect(wider).toEqual(columns > 30 ? [] : WIDER_THAN_30);
      expect(draw(about, columns)).toMatchSnapshot();
    });

  test("without UTF-8 there are no other characters", () => {
    const moved = details({}, { switches: [{ at_ms: NOW, from: "alice", to: "bob", reason: "pinned" }] });
    expect(draw(moved, 80, false)).toContain("alice -> bob: bob is pinned");
    expect(draw(moved, 80, false)).toMatch(/^[\n -~]*$/);
  });

  test("repeated switches are one line, and the log does not show them again", () => {
    const one = { from: "bob", to: "alice", reason: "pinned" };
    const drawn = draw(
      details({}, { switches: [{ ...one, at_ms: NOW - 30_000, first_at_ms: NOW - 95_000, count: 2 }] }),
    );
    expect(drawn).toContain("30 s ago    bob → alice: alice is pinned (2 turns)");
    expect(drawn.match(/alice is pinned/g)).toHaveLength(1);
  });

  test("colours change no text", () => {
    const coloured = accountLines(about, { columns: 80, colour: true, utf8: true, nowMs: NOW }).join("\n");
    expect(coloured).toContain("\u001b[");
    expect(`${Bun.stripANSI(coloured)}\n`).toBe(draw(about));
  });

  test("text from another machine cannot control the terminal", () => {
    const hostile = "\u001b[2J\nx";
    const drawn = draw(
      details(
        { email: hostile },
        {
          home: hostile,
          outbound_proxy: hostile,
          settings_file: hostile,
          sessions: { count: 1, latest: [hostile] },
          events: [{ ts: ago(1), event: hostile, fields: { error: hostile } }],
        },
      ),
    );
    expect(drawn).not.toContain("\u001b");
    expect(drawn.split("\n")).not.toContain("x");
  });
});
