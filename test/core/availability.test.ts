import { describe, expect, test } from "bun:test";
import { DEFAULT_OPTIONS } from "../../src/core/account-options.ts";
import {
  type Availability,
  absenceOf,
  availabilityFor,
  type Candidate,
  candidateOf,
  cooldownLeftMs,
  isOpen,
  type RequestNeeds,
  rankOf,
  tierOf,
} from "../../src/core/availability.ts";
import { type Capacity, NO_SUMMARY } from "../../src/core/capacity.ts";
import { HEALTHY, type Health } from "../../src/core/health.ts";
import { NO_TURNS, type TurnUse } from "../../src/core/turn-limit.ts";
import { candidate, context } from "../support/candidates.ts";

const TURN: RequestNeeds = context("sticky");
const OTHER: RequestNeeds = context("sticky", { spends: false });
const NONE: ReadonlySet<string> = new Set();
const WORK_ONLY = { required: [["work"]], preferred: ["work"] };

function tagged(id: string, ...tags: string[]): Candidate {
  return candidate(id, { options: { ...DEFAULT_OPTIONS, tags } });
}

describe("the availability for a request", () => {
  const draining = candidate("a", { draining: true });
  const ROWS: [string, Candidate, Partial<RequestNeeds>, turn: Availability, other: Availability][] = [
    ["with room", candidate("a"), {}, "ready", "ready"],
    ["of one that recovers", candidate("a", { condition: "probing" }), {}, "probing", "ready"],
    ["with only credits left", candidate("a", { condition: "credits" }), {}, "credits", "ready"],
    ["with nothing left", candidate("a", { condition: "exhausted" }), {}, "exhausted", "ready"],
    ["that cools down", candidate("a", { condition: "cooling" }), {}, "cooling", "cooling"],
    ["that is full", candidate("a", { fullAt: 2 }), {}, "full", "ready"],
    ["that is full, for a connection", candidate("a", { fullAt: 2 }), { opensOnly: true }, "ready", "ready"],
    ["that is full and pinned", candidate("a", { fullAt: 2 }), { pinnedId: "a" }, "full", "ready"],
    [
      "that is full and cools down",
      candidate("a", { fullAt: 2, condition: "cooling" }),
      {},
      "full",
      "cooling",
    ],
    ["that is limited", candidate("a", { condition: "limited" }), {}, "limited", "ready"],
    ["at a floor that gives way", candidate("a", { condition: "at_floor" }), {}, "at_floor", "ready"],
    ["at a floor, for a pin", candidate("a", { condition: "at_floor" }), { pinnedId: "a" }, "ready", "ready"],
    ["that is kept back", candidate("a", { condition: "kept_back" }), {}, "kept_back", "ready"],
    ["kept back, for a pin", candidate("a", { condition: "kept_back" }), { pinnedId: "a" }, "ready", "ready"],
    ["without the tag", candidate("a"), { tags: WORK_ONLY }, "without_tag", "without_tag"],
    ["with the tag", tagged("a", "work", "home"), { tags: WORK_ONLY }, "ready", "ready"],
    ["that is disabled", candidate("a", { condition: "disabled" }), {}, "disabled", "disabled"],
    ["that drains", draining, {}, "draining", "draining"],
    ["that drains, for its own session", draining, { boundId: "a" }, "ready", "ready"],
    ["that drains, for a pin", draining, { pinnedId: "a" }, "ready", "ready"],
    ["that drains, in a search for a reader", draining, { searching: true }, "ready", "ready"],
    ["that failed the request", candidate("a"), { tried: new Set(["a"]) }, "tried", "tried"],
    ["that cannot decrypt the history", candidate("a"), { readers: NONE }, "cannot_read", "ready"],
    ["without the model", candidate("a"), { offering: NONE }, "without_model", "without_model"],
  ];
  for (const [name, one, needs, turn, other] of ROWS)
    test(`of an upstream ${name}`, () => {
      expect(availabilityFor(one, { ...TURN, ...needs })).toBe(turn);
      expect(availabilityFor(one, { ...OTHER, ...needs })).toBe(other);
    });

  test("prefers lasting reasons to those of this request alone", () => {
    const needs = { ...TURN, tried: new Set(["a"]), readers: NONE };
    const limited = candidate("a", { condition: "limited", draining: true });
    expect(availabilityFor(limited, needs)).toBe("limited");
    expect(availabilityFor(draining, needs)).toBe("tried");
  });
});

