import { expect, test } from "bun:test";
import type { Explained } from "../../../src/admin/answers.ts";
import { setAdvisedFlags } from "../../../src/advice.ts";
import { explanationFrame } from "../../../src/cli/status/explanation-frame.ts";
import { explanationText } from "../../../src/cli/status/explanation-text.ts";
import { styleOf } from "../../../src/cli/terminal/glyphs.ts";
import { NOW } from "../../support/status-documents.ts";

process.env.TZ = "UTC";

const account = (
  alias: string,
  tier: Explained["accounts"][number]["tier"],
  why: string,
  more: object = {},
) => ({
  alias,
  id: `openai:${alias}`,
  tier,
  in_flight: 1,
  score: 0.5,
  terms: [
    { window: "daily" as const, share: 0.93, known: true, weight: 0.6 },
    { window: "weekly" as const, share: 0.3, known: false, weight: 0.4 },
  ],
  limit: undefined,
  urgency: 0.98,
  why,
  ...more,
});

const EXPLAINED: Explained = {
  mode: "usage_balanced",
  session: undefined,
  model: undefined,
  bound_to: undefined,
  held: false,
  pinned: undefined,
  chosen: "bob",
  reason: "usage-stay",
  back_at_ms: undefined,
  accounts: [
    account("bob", "ready", "it served last, and no other score is better by more than delta_percent"),
    account("alice", "exhausted", "exhausted according to its figures; bob is not"),
    account("carol", "out", "disabled: refresh-token-expired"),
    account("dave", "out", "disabled: operator"),
    account("erin", "resting", "cooling down after http-503, for 5 s more; bob is not"),
    account("frank", "credits", "only credits are left; bob is not", {
      terms: [{ window: "monthly", share: 0, known: true, weight: 1 }],
    }),
  ],
};

const frame = (columns: number, colour = false) => ({ columns, style: styleOf({ colour, utf8: true }) });
const widest = (text: string) => Math.max(...text.split("\n").map((line) => Bun.stringWidth(line)));

test("a command that does not fit in its row is printed whole below the table", () => {
  setAdvisedFlags({ root: "/srv/state/codexlb/of-the-team" });
  try {
    const lines = explanationFrame(EXPLAINED, frame(60), NOW).split("\n");
    expect(lines.slice(-4)).toEqual([
      "to do:",
      "  carol:",
      "codexlb account login --root /srv/state/codexlb/of-the-team carol",
      "",
    ]);
  } finally {
    setAdvisedFlags({});
  }
});

test.each([60, 80, 120, 200])("an explanation on %d columns", (columns) => {
  const text = explanationFrame(EXPLAINED, frame(columns), NOW);
  expect(text).toMatchSnapshot();
  expect(widest(text)).toBeLessThanOrEqual(columns);
  expect(Bun.stripANSI(explanationFrame(EXPLAINED, frame(columns, true), NOW))).toBe(text);
});

test("an exhausted account that the proxy tries all the same is not promised the turn", () => {
  const accounts = [account("alice", "exhausted", "the best score"), account("bob", "exhausted", "score 0")];
  const explained = { ...EXPLAINED, chosen: "alice", reason: "usage-fallback" as const, accounts };
  const decision = "next turn of a new session: no account can serve (tries alice)\n";
  expect(explanationFrame(explained, frame(80), NOW)).toStartWith(decision);
  expect(explanationText(explained, undefined, NOW)).toStartWith(decision);
});

test("an API key that can serve after an exhausted account gets the turn", () => {
  const accounts = [account("alice", "exhausted", "tried first"), account("openai", "last_resort", "a key")];
  const explained = { ...EXPLAINED, chosen: "alice", reason: "usage-fallback" as const, accounts };
  const decision = "next turn of a new session: openai (last resort, after alice)\n";
  expect(explanationFrame(explained, frame(80), NOW)).toStartWith(decision);
  expect(explanationText(explained, undefined, NOW)).toStartWith(decision);
});

test("a session, a pin and limits of models are named", () => {
  const accounts = EXPLAINED.accounts.map((one, index) => ({
    ...one,
    limit: index === 0 ? "Spark" : undefined,
  }));
  const text = explanationFrame(
    {
      ...EXPLAINED,
      session: "s1",
      model: "gpt-spark",
      bound_to: "alice",
      held: true,
      pinned: "bob",
      accounts,
    },
    frame(200),
    NOW,
  );
  expect(text).toMatchSnapshot();
});

