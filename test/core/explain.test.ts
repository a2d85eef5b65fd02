import { describe, expect, test } from "bun:test";
import type { Candidate } from "../../src/core/availability.ts";
import { type ExplainedUpstream, explanationOf } from "../../src/core/explain.ts";
import type { ChoiceContext } from "../../src/core/policy.ts";
import { candidate, context as contextAt, windows } from "../support/candidates.ts";

const NOW = 1_800_000_000_000;
const context: typeof contextAt = (mode, more) => contextAt(mode, { nowMs: NOW, ...more });
const facts = (id: string): ExplainedUpstream => ({ id, alias: `<${id}>`, limit: undefined });
const ORDINARY = { session: undefined, model: undefined };
const why = (list: readonly Candidate[], how: ChoiceContext, accounts = list.map(({ id }) => facts(id))) => {
  const {
    chosen,
    reason,
    accounts: lines,
  } = explanationOf(accounts, list, how, { session: "s", model: undefined });
  return { chosen, reason, lines: lines.map((line) => `${line.alias} ${line.tier}: ${line.why}`) };
};

describe("an explanation names the winner and says of the others", () => {
  test("how many seconds are left, if it is less than two minutes", () => {
    const limited = (name: string, leftMs: number) =>
      candidate(name, {
        condition: "limited",
        untilMs: NOW + leftMs,
        reason: "usage-limit",
        closedBy: "health",
      });
    const list = [limited("a", 33_000), limited("b", 119_000), limited("c", 120_000)];
    expect(why(list, context("usage_balanced")).lines).toEqual([
      "<a> out: its limit is exhausted, for 33 s more",
      "<b> out: its limit is exhausted, for 119 s more",
      "<c> out: its limit is exhausted, for 2 min more",
    ]);
  });

  test("that an exhausted account is only tried, before the key or before the turn is refused", () => {
    const exhausted = candidate("a", { exhausted: true });
    const key = candidate("k", { condition: "last_resort" });
    const how = context("usage_balanced", { activeId: "a" });
    expect(why([exhausted, key], how)).toEqual({
      chosen: "<a>",
      reason: "usage-stay",
      lines: [
        "<a> exhausted: exhausted according to its figures, which may be wrong, so the proxy tries it before the API key",
        "<k> last_resort: it has an API key, so it serves only if no other account can; <a> is tried first",
      ],
    });
    expect(why([exhausted, { ...key, draining: true }], how).lines).toEqual([
      "<a> exhausted: exhausted according to its figures, which may be wrong, so the proxy tries it before it refuses the turn",
      "<k> out: draining: it takes no new sessions",
    ]);
    expect(why([candidate("b"), key], how).lines[1]).toBe(
      "<k> last_resort: it has an API key, so it serves only if no other account can; <b> can",
    );
  });

  test("what keeps them out", () => {
    const list = [
      candidate("a", {
        condition: "limited",
        untilMs: NOW + 34 * 60_000,
        reason: "usage-limit",
        closedBy: "health",
      }),
      candidate("b", { condition: "disabled", reason: "http-401", closedBy: "health" }),
      candidate("c", { draining: true }),
      candidate("d", { exhausted: true }),
      candidate("e", { condition: "cooling" }),
      candidate("f", { condition: "probing", ramp: 1 }),
      candidate("g"),
    ];
    expect(why(list, context("usage_balanced"))).toEqual({
      chosen: "<g>",
      reason: "usage-fallback",
      lines: [
        "<g> ready: the best score",
        "<a> out: its limit is exhausted, for 34 min more",
        "<b> out: disabled: login expired",
        "<c> out: draining: it takes no new sessions",
        "<d> exhausted: exhausted according to its figures; <g> is not",
        "<e> resting: cooling down after a failure; <g> is not",
        "<f> probing: it is recovering, and already has the most requests allowed; <g> is not; recovering, at most 1 at a time",
      ],
    });
  });

  const RULES: [string, Candidate[], ChoiceContext, string, string][] = [
    [
      "a better score",
      [candidate("a", { score: 0.9 }), candidate("b")],
      context("usage_balanced", { activeId: "b" }),
      "the best score, better than that of the account that served last, by more than delta_percent",
      "score 0.50: <a> has 0.90",
    ],
    [
      "staying",
      [candidate("a", { score: 0.45 }), candidate("b")],
      context("usage_balanced", { activeId: "a" }),
      "it served last, and no other score is better by more than delta_percent",
      "score 0.50: not better than <a>'s 0.45 by more than 0.10",
    ],
    [
      "a pin",
      [candidate("a"), candidate("b")],
      context("sticky", { pinnedId: "a" }),
      "it is pinned",
      "<a> is pinned",
    ],
    [
      "the session",
      [candidate("a"), candidate("b")],
      context("sticky", { boundId: "a" }),
      "the session belongs to it",
      "the session belongs to <a>",
    ],
    [
      "the round",
      [candidate("a"), candidate("b")],
      context("round_robin", { activeId: "b" }),
      "next in the rotation",
      "comes after <a> in the rotation",
    ],
    [
      "the requests in flight",
      [candidate("a"), candidate("b", { inFlight: 3 })],
      context("least_in_flight"),
      "the fewest requests in flight",
      "3 in flight: <a> has 0",
    ],
    [
      "the score, if the requests in flight are equal",
      [candidate("a", { score: 0.6 }), candidate("b")],
      context("least_in_flight"),
      "the fewest requests in flight",
      "0 in flight like <a>, and score 0.50: <a> has 0.60",
    ],
    [
      "staying with an account that is about as urgent",
      [candidate("a", { windows: windows({ left: 0.49 }) }), candidate("b")],
      context("reset_aware", { activeId: "a" }),
      "it served last, and no other is more urgent by more than delta_percent",
      "urgency 0.50: not more than <a>'s 0.49 by more than 10 percent",
    ],
    [
      "urgency",
      [candidate("a"), candidate("b", { windows: windows({ left: 0.1 }) })],
      context("reset_aware"),
      "the most quota left for the time until its reset",
      "urgency 0.26: <a> has 0.50",
    ],
    [
      "the end of a cooldown",
      [
        candidate("a", { condition: "cooling", untilMs: 1 }),
        candidate("b", { condition: "cooling", untilMs: 2 }),
      ],
      context("sticky"),
      "all accounts are cooling down; its cooldown ends first",
      "its cooldown ends after <a>'s",
    ],
  ];
  for (const [name, list, how, winner, loser] of RULES)
    test(name, () => {
      expect(why(list, how).lines.map((line) => line.replace(/^<\w> \w+: /, ""))).toEqual([winner, loser]);
    });

  test("that they cannot read the session", () => {
    const how = context("sticky", { boundId: "a", readers: new Set(["a"]) });
    expect(why([candidate("a"), candidate("b")], how).lines[1]).toBe(
      "<b> out: it cannot decrypt this session's history",
    );
  });

  test("how long a cooldown lasts, and its reason", () => {
    const failed = { closedBy: "health", reason: "http-503", untilMs: NOW + 3_000 } as const;
    const list = [candidate("a"), candidate("b", { condition: "cooling", ...failed })];
    expect(why(list, context("sticky")).lines[1]).toBe(
      "<b> resting: cooling down after http-503, for 3 s more; <a> is not",
    );
  });

  test("which limit counts for the model, or that an account does not have it", () => {
    const accounts = [{ ...facts("a"), limit: "Spark" }, facts("b")];
    const how = context("sticky", { offering: new Set(["a"]) });
    const explained = explanationOf(accounts, [candidate("a"), candidate("b")], how, {
      session: undefined,
      model: "spark",
    });
    expect(explained).toMatchObject({ model: "spark", chosen: "<a>" });
    expect(explained.accounts.map(({ limit, why }) => [limit, why])).toEqual([
      ["Spark", "the first in the list that can serve"],
      [undefined, "it does not have the model"],
    ]);
  });

  test("that only credits are left, also if they must not be spent", () => {
    const spent = { exhausted: true, credits: true };
    expect(why([candidate("a"), candidate("b", spent)], context("sticky")).lines[1]).toBe(
      "<b> credits: only credits are left; <a> is not",
    );
    const barred = candidate("b", {
      ...spent,
      condition: "limited",
      closedBy: "capacity",
      reason: "only credits are left",
      untilMs: NOW + 180_000,
    });
    expect(why([candidate("a"), barred], context("sticky")).lines[1]).toBe(
      "<b> out: only credits are left, for 3 min more",
    );
  });

  test("the windows that an account has", () => {
    const { weekly } = windows();
    const weeklyOnly = candidate("a", { windows: { short: undefined, weekly, monthly: undefined } });
    const { accounts } = explanationOf([facts("a")], [weeklyOnly], context("sticky"), ORDINARY);
    expect(accounts[0]?.terms).toEqual([{ window: "weekly", share: 0.5, known: true, weight: 1 }]);
  });

  test("when the first account is back, if none can take the request", () => {
    const list = [
      candidate("a", { condition: "limited", untilMs: NOW + 9_000 }),
      candidate("b", { condition: "limited", untilMs: NOW + 5_000 }),
    ];
    const { back_at_ms } = explanationOf(
      list.map(({ id }) => facts(id)),
      list,
      context("sticky"),
      ORDINARY,
    );
    expect(back_at_ms).toBe(NOW + 5_000);
  });

  test("which of two accounts is back first in the same second, by name like the status", () => {
    const limited = (id: string, untilMs: number) => candidate(id, { condition: "limited", untilMs });
    const list = [limited("b", NOW + 4_100), limited("a", NOW + 4_900), limited("c", NOW + 5_100)];
    const accounts = list.map(({ id }) => facts(id));
    expect(explanationOf(accounts, list, context("sticky"), ORDINARY).back).toBe("<a>");
  });

  test("only the reason, if no account can take the request", () => {
    const explained = why([candidate("a", { draining: true })], context("sticky"));
    expect(explained).toEqual({
      chosen: undefined,
      reason: undefined,
      lines: ["<a> out: draining: it takes no new sessions"],
    });
  });
});
