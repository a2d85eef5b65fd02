import { describe, expect, test } from "bun:test";
import { explanationOf } from "../../src/core/explain.ts";
import { HEALTHY, type Health } from "../../src/core/health.ts";
import type { Candidate, ChoiceContext } from "../../src/core/policy.ts";
import type { AccountFacts } from "../../src/core/pooled.ts";
import { UNKNOWN_QUOTA } from "../../src/core/quota.ts";
import { standingOf } from "../../src/core/standing.ts";
import { candidate, context as contextAt, WINDOW } from "../support/candidates.ts";

const NOW = 1_800_000_000_000;
const view = { nowMs: NOW, ttlMs: 60_000 };
const context: typeof contextAt = (mode, more) => contextAt(mode, { nowMs: NOW, ...more });
const facts = (id: string, health: Health = HEALTHY): AccountFacts => ({
  id,
  alias: `<${id}>`,
  email: undefined,
  identity: undefined,
  health,
  draining: false,
  quota: UNKNOWN_QUOTA,
  standing: standingOf(UNKNOWN_QUOTA, view),
  ramp: undefined,
  lastUsedMs: 0,
  lastSwitchReason: undefined,
  inFlight: 0,
});
const why = (list: readonly Candidate[], how: ChoiceContext, accounts = list.map(({ id }) => facts(id))) => {
  const { chosen, reason, accounts: lines } = explanationOf(accounts, list, how, "s");
  return { chosen, reason, lines: lines.map((line) => `${line.alias} ${line.tier}: ${line.why}`) };
};

describe("an explanation names the winner and says of the others", () => {
  test("what keeps them out", () => {
    const limit: Health = {
      kind: "cooling",
      cause: "limit",
      reason: "usage-limit",
      sinceMs: NOW,
      untilMs: NOW + 34 * 60_000,
      faults: 0,
    };
    const list = [
      candidate("a", { state: "limited" }),
      candidate("b", { state: "disabled" }),
      candidate("c", { draining: true }),
      candidate("d", { exhausted: true }),
      candidate("e", { state: "resting" }),
      candidate("f", { full: true }),
      candidate("g"),
    ];
    const accounts = list.map(({ id }) => ({
      ...facts(
        id,
        id === "a" ? limit : id === "b" ? { kind: "disabled", reason: "http-401", sinceMs: 0 } : HEALTHY,
      ),
      ramp: id === "f" ? 1 : undefined,
    }));
    expect(why(list, context("usage_balanced"), accounts)).toEqual({
      chosen: "<g>",
      reason: "usage-fallback",
      lines: [
        "<g> ready: the best score",
        "<a> out: its limit is reached, for 34 min more",
        "<b> out: disabled: http-401",
        "<c> out: it drains: it takes no new sessions",
        "<d> exhausted: used up by its figures; <g> is not",
        "<e> resting: it rests after a fault; <g> is not",
        "<f> probing: it has as many requests under way as it may; <g> is not; it recovers, 1 at a time",
      ],
    });
  });

  const RULES: [string, Candidate[], ChoiceContext, string, string][] = [
    [
      "a better score",
      [candidate("a", { score: 0.9 }), candidate("b")],
      context("usage_balanced", { activeId: "b" }),
      "the best score, better than the last one's by more than delta_percent",
      "score 0.50: <a> has 0.90",
    ],
    [
      "staying",
      [candidate("a", { score: 0.45 }), candidate("b")],
      context("usage_balanced", { activeId: "a" }),
      "it served last, and no other score is better by more than delta_percent",
      "score 0.50: not better than <a>'s 0.45 by more than 10 points",
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
      "the session is with it",
      "the session is with <a>",
    ],
    [
      "the round",
      [candidate("a"), candidate("b")],
      context("round_robin", { activeId: "b" }),
      "its turn in the round",
      "its turn comes after <a>'s",
    ],
    [
      "what is under way",
      [candidate("a"), candidate("b", { inFlight: 3 })],
      context("least_in_flight"),
      "the fewest requests under way",
      "3 under way: <a> has 0",
    ],
    [
      "the score, when as much is under way",
      [candidate("a", { score: 0.6 }), candidate("b")],
      context("least_in_flight"),
      "the fewest requests under way",
      "0 under way as <a>, and score 0.50: <a> has 0.60",
    ],
    [
      "staying with what is about as urgent",
      [candidate("a", { primary: { ...WINDOW, left: 0.49 } }), candidate("b")],
      context("reset_aware", { activeId: "a" }),
      "it served last, and no other one is more urgent by more than delta_percent",
      "urgency 0.50: not more than <a>'s 0.49 by more than 10 percent",
    ],
    [
      "urgency",
      [candidate("a"), candidate("b", { primary: { ...WINDOW, left: 0.1 } })],
      context("reset_aware"),
      "the most left for the time to its reset",
      "urgency 0.26: <a> has 0.50",
    ],
    [
      "the end of a rest",
      [candidate("a", { state: "resting", untilMs: 1 }), candidate("b", { state: "resting", untilMs: 2 })],
      context("sticky"),
      "all of them rest after faults; its rest ends first",
      "its rest ends after <a>'s",
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

  test("how long a rest lasts, and after what", () => {
    const rest: Health = {
      kind: "cooling",
      cause: "fault",
      reason: "http-503",
      sinceMs: NOW,
      untilMs: NOW + 3_000,
      faults: 1,
    };
    const list = [candidate("a"), candidate("b", { state: "resting", untilMs: NOW + 3_000 })];
    expect(why(list, context("sticky"), [facts("a"), facts("b", rest)]).lines[1]).toBe(
      "<b> resting: it rests after http-503, for 3 s more; <a> is not",
    );
  });

  test("which further limit keeps a score down", () => {
    const spark = {
      id: "codex_spark",
      name: "Spark",
      primary: {
        usedPercent: 80,
        resetAtMs: undefined,
        windowSeconds: undefined,
        asOfMs: NOW,
        source: "event" as const,
      },
      secondary: undefined,
    };
    const quota = { ...UNKNOWN_QUOTA, additional: [spark] };
    const account = { ...facts("a"), quota, standing: standingOf(quota, view) };
    const { accounts } = explanationOf(
      [account],
      [candidate("a", { score: 0.2 })],
      context("sticky"),
      undefined,
    );
    expect(accounts[0]?.capped_by).toMatchObject({ limit: "Spark", share: 0.2 });
    const plain = explanationOf([facts("a")], [candidate("a", { score: 0.3 })], context("sticky"), undefined);
    expect(plain.accounts[0]?.capped_by).toBeUndefined();
  });

  test("when somebody is back, when nobody can take it", () => {
    const list = [
      candidate("a", { state: "limited", untilMs: NOW + 9_000 }),
      candidate("b", { state: "limited", untilMs: NOW + 5_000 }),
    ];
    const { back_at_ms } = explanationOf(
      list.map(({ id }) => facts(id)),
      list,
      context("sticky"),
      undefined,
    );
    expect(back_at_ms).toBe(NOW + 5_000);
  });

  test("nothing more than why, when nobody can take it", () => {
    const told = why([candidate("a", { draining: true })], context("sticky"));
    expect(told).toEqual({
      chosen: undefined,
      reason: undefined,
      lines: ["<a> out: it drains: it takes no new sessions"],
    });
  });
});
