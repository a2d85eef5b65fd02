// What every view says of the next turn: nothing is named as next when nothing can serve.

import { expect, test } from "bun:test";
import { frameLines } from "../../src/cli/status/frame.ts";
import { nextTurnOf } from "../../src/core/next-turn.ts";
import { outageOf, outageWords } from "../../src/core/outage.ts";
import { StatusAnswer } from "../../src/core/status-schema.ts";
import { account, NOW } from "../support/status-documents.ts";

// Times of day are in the local time zone.
process.env.TZ = "UTC";

const AT = NOW / 1000;
const LIMITED = { cooldown_seconds: 3_600, cooldown_reason: "usage-limit" };
const EXPIRED = { enabled: false, disabled_reason: "refresh-token-invalidated" };
const KEPT_BACK = { daily_left_pct: 10, daily_reset_at: AT + 3_600, at_floor: ["daily"], kept_back: true };
const OFF = { enabled: false, disabled_reason: "operator" };

const pool = (accounts: readonly object[], more: object = {}) =>
  StatusAnswer.parse({ proxy_name: "laptop", policy: { mode: "sticky" }, accounts, ...more });

const headOf = (status: StatusAnswer) =>
  frameLines(
    { status, url: "http://127.0.0.1:8765", answeredMs: NOW, trouble: undefined },
    { columns: 200, height: { kind: "page" }, nowMs: NOW, colour: false, utf8: true, wide: false },
  )[0];

test.each([
  [
    "all have reached a limit",
    [account("alice", { ...LIMITED, active: true }), account("bob", { ...LIMITED, cooldown_seconds: 7_200 })],
    "no account can serve, first back at 04:04 (alice)",
    "both accounts have reached a limit; the first is back at 04:04 (alice)",
  ],
  [
    "all logins have expired",
    [account("alice", EXPIRED), account("bob", EXPIRED)],
    "no account can serve",
    "both accounts need a new login",
  ],
  [
    "floors keep back two of three",
    [account("alice", KEPT_BACK), account("bob", LIMITED), account("carol", KEPT_BACK)],
    "no account can serve, first back at 04:04 (alice)",
    "1 of 3 accounts has reached a limit, 2 are kept back by their floors; the first is back at 04:04 (alice)",
  ],
  [
    "one is draining, and the others are disabled",
    [account("alice", { draining: true }), account("bob", OFF), account("carol", { ...OFF, active: true })],
    "no account can serve",
    "2 of 3 accounts are disabled by you, 1 is draining",
  ],
  [
    "every cause",
    [account("alice", LIMITED), account("bob", EXPIRED), account("carol", OFF)],
    "no account can serve, first back at 04:04 (alice)",
    "1 of 3 accounts has reached a limit, 1 needs a new login, 1 is disabled by you; the first is back at 04:04 (alice)",
  ],
  [
    "one has an API key that was refused",
    [
      account("alice", LIMITED),
      account("openai", {
        ...EXPIRED,
        disabled_reason: "http-401",
        api_key: { base_url: "https://api.example/v1", spent_usd: 0, reserved_usd: 0, reset_at: 0 },
      }),
    ],
    "no account can serve, first back at 04:04 (alice)",
    "1 of 2 accounts has reached a limit, 1 has an API key that was refused; the first is back at 04:04 (alice)",
  ],
  [
    "a single account",
    [account("alice", LIMITED)],
    "no account can serve, first back at 04:04 (alice)",
    "the only account has reached a limit; it is back at 04:04",
  ],
] as const)("%s", (_name, accounts, head, words) => {
  const status = pool(accounts);
  expect(headOf(status)).toBe(`laptop  http://127.0.0.1:8765  policy sticky  ${head}`);
  const outage = outageOf(status, NOW);
  expect(outage && outageWords(outage, NOW)).toBe(words);
});

test("of two accounts that are back at the same time the first is named by name, not by order", () => {
  const status = pool([account("pool", { ...LIMITED, active: true }), account("aaaa", LIMITED)]);
  expect(outageOf(status, NOW)?.first?.name).toBe("aaaa");
});

test("an API key with room is the next one after an exhausted account that the proxy tries first", () => {
  const spent = account("alice", { daily_left_pct: 0, daily_reset_at: AT + 3_600 });
  const api_key = { base_url: "http://127.0.0.1/v1", spent_usd: 1, reserved_usd: 0, reset_at: AT + 3_600 };
  const next = (cap_usd: number) =>
    nextTurnOf(
      pool([spent, account("openai", { api_key: { ...api_key, cap_usd } })], {
        selected_account_id: "openai:alice",
        selection_reason: "usage-fallback",
      }),
      NOW,
    );
  expect(next(20)).toMatchObject({ name: "openai", why: "last resort, after alice", back: undefined });
  expect(next(1)?.name).toBeUndefined();
});

test("an exhausted account that the proxy tries all the same is not called the next one", () => {
  const spent = account("alice", { daily_left_pct: 0, daily_reset_at: AT + 3_600 });
  const status = pool([spent], { selected_account_id: "openai:alice", selection_reason: "usage-fallback" });
  expect(nextTurnOf(status, NOW)).toMatchObject({
    name: undefined,
    headline: "no account can serve",
    why: "tries alice",
    back: { name: "alice", atMs: NOW + 3_600_000 },
  });
});

test("a full account is not an outage: turns wait for a slot", () => {
  const full = pool([account("alice", { concurrency: 2, full_at: 2, in_flight: 2 })], {
    selection_reason: "full",
  });
  expect(outageOf(full, NOW)).toBeUndefined();
  expect(nextTurnOf(full, NOW)).toMatchObject({ name: undefined, why: "turns wait for a slot" });
  expect(headOf(full)).toContain("every available account is full (turns wait for a slot)");
  expect(headOf(full)).not.toContain("no account can serve");
});

test("no turn waits for a slot on a draining account", () => {
  const draining = pool([account("alice", { concurrency: 1, full_at: 1, draining: true })]);
  expect(outageOf(draining, NOW)?.causes).toEqual(["draining"]);
  expect(headOf(draining)).toEndWith("no account can serve");
});

test("a pool that can serve has no outage, and names the next account or child proxy", () => {
  const status = pool([account("alice", LIMITED), account("bob")], {
    selected_account_id: "openai:bob",
    selection_reason: "usage-stay",
  });
  expect(outageOf(status, NOW)).toBeUndefined();
  expect(nextTurnOf(status, NOW)).toMatchObject({ name: "bob", why: "served last", back: undefined });
  const child = { name: "edge", url: "http://edge", active: true, healthy: true, reachable: true };
  const chained = pool([account("alice", LIMITED)], {
    child_proxies: [{ ...child, cooldown_seconds: 0, score: 1 }],
    selected_proxy_name: "edge",
    selection_reason: "sticky",
  });
  expect(outageOf(chained, NOW)).toBeUndefined();
  expect(nextTurnOf(chained, NOW)?.name).toBe("edge");
});

test("a proxy without accounts has neither", () => {
  const status = pool([]);
  expect(nextTurnOf(status, NOW)).toBeUndefined();
  expect(outageOf(status, NOW)).toBeUndefined();
});