test("an availability has one rank, one word, and one report to a run", () => {
  const all: Availability[] = [
    "ready",
    "probing",
    "credits",
    "at_floor",
    "exhausted",
    "last_resort",
    "cooling",
    "full",
    "limited",
    "kept_back",
    "draining",
    "cannot_read",
    "without_model",
    "without_tag",
    "tried",
    "turns_only",
    "disabled",
  ];
  expect(all.map((one) => `${one} ${rankOf(one)} ${tierOf(one)} ${absenceOf(one)}`)).toEqual([
    "ready 0 ready undefined",
    "probing 1 probing undefined",
    "credits 2 credits undefined",
    "at_floor 3 at_floor undefined",
    "exhausted 4 exhausted exhausted",
    "last_resort 5 last_resort undefined",
    "cooling 6 resting resting",
    "full undefined full undefined",
    "limited undefined out limited",
    "kept_back undefined kept_back limited",
    "draining undefined out out",
    "cannot_read undefined out out",
    "without_model undefined out out",
    "without_tag undefined out out",
    "tried undefined out out",
    "turns_only undefined out out",
    "disabled undefined out out",
  ]);
});

describe("a candidate", () => {
  const record = {
    ...NO_TURNS,
    id: "a",
    draining: false,
    inFlight: 1,
    inFlightElsewhere: 0,
    ramp: undefined,
  };
  const open: Capacity = {
    condition: "ready",
    untilMs: 0,
    why: undefined,
    summary: NO_SUMMARY,
    score: 1,
    hasOwnLimits: false,
  };
  const limit: Health = {
    kind: "cooling",
    cause: "limit",
    reason: "usage-limit",
    sinceMs: 1,
    untilMs: 9,
    faults: 0,
  };

  test("has the condition of its capacity while it is healthy", () => {
    expect(candidateOf(record, open, HEALTHY)).toMatchObject({ condition: "ready", closedBy: undefined });
    const closed = { ...open, condition: "limited", untilMs: 5, why: "x" } as const;
    expect(candidateOf(record, closed, HEALTHY)).toMatchObject({
      condition: "limited",
      closedBy: "capacity",
      reason: "x",
      untilMs: 5,
    });
  });

  test("has the condition of its health otherwise", () => {
    const closed = { ...open, condition: "disabled", why: "x" } as const;
    expect(candidateOf(record, closed, limit)).toMatchObject({
      condition: "limited",
      closedBy: "health",
      reason: "usage-limit",
      untilMs: 9,
    });
    expect(candidateOf(record, open, { ...limit, cause: "fault" }).condition).toBe("cooling");
    expect(candidateOf(record, open, { kind: "disabled", reason: "operator", sinceMs: 1 })).toMatchObject({
      condition: "disabled",
      closedBy: "health",
      reason: "operator",
    });
  });

  test("is probing while it recovers and has enough requests in flight, unless it is exhausted", () => {
    const exhausted = { ...open, condition: "exhausted" } as const;
    expect(candidateOf({ ...record, ramp: 1 }, open, HEALTHY).condition).toBe("probing");
    expect(candidateOf({ ...record, ramp: 2 }, open, HEALTHY).condition).toBe("ready");
    expect(candidateOf({ ...record, inFlightElsewhere: 1, ramp: 2 }, open, HEALTHY)).toMatchObject({
      condition: "probing",
      inFlight: 2,
      inFlightElsewhere: 1,
    });
    expect(candidateOf({ ...record, ramp: 1 }, exhausted, HEALTHY).condition).toBe("exhausted");
  });

  test("is full at its limit of turns on all replicas, or at its share of the limit", () => {
    const options = { ...DEFAULT_OPTIONS, concurrency: 5 };
    const fullAt = (use: Partial<TurnUse>, limit = 5) =>
      candidateOf({ ...record, ...use }, open, HEALTHY, { ...options, concurrency: limit }).fullAt;
    expect(fullAt({ turns: 4 })).toBeUndefined();
    expect(fullAt({ turns: 5 })).toBe(5);
    expect(fullAt({ turns: 1, turnsElsewhere: 4 })).toBe(5);
    expect(fullAt({ turns: 2, turnSharers: 2 })).toBe(2);
    expect(fullAt({ turns: 0, turnSharers: 9 })).toBeUndefined();
    expect(fullAt({ turns: 1, turnSharers: 9 })).toBe(1);
    expect(fullAt({ turns: 1_000 }, 0)).toBeUndefined();
  });

  test("has a cooldown only after failed requests", () => {
    const cooling = candidateOf(record, open, limit);
    expect([3, 9, 12].map((nowMs) => cooldownLeftMs(cooling, nowMs))).toEqual([6, 0, 0]);
    const reported = candidateOf(record, { ...open, condition: "limited", untilMs: 9 }, HEALTHY);
    expect(cooldownLeftMs(reported, 3)).toBe(0);
    expect(cooldownLeftMs(candidateOf(record, open, HEALTHY), 3)).toBe(0);
  });

  test("is open in every condition except cooling, limited, kept back and disabled", () => {
    const open = ["ready", "probing", "credits", "at_floor", "exhausted"] as const;
    expect(open.map(isOpen)).toEqual([true, true, true, true, true]);
    const closed = ["cooling", "limited", "kept_back", "disabled"] as const;
    expect(closed.map(isOpen)).toEqual([false, false, false, false]);
  });
});
