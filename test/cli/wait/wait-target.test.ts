// What `codexlb wait` reads from a status.

import { expect, test } from "bun:test";
import { nextReset, readiness } from "../../../src/cli/wait/wait-target.ts";
import { StatusAnswer } from "../../../src/core/status-schema.ts";

const NOW_MS = Date.UTC(2026, 0, 1);
const HOUR_S = 3_600;
const NOW_S = NOW_MS / 1000;

const READY = {
  alias: "alice",
  id: "openai:alice",
  active: false,
  pinned: false,
  healthy: true,
  enabled: true,
  cooldown_seconds: 0,
  daily_left_pct: 50,
  weekly_left_pct: 50,
  daily_reset_at: NOW_S + 3 * HOUR_S,
  weekly_reset_at: NOW_S + 90 * HOUR_S,
  score: 0.5,
};
const EXHAUSTED = {
  ...READY,
  alias: "bob",
  id: "openai:bob",
  daily_left_pct: 0,
  daily_reset_at: NOW_S + HOUR_S,
};
const DISABLED = {
  ...READY,
  alias: "carol",
  id: "openai:carol",
  enabled: false,
  disabled_reason: "operator",
};
const LOGIN_DEAD = { ...DISABLED, alias: "dave", id: "openai:dave", disabled_reason: "http-401" };

const statusOf = (accounts: readonly object[], child_proxies: readonly object[] = []) =>
  StatusAnswer.parse({ accounts, child_proxies });
const CHILD = { name: "c", url: "http://c", active: false, cooldown_seconds: 0, score: 0 };

test("the pool is ready if one account can serve, and that account is named", () => {
  const done = (...accounts: readonly object[]) => readiness(statusOf(accounts), undefined, NOW_MS);
  expect(done(EXHAUSTED, READY)).toEqual({ kind: "done", name: "alice" });
  const active = { ...READY, alias: "erin", id: "openai:erin", active: true };
  expect(done(READY, active)).toEqual({ kind: "done", name: "erin" });
});

test("an exhausted pool is waited for until its first reset", () => {
  expect(readiness(statusOf([EXHAUSTED, DISABLED]), undefined, NOW_MS)).toMatchObject({
    kind: "wait",
    back: { name: "bob", atMs: NOW_MS + HOUR_S * 1000 },
  });
});

test.each([
  ["all accounts are disabled", [DISABLED]],
  ["all logins have ended", [LOGIN_DEAD, DISABLED]],
  ["there are no accounts", []],
])("waiting does not help if %s", (_why, accounts) => {
  expect(readiness(statusOf(accounts), undefined, NOW_MS).kind).toBe("never");
});

const KEPT_BACK = { ...READY, floor_daily_pct: 60, at_floor: ["daily"], kept_back: true };

test("an account at its floor is waited for until the reset", () => {
  for (const alias of [undefined, "alice"])
    expect(readiness(statusOf([KEPT_BACK]), alias, NOW_MS)).toMatchObject({
      kind: "wait",
      back: { name: "alice", atMs: NOW_MS + 3 * HOUR_S * 1000 },
    });
});

test("waiting does not help if floors keep back whole windows, and the next step names what does", () => {
  const whole = { ...KEPT_BACK, floor_daily_pct: 100 };
  expect(readiness(statusOf([whole, { ...whole, alias: "bob" }]), undefined, NOW_MS)).toEqual({
    kind: "never",
    why: "both accounts are kept back by their floors",
    next: 'remove the floors with: codexlb account set ALIAS --floor-daily none --floor-weekly none, or set policy.spend_floors = "last" in config.toml',
  });
  expect(readiness(statusOf([whole]), "alice", NOW_MS)).toMatchObject({ kind: "never" });
  expect(readiness(statusOf([whole, EXHAUSTED]), undefined, NOW_MS).kind).toBe("wait");
});

test("a child proxy that cannot be reached may come back", () => {
  const lost = { ...CHILD, healthy: false, reachable: false };
  expect(readiness(statusOf([], [lost]), undefined, NOW_MS).kind).toBe("wait");
  expect(readiness(statusOf([DISABLED], [lost]), undefined, NOW_MS).kind).toBe("wait");
});

test("a child proxy that can serve makes the pool ready", () => {
  const healthy = { ...CHILD, healthy: true, reachable: true };
  expect(readiness(statusOf([], [healthy]), undefined, NOW_MS).kind).toBe("done");
});

test.each([
  ["alice", "done"],
  ["BOB", "wait"],
  ["carol", "never"],
  ["dave", "never"],
] as const)("only %s: %s", (alias, kind) => {
  const status = statusOf([READY, EXHAUSTED, DISABLED, LOGIN_DEAD]);
  expect(readiness(status, alias, NOW_MS).kind).toBe(kind);
});

test("an unknown account is an error", () => {
  expect(() => readiness(statusOf([READY]), "erin", NOW_MS)).toThrow('this proxy has no account "erin"');
});

test("the next reset is the earliest one to come", () => {
  const past = { ...EXHAUSTED, alias: "past", daily_reset_at: NOW_S - HOUR_S };
  expect(nextReset(statusOf([past, READY, EXHAUSTED]), undefined, NOW_MS)).toMatchObject({
    back: { name: "bob", atMs: NOW_MS + HOUR_S * 1000 },
  });
  expect(nextReset(statusOf([READY, EXHAUSTED]), "alice", NOW_MS)).toMatchObject({
    back: { name: "alice", atMs: NOW_MS + 3 * HOUR_S * 1000 },
  });
});

test("without a known reset there is nothing to wait for", () => {
  const unknown = { ...READY, daily_reset_at: 0, weekly_reset_at: 0 };
  expect(nextReset(statusOf([unknown]), undefined, NOW_MS).kind).toBe("never");
});
