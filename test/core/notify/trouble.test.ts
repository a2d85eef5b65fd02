// The troubles of a pool: which states of accounts, child proxies and figures are one, and which leave it open.

import { describe, expect, test } from "bun:test";
import { type TroubleView, troublesOf, type WatchedPool } from "../../../src/core/notify/trouble.ts";
import { candidate } from "../../support/candidates.ts";
import {
  type CandidateFields,
  deadAccount,
  exhaustedAccount,
  watchedAccount,
  watchedPool,
} from "../../support/troubles.ts";

const NOW = Date.UTC(2026, 0, 2);
const HOUR = 3_600_000;
const VIEW: TroubleView = { nowMs: NOW, poolBelowPercent: 20, bypassedMs: undefined };

const stateOf = (pool: WatchedPool, key: string, view: Partial<TroubleView> = {}) =>
  troublesOf(pool, { ...VIEW, ...view }).find((trouble) => trouble.key === key)?.state;

const CLOSED: CandidateFields = { closedBy: "health" };
const OPERATOR = { ...CLOSED, condition: "disabled", reason: "operator" } as const;

test.each([
  ["ready", {}, "absent", "absent"],
  ["probing", { condition: "probing" }, "absent", "absent"],
  ["on credits", { exhausted: true, credits: true }, "absent", "absent"],
  ["exhausted by its figures", { exhausted: true }, "present", "absent"],
  ["refused by the backend", { ...CLOSED, condition: "limited", reason: "usage-limit" }, "present", "absent"],
  ["cooling down", { ...CLOSED, condition: "cooling", reason: "http-503" }, "unclear", "absent"],
  ["disabled by you", OPERATOR, "unclear", "unclear"],
  ["logged out", { ...CLOSED, condition: "disabled", reason: "invalid-grant" }, "unclear", "present"],
  ["without a login", { ...CLOSED, condition: "disabled", reason: "missing-auth" }, "unclear", "present"],
  ["disabled for another reason", { ...CLOSED, condition: "disabled", reason: "x" }, "unclear", "present"],
] as const)("an account that is %s", (_, fields, exhausted, login) => {
  const pool = watchedPool([watchedAccount("a", fields)]);
  expect([stateOf(pool, "account_exhausted:openai:a"), stateOf(pool, "login_required:openai:a")]).toEqual([
    exhausted,
    login,
  ]);
});

const ready = watchedAccount("r");
const spent = exhaustedAccount("e", NOW + HOUR);
const dead = deadAccount("d");
const cooling = watchedAccount("c", { ...CLOSED, condition: "cooling", reason: "http-503" });
const off = watchedAccount("o", OPERATOR);
const draining = watchedAccount("x", { draining: true });

test.each([
  ["no accounts", [], "absent"],
  ["one ready account of three", [ready, spent, dead], "absent"],
  ["exhausted accounts only", [spent, exhaustedAccount("f", NOW + HOUR)], "present"],
  ["exhausted and dead accounts", [spent, dead], "present"],
  ["dead accounts only", [dead], "present"],
  ["an account that cools down", [spent, cooling], "unclear"],
  ["accounts that the operator disabled", [off], "absent"],
  ["an exhausted account, and one that drains", [spent, draining], "present"],
] as const)("the pool with %s", (_, accounts, state) => {
  expect(stateOf(watchedPool(accounts), "pool_exhausted")).toBe(state);
});

test("an exhausted pool names when the first account is back", () => {
  const pool = watchedPool([exhaustedAccount("a", NOW + 2 * HOUR), exhaustedAccount("b", NOW + HOUR), dead]);
  const [trouble] = troublesOf(pool, VIEW);
  expect(trouble).toMatchObject({
    key: "pool_exhausted",
    backAtMs: NOW + HOUR,
    counts: { total: 3, exhausted: 2, keptBack: 0, dead: 1, ready: 0, hasChildren: false },
  });
});

test.each([
  [0.19, 20, "present"],
  [0.2, 20, "unclear"],
  [0.24, 20, "unclear"],
  [0.25, 20, "absent"],
  [0, 20, "present"],
  [null, 20, "unclear"],
  [0, 0, "unclear"],
  [0.99, 100, "present"],
  [1, 100, "absent"],
] as const)("a pool with a share of %p left, if low means below %p percent", (left, below, state) => {
  const pool = watchedPool([ready], left);
  expect(stateOf(pool, "pool_low", { poolBelowPercent: below })).toBe(state);
});

test("a pool that is exhausted is not reported as low as well", () => {
  expect(stateOf(watchedPool([spent], 0.01), "pool_low")).toBe("unclear");
});

describe("a child proxy", () => {
  test.each([
    ["seen", "absent"],
    ["lost", "present"],
    ["unseen", "unclear"],
  ] as const)("that is %s", (presence, state) => {
    const child = { name: "office", candidate: candidate("child:x"), presence };
    const pool = watchedPool([], null, [child]);
    expect(stateOf(pool, "child_lost:child:x")).toBe(state);
  });

  test("counts in the pool like an account", () => {
    const child = { name: "office", candidate: candidate("child:x"), presence: "seen" } as const;
    expect(stateOf(watchedPool([spent], null, [child]), "pool_exhausted")).toBe("absent");
  });
});

test.each([
  [undefined, "absent"],
  [NOW, "present"],
  [NOW - 23 * HOUR, "present"],
  [NOW - 24 * HOUR, "absent"],
] as const)("a bypass at %p", (bypassedMs, state) => {
  expect(stateOf(watchedPool([]), "codex_bypassed", { bypassedMs })).toBe(state);
});

test("each automatically spent credit is reported once, within a day", () => {
  const spent = (redeemedMs: number) =>
    troublesOf(watchedPool([{ ...watchedAccount("alice"), redeemedMs }]), {
      nowMs: NOW,
      poolBelowPercent: 0,
      bypassedMs: undefined,
    }).filter(({ kind }) => kind === "credit_spent");
  const [trouble] = spent(NOW - 1);
  expect(trouble).toEqual({
    key: `credit_spent:openai:alice:${NOW - 1}`,
    kind: "credit_spent",
    state: "present",
    name: "alice",
  });
  expect([spent(0), spent(NOW - 24 * 3_600_000)]).toEqual([[], []]);
});
