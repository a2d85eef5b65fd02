// What replicas share about background jobs, over simulated signals.

import { describe, expect, test } from "bun:test";
import { mergedAnchors } from "../../src/core/anchor/anchor-count.ts";
import { mergedAttempts } from "../../src/core/auto-redeem.ts";
import { newAccount } from "../../src/state/account-record.ts";
import { identify, noteAnchors } from "../../src/state/record-changes.ts";
import { noteResets } from "../../src/state/record-figures.ts";
import { shareWork } from "../../src/upstream/shared-work.ts";
import { fakeClock } from "../support/clock.ts";
import { signalNetwork } from "../support/signal-network.ts";

function rig() {
  const clock = fakeClock();
  const network = signalNetwork(clock, () => 1);
  let sent = 0;
  const join = (name: string) => {
    const record = newAccount("alice", "/alice");
    const accounts = [record];
    const signals = network.join(name);
    const job = shareWork({
      deps: { clock, log: { info: () => {}, warn: (text) => expect(text).toBe("") } },
      signals: {
        ...signals,
        put: (...args) => {
          sent++;
          signals.put(...args);
        },
      },
      store: {
        state: { accounts, activeId: undefined, pinnedId: undefined, messageCounter: 0, lastRotationMs: 0 },
        touch: () => {},
      },
    });
    job.start();
    return { record, accounts };
  };
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 500) {
      clock.advance(500);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return { clock, join, pass, sent: () => sent };
}

const LOGIN = {
  accountId: undefined,
  userId: undefined,
  email: undefined,
  planType: undefined,
  apiBaseUrl: undefined,
  mark: "mark",
};
const DAY = "2026-01-01";

describe("replicas", () => {
  test("know each other's anchor turns, attempts and credits, and send on nothing that they received", async () => {
    const { clock, join, pass, sent } = rig();
    const [a, b] = [join("a").record, join("b").record];
    await pass(4_000);
    expect(sent()).toBe(0);
    const anchors = { day: DAY, turns: 1, tokens: 12, momentMs: clock.now() };
    const resetCredits = {
      count: 1,
      credits: [{ id: "c", grantedAtMs: 1, expiresAtMs: undefined, title: "Full reset" }],
      asOfMs: clock.now(),
    };
    noteAnchors(a, anchors);
    noteResets(a, { autoRedeems: { day: DAY, attempts: 1, redeemedMs: 0 }, resetCredits });
    await pass(4_000);
    expect(b).toMatchObject({ anchors, autoRedeems: { attempts: 1 }, resetCredits });
    expect(sent()).toBe(1);
    noteAnchors(b, { ...anchors, turns: 2 });
    await pass(10_000);
    expect([a.anchors?.turns, sent()]).toEqual([2, 2]);
  });

  test("take over the unfinished request of another one, and forget it once its outcome is known", async () => {
    const { clock, join, pass } = rig();
    const [a, b] = [join("a").record, join("b").record];
    const redemption = { requestId: "r", creditId: "c", sinceMs: clock.now() };
    noteResets(a, { redemption });
    await pass(4_000);
    expect(b.redemption).toEqual(redemption);
    noteResets(b, { redemption: undefined });
    await pass(4_000);
    expect([a.redemption, b.redemption]).toEqual([undefined, undefined]);
    noteResets(a, { redemption: { ...redemption, requestId: "s" } });
    await pass(4_000);
    expect(b.redemption?.requestId).toBe("s");
  });

  test("take nothing of another login under the same alias", async () => {
    const { clock, join, pass } = rig();
    const [a, b] = [join("a").record, join("b").record];
    identify(b, { ...LOGIN, accountId: "other" });
    noteResets(a, { redemption: { requestId: "r", creditId: "c", sinceMs: clock.now() } });
    await pass(4_000);
    expect(b.redemption).toBeUndefined();
  });

  test("apply what they received before they had the account, and before they joined", async () => {
    const { clock, join, pass } = rig();
    const a = join("a").record;
    noteAnchors(a, { day: DAY, turns: 2, tokens: 0, momentMs: clock.now() });
    await pass(4_000);
    const { record: b, accounts } = join("b");
    accounts.pop();
    await pass(4_000);
    expect(b.anchors).toBeUndefined();
    accounts.push(b);
    await pass(4_000);
    expect(b.anchors?.turns).toBe(2);
  });
});

test("two counts of anchor turns become one, in any order, and a later day begins again", () => {
  const one = { day: DAY, turns: 2, tokens: 5, momentMs: 10 };
  const two = { day: DAY, turns: 1, tokens: 9, momentMs: 20 };
  const both = { day: DAY, turns: 2, tokens: 9, momentMs: 20 };
  expect([mergedAnchors(one, two), mergedAnchors(two, one)]).toEqual([both, both]);
  expect(mergedAnchors(both, one)).toBe(both);
  const later = { ...one, day: "2026-01-02" };
  expect([mergedAnchors(one, later), mergedAnchors(later, one)]).toEqual([later, later]);
});

test("two counts of attempts become one, in any order, and keep the last success over the days", () => {
  const one = { day: DAY, attempts: 2, redeemedMs: 5 };
  const two = { day: DAY, attempts: 1, redeemedMs: 9 };
  const both = { day: DAY, attempts: 2, redeemedMs: 9 };
  expect([mergedAttempts(one, two), mergedAttempts(two, one)]).toEqual([both, both]);
  expect(mergedAttempts(both, one)).toBe(both);
  const later = { day: "2026-01-02", attempts: 1, redeemedMs: 0 };
  const merged = { ...later, redeemedMs: 9 };
  expect([mergedAttempts(two, later), mergedAttempts(later, two)]).toEqual([merged, merged]);
});
