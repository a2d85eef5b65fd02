// Which notifications are due: once for each change, not for changes that pass within seconds, and together in a storm.

import { describe, expect, test } from "bun:test";
import {
  dueTroubles,
  GATHER_MS,
  MESSAGE_GAP_MS,
  NOTHING_REPORTED,
  type Reported,
  reportedAfter,
  SETTLE_MS,
  type Standing,
  standingsAfter,
  TROUBLE_GAP_MS,
} from "../../../src/core/notify/pending.ts";
import type { Trouble } from "../../../src/core/notify/trouble.ts";

const START = Date.UTC(2026, 0, 2);
const SECOND = 1_000;

/** A recipient who looks at the troubles every second. */
function recipient(reported: Reported = NOTHING_REPORTED, startMs = START) {
  let standings: ReadonlyMap<string, Standing> = new Map();
  let known = reported;
  let nowMs = startMs;
  const messages: string[][] = [];
  return {
    messages,
    reported: () => known,
    /** Lets `ms` pass while the troubles in `present` are present, those in `unclear` unclear, and others absent. */
    pass: (
      ms: number,
      present: readonly string[],
      unclear: readonly string[] = [],
      all = ["a", "b", "c"],
    ) => {
      for (const end = nowMs + ms; nowMs < end; ) {
        nowMs += SECOND;
        const troubles = all.map((key): Trouble => {
          const state = present.includes(key) ? "present" : unclear.includes(key) ? "unclear" : "absent";
          return { key, kind: "account_exhausted", state, name: key };
        });
        standings = standingsAfter(standings, troubles, nowMs - startMs);
        const due = dueTroubles(troubles, standings, known, { nowMs, monotonicMs: nowMs - startMs });
        if (due.length === 0) continue;
        messages.push(due.map(({ key, state }) => `${state === "present" ? "+" : "-"}${key}`));
        known = reportedAfter(known, due, troubles, { nowMs, isMessage: true });
      }
    },
  };
}

test("each beginning and each end is reported once", () => {
  const one = recipient();
  one.pass(60 * SECOND, []);
  one.pass(3_600 * SECOND, ["a"]);
  one.pass(3_600 * SECOND, []);
  one.pass(3_600 * SECOND, ["a"]);
  expect(one.messages).toEqual([["+a"], ["-a"], ["+a"]]);
});

test("what was present already is reported together at the first start", () => {
  const one = recipient();
  one.pass(600 * SECOND, ["a", "b", "c"]);
  expect(one.messages).toEqual([["+a", "+b", "+c"]]);
});

test("a restart repeats nothing, and reports what changed meanwhile", () => {
  const before = recipient();
  before.pass(600 * SECOND, ["a", "b"]);
  const later = START + 600 * SECOND;
  const same = recipient(before.reported(), later);
  same.pass(600 * SECOND, ["a", "b"]);
  expect(same.messages).toEqual([]);
  const other = recipient(before.reported(), later);
  other.pass(1_200 * SECOND, ["b", "c"]);
  expect(other.messages).toEqual([["-a", "+c"]]);
});

describe("flapping", () => {
  test("a trouble that passes before it has settled is not reported", () => {
    const one = recipient();
    for (let count = 0; count < 20; count++) {
      one.pass(SETTLE_MS - 2 * SECOND, ["a"]);
      one.pass(SETTLE_MS - 2 * SECOND, []);
    }
    expect(one.messages).toEqual([]);
  });

  test("a trouble that comes and goes is reported at most once in five minutes", () => {
    const one = recipient();
    const rounds = 60;
    for (let count = 0; count < rounds; count++) {
      one.pass(2 * SETTLE_MS, ["a"]);
      one.pass(2 * SETTLE_MS, []);
    }
    expect(one.messages.length).toBeGreaterThan(1);
    expect(one.messages.length).toBeLessThanOrEqual(1 + (rounds * 4 * SETTLE_MS) / TROUBLE_GAP_MS);
  });

  test("an unclear state changes nothing", () => {
    const one = recipient();
    one.pass(600 * SECOND, ["a"]);
    one.pass(600 * SECOND, [], ["a"]);
    one.pass(600 * SECOND, ["a"]);
    one.pass(600 * SECOND, [], ["b"]);
    expect(one.messages).toEqual([["+a"], ["-a"]]);
  });
});

describe("storms", () => {
  const all = Array.from({ length: 11 }, (_, at) => `s${at}`);

  test("accounts that fail within seconds are in one message", () => {
    const one = recipient();
    for (let count = 1; count <= all.length; count++) one.pass(SECOND, all.slice(0, count), [], all);
    one.pass(600 * SECOND, all, [], all);
    expect(one.messages).toEqual([all.map((key) => `+${key}`)]);
  });

  test("a storm that does not end delays the first message by a bounded time, and the others by a minute", () => {
    const many = Array.from({ length: 200 }, (_, at) => `s${at}`);
    const one = recipient();
    for (let count = 1; count <= many.length; count++) one.pass(SECOND, many.slice(0, count), [], many);
    one.pass(600 * SECOND, many, [], many);
    expect(one.messages.flat().sort()).toEqual(many.map((key) => `+${key}`).sort());
    expect(one.messages[0]?.length).toBeLessThanOrEqual(GATHER_MS / SECOND);
    expect(one.messages.length).toBeLessThanOrEqual(2 + (many.length * SECOND) / MESSAGE_GAP_MS);
  });
});

test("a removed account is forgotten without a message", () => {
  const one = recipient();
  one.pass(600 * SECOND, ["a"]);
  one.pass(600 * SECOND, [], [], ["b"]);
  one.pass(600 * SECOND, ["b"], [], ["b"]);
  expect(one.messages).toEqual([["+a"], ["+b"]]);
  expect([...one.reported().troubles.keys()]).toEqual(["b"]);
});

test("a clock that was set back does not hold messages back", () => {
  const future = new Map([["a", { present: true, atMs: START + 86_400_000 }]]);
  const one = recipient({ troubles: future, lastSentMs: START + 86_400_000 });
  one.pass(60 * SECOND, []);
  expect(one.messages).toEqual([["-a"]]);
});