test("one line names what can still change the answer", () => {
  const [bob] = EXPLAINED.accounts;
  if (bob === undefined) throw new Error("there is no account");
  const known = bob.terms.map((term) => ({ ...term, known: true }));
  const lines = (...accounts: object[]) =>
    explanationFrame(
      { ...EXPLAINED, accounts: accounts.map((one) => ({ ...bob, ...one })) },
      frame(200),
      NOW,
    ).split("\n");
  expect(lines({ terms: known, in_flight: 0 })[2]).toBe("");
  expect(lines({ terms: known }, { terms: known, alias: "alice" })[2]).toBe(
    "this can still change: 2 requests are in flight",
  );
  expect(lines({ in_flight: 0 }, { alias: "alice", in_flight: 0, tier: "out" })[2]).toBe(
    "this can still change: no current figures for bob (fetch them with: codexlb status --refresh)",
  );
});

test("without an account for the turn, the explanation says when there is one", () => {
  const { chosen: _, reason: __, ...nothing } = EXPLAINED;
  const text = explanationFrame(
    { ...nothing, chosen: undefined, reason: undefined, back_at_ms: NOW + 3 * 3_600_000, back: "erin" },
    frame(120),
    NOW,
  );
  expect(text).toMatch(
    /^next turn of a new session: no account is available; the first is back at \d\d:\d\d \(erin\)\n/,
  );
  const [first] = EXPLAINED.accounts;
  const full = { ...first!, tier: "full", why: "at its limit of 2 concurrent turns" };
  expect(
    explanationFrame({ ...nothing, chosen: undefined, reason: undefined, accounts: [full] }, frame(120), NOW),
  ).toMatch(/^next turn of a new session: waits for a slot on a full account\n/);
  expect(explanationFrame({ ...EXPLAINED, accounts: [] }, frame(80), NOW)).toBe(
    "no accounts\n  add one with: codexlb account login ALIAS\n",
  );
});

test("uses the words of the status for limits and disablements", () => {
  const accounts = [
    account("bob", "out", "its limit is exhausted, for 3 h more"),
    account("dave", "out", "disabled by the operator"),
  ];
  const text = explanationFrame({ ...EXPLAINED, chosen: undefined, accounts }, frame(160), NOW);
  expect(text).toMatch(/bob +limit reached +its limit is exhausted/);
  expect(text).toMatch(/dave +out of service +disabled by you/);
});

test("an unknown session is named as such", () => {
  const text = explanationFrame({ ...EXPLAINED, session: "nonsense" }, frame(200), NOW);
  expect(text).toContain("the session is unknown: this proxy has served no turn of it");
});

test("a pin that cannot apply now is named with its reason, and an expired login with the command", () => {
  const pinned = (alias: string, chosen = "bob") =>
    explanationFrame({ ...EXPLAINED, pinned: alias, chosen }, frame(200), NOW);
  expect(pinned("alice")).toContain("alice is pinned, but cannot serve now (limit reached)\n");
  expect(pinned("bob")).toContain("bob is pinned\n");
  expect(pinned("bob")).toContain("disabled: login expired; run: codexlb account login carol");
});

test("in a pipe, an explanation has the same words and no codes", () => {
  const text = explanationText(EXPLAINED, undefined, NOW);
  const [head = "", policy, , , ...rows] = text.trimEnd().split("\n");
  expect([head, policy]).toEqual(["next turn of a new session: bob (served last)", "policy usage_balanced"]);
  expect(rows.map((row) => row.split(/ {2,}/).filter((_, index) => [0, 1, 8].includes(index)))).toEqual([
    ["bob", "ready", "it served last, and no other score is better by enough to switch"],
    ["alice", "limit reached", "exhausted according to its figures; bob is not"],
    ["carol", "out of service", "disabled: login expired"],
    ["dave", "out of service", "disabled by you"],
    ["erin", "cooling down", "cooling down after backend error 503, for 5 s more; bob is not"],
    ["frank", "only credits", "only credits are left; bob is not"],
  ]);
});

test.each([
  [49, 80],
  [49, 60],
  [128, 80],
  [128, 60],
])("an alias of %d characters leaves room for the reason on %d columns", (length, columns) => {
  const alias = "a".repeat(length);
  const accounts = EXPLAINED.accounts.map((one) => (one.alias === "bob" ? { ...one, alias } : one));
  const text = explanationFrame({ ...EXPLAINED, chosen: alias, accounts }, frame(columns), NOW);
  const table = text.slice(text.indexOf("  ACCOUNT"));
  expect(table).toMatch(/\* a{11}…/);
  for (const word of ["served", "better", "switch"]) expect(table).toContain(word);
  expect(widest(table)).toBeLessThanOrEqual(columns);
});
