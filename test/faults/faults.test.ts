import { beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Outcome, runMatrix } from "./matrix.ts";
import { faultsPage, shownText, withoutTimes } from "./report.ts";

const PAGE = join(import.meta.dir, "..", "..", "docs", "faults.md");

let outcomes: Outcome[] = [];
let before = "";

beforeAll(async () => {
  before = readFileSync(PAGE, "utf8");
  outcomes = await runMatrix();
  const page = faultsPage(outcomes);
  // Differences in times alone must not change the repository.
  if (withoutTimes(page) !== withoutTimes(before)) writeFileSync(PAGE, page);
}, 300_000);

/** The name of a case in the message of a failing expectation. */
const nameOf = ({ row, phase, transport, accounts }: Outcome) =>
  `${row.name}, ${phase}, ${transport}, ${accounts}`;
/** Codex does not know this code in a `response.failed`, so it retries the turn as for any unknown code. */
const isRetriedByCodex = ({ row, phase, transport }: Outcome) =>
  row.name.endsWith("too_many_denials") &&
  phase !== "head" &&
  (transport === "sse" || row.name.startsWith("response.failed"));
const isReady = ({ states }: Outcome) => Object.values(states).every((state) => state === "ready");

describe("with a healthy second account", () => {
  test("every turn completes, whatever fails and wherever, and the client sees no error", () => {
    const failing = outcomes.filter(({ accounts, row }) => accounts === 2 && row.requestsOwn !== true);
    expect(failing.length).toBeGreaterThan(100);
    const seen = failing.filter(
      ({ row, servedBy, shown }) => servedBy === undefined || (shown.length > 0 && row.tooLarge !== true),
    );
    expect(seen.map((one) => `${nameOf(one)}: ${shownText(one)}`)).toEqual([]);
  });

  test("only a turn that has begun costs the client a second try, and never a third", () => {
    const again = outcomes.filter((one) => one.accounts === 2 && one.tries > 1 && !isRetriedByCodex(one));
    for (const one of again) expect([nameOf(one), one.tries]).toEqual([nameOf(one), 2]);
    // Over SSE every request is self-contained, so the client has to repeat only turns whose output it has seen.
    const early = again.filter(({ phase, transport }) => phase !== "after" && transport === "sse");
    expect(early.map(nameOf)).toEqual([]);
  });

  test("bob never cools down because of alice's failures", () => {
    for (const one of outcomes.filter(({ accounts }) => accounts === 2))
      expect([nameOf(one), one.states.bob]).toEqual([nameOf(one), "ready"]);
  });
});

test("an invalid request gets its error immediately, and no account is affected", () => {
  for (const one of outcomes.filter(({ row, phase }) => row.requestsOwn === true && phase !== "after"))
    expect([nameOf(one), isReady(one)]).toEqual([nameOf(one), true]);
});

test("a limit of another model does not affect alice, and credits are spent only when no ordinary quota is left", () => {
  const others = outcomes.filter(({ row }) => row.otherLimit === true);
  expect(others.length).toBe(8);
  for (const one of others) expect([nameOf(one), isReady(one)]).toEqual([nameOf(one), true]);
  const served = (spent: string) =>
    outcomes
      .filter(({ row }) => row.alice?.spent === spent)
      .map(({ transport, accounts, servedBy }) => `${transport} ${accounts} ${servedBy}`);
  expect(served("gpt-spark")).toEqual([
    "websocket 2 alice",
    "sse 2 alice",
    "websocket 1 alice",
    "sse 1 alice",
  ]);
  expect(served("demo")).toEqual(["websocket 2 bob", "sse 2 bob", "websocket 1 alice", "sse 1 alice"]);
});

test("a policy refusal is shown immediately, and exactly one account gets the request", () => {
  const refused = outcomes.filter(({ row }) => row.policy === true);
  expect(refused.length).toBeGreaterThan(60);
  for (const one of refused) {
    expect([nameOf(one), new Set(one.asked.map(({ alias }) => alias)).size]).toEqual([nameOf(one), 1]);
    if (isRetriedByCodex(one)) continue;
    expect([nameOf(one), one.asked.length, one.shown.length]).toEqual([nameOf(one), 1, 1]);
  }
});

test("a message that is too large is sent once over WebSocket and then once over HTTP, for the same account", () => {
  const large = outcomes.filter(({ row }) => row.tooLarge === true);
  expect(large.map(({ accounts }) => accounts)).toEqual([2, 1]);
  for (const { asked, servedBy, states } of large) {
    expect(asked).toEqual([
      { alias: "alice", transport: "websocket" },
      { alias: "alice", transport: "sse" },
    ]);
    expect(servedBy).toBe("alice");
    expect(new Set(Object.values(states))).toEqual(new Set(["ready"]));
  }
});

test("a limit of the only account ends the turn with Codex's own message, without repeated requests", () => {
  const limits = outcomes.filter(
    ({ accounts, row }) =>
      accounts === 1 && row.name.startsWith("usage_limit_reached") && row.otherLimit !== true,
  );
  expect(limits.length).toBeGreaterThan(8);
  for (const one of limits) {
    expect([nameOf(one), shownText(one)]).toEqual([nameOf(one), '"You\'ve hit your usage limit"']);
    expect(one.tries).toBeLessThanOrEqual(2);
    expect(one.states.alice).toBe("cooling until its reset");
  }
});

test("every use of an account ends with its turn, however the turn ended", () => {
  expect(outcomes.filter(({ leftInUse }) => leftInUse > 0).map(nameOf)).toEqual([]);
});

test("no client ever sees a 401", () => {
  for (const { shown } of outcomes) expect(shown.join()).not.toContain("a 401");
});

test("docs/faults.md matches the results (if it does not, this test rewrites it: review and commit it)", () => {
  expect(withoutTimes(before)).toBe(withoutTimes(faultsPage(outcomes)));
});
