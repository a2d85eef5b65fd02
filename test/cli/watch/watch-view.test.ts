import { describe, expect, test } from "bun:test";
import { firstVisible } from "../../../src/cli/status/frame-crop.ts";
import type { WatchState } from "../../../src/cli/watch/watch-state.ts";
import type { WatchCanvas } from "../../../src/cli/watch/watch-view.ts";
import { StatusAnswer } from "../../../src/core/status-schema.ts";
import { account, ELEVEN, NOW, ONE, THREE } from "../../support/status-documents.ts";
import { answered, FAILED, screenOf, walk } from "../../support/watch-states.ts";

// The screen shows times in the local time zone.
process.env.TZ = "UTC";

const DOCUMENTS = { "1 account": ONE, "3 accounts": THREE, "11 accounts": ELEVEN } as const;
const ASCII = { utf8: false } as const;

const text = (state: WatchState, canvas: Partial<WatchCanvas> = {}) =>
  `${screenOf(state, canvas)
    .map((line) => line.trimEnd())
    .join("\n")}\n`;
const widest = (lines: readonly string[]) => Math.max(...lines.map((line) => Bun.stringWidth(line)));

const three = walk(answered(THREE));
const eleven = walk(answered(ELEVEN));
const bob = { alias: "bob", proxyName: undefined };
const DETAILS = [
  "bob on laptop",
  ...Array.from({ length: 40 }, (_, at) => `  line ${at + 1} of the details`),
];
const opened = three.and("j", "enter", { kind: "details", account: bob, details: () => DETAILS });
const asked = three.and("p", "y");
const change = asked.effects.flatMap((effect) => (effect.kind === "change" ? [effect.change] : []))[0]!;

const STATES: Readonly<Record<string, WatchState>> = {
  "the selection in the middle": eleven.and("j", "j", "j").state,
  "the last account selected": eleven.and("end").state,
  "sorted by status": eleven.and("s", "s").state,
  "a filter that is typed": eleven.and("/", ..."al").state,
  "a filter that is kept": eleven.and("/", ..."al", "enter").state,
  "a filter without a match": eleven.and("/", ..."xyz").state,
  "the history": eleven.and("h").state,
  "no history": walk(answered(ONE), "h").state,
  "a question": three.and("p").state,
  "a change that is under way": asked.state,
  "a change that was made": asked.and({ kind: "changed", change, warnings: [] }).state,
  "a change that failed": asked.and({
    kind: "not changed",
    change,
    problem:
      "pinning alice: the key laptop2 has the role client, which may not do this; use the admin token, or a key with the role parent",
  }).state,
  "an account before its details": three.and("j", "enter").state,
  "an account": opened.state,
  "the end of an account": opened.and("end").state,
  "an account while the proxy is away": opened.and(FAILED).state,
  help: three.and("?").state,
  "a proxy that is away": three.and(FAILED).state,
  "no proxy yet": walk(FAILED).state,
  "no accounts": walk(answered({ ...ONE, accounts: [] })).state,
};

for (const [name, status] of Object.entries(DOCUMENTS))
  for (const columns of [60, 80, 120, 200])
    test(`${name} on ${columns} columns`, () => {
      const { state } = walk(answered(status));
      expect(text(state, { columns })).toMatchSnapshot();
      expect(text(state, { columns, ...ASCII })).toMatchSnapshot("ASCII");
      expect(text(state, { columns, wide: true })).toMatchSnapshot("--wide");
    });

describe("a screen with", () => {
  for (const [name, state] of Object.entries(STATES)) {
    test(name, () => {
      expect(text(state)).toMatchSnapshot();
      expect(text(state, { columns: 60, rows: 12, ...ASCII })).toMatchSnapshot("60 columns, 12 rows, ASCII");
      expect(text(state, { colour: true, rows: 16 })).toMatchSnapshot("16 rows, colours");
    });

    test(`${name} is never exceeded, and colours change no text`, () => {
      for (let columns = 1; columns <= 130; columns += columns < 60 ? 1 : 7)
        for (const rows of [1, 2, 3, 4, 5, 8, 13, 24, 60])
          for (const wide of [false, true]) {
            const plain = screenOf(state, { columns, rows, wide });
            const coloured = screenOf(state, { columns, rows, wide, colour: true });
            expect(plain.length).toBeLessThanOrEqual(rows);
            expect(plain.length).toBeGreaterThan(0);
            expect(widest(plain)).toBeLessThanOrEqual(columns);
            expect(coloured.map((line) => Bun.stripANSI(line).trimEnd())).toEqual(
              plain.map((line) => line.trimEnd()),
            );
          }
    });
  }
});

test("the selected account is visible on every screen with two rows or more", () => {
  for (let down = 0; down < ELEVEN.accounts.length; down++) {
    const { state } = eleven.and(...Array<string>(down).fill("j"));
    for (let rows = 2; rows < 30; rows++) {
      const lines = screenOf(state, { rows });
      expect([down, rows, lines.filter((line) => /^[* ]›/.test(line)).length]).toEqual([down, rows, 1]);
    }
  }
});

test.each([
  // The first of 4 visible entries out of 10: from, needed, expected.
  [0, [3], 0],
  [0, [4], 1],
  [5, [5], 5],
  [5, [4], 4],
  [2, [9], 6],
  [9, [9], 6],
  [0, [5, 9], 5],
  [6, [0, 9], 0],
  [3, [], 3],
] as const)("a list at %d that must show %j begins at %d", (from, needed, expected) => {
  expect(firstVisible({ count: 10, size: 4, from, needed })).toBe(expected);
});

test("limits below the last account are visible when it is selected", () => {
  expect(text(eleven.and("end").state, { rows: 10 })).toContain("Spark limit");
  expect(text(eleven.state, { rows: 10 })).not.toContain("Spark limit");
});

test("a good outcome disappears after a while, and a problem stays", () => {
  const canvas = { nowMs: NOW + 60_000 };
  expect(text(STATES["a change that was made"]!)).toContain("pinned alice");
  expect(text(STATES["a change that was made"]!, canvas)).not.toContain("pinned alice");
  expect(text(STATES["a change that failed"]!, canvas)).toContain("! pinning alice: the key laptop2");
});

test("a reply that takes long is reported", () => {
  const { state } = three.and({ kind: "asked" });
  expect(text(state, { nowMs: NOW })).not.toContain("no answer yet");
  expect(text(state, { nowMs: NOW + 3000 })).toContain("! 4s old: no answer yet");
});

test("a page scrolls to its end and no further", () => {
  const last = text(opened.and("end").state);
  const small = (state: WatchState) =>
    screenOf(state, { columns: 20, rows: 5 }).map((line) => line.trimEnd());
  expect(small(opened.state).at(-1)).toBe("Esc back  1-4/81");
  expect(last).toContain("line 40 of the details");
  expect(text(opened.and("end", "page-down", "down").state)).toBe(last);
  expect(text(opened.and("end", "up").state)).not.toBe(last);
  expect(text(opened.and("end", "home").state)).toBe(text(opened.state));
});

test("text from elsewhere cannot control the terminal", () => {
  const evil = "\u001b[2J\u0007x\ny";
  const state = three.and(
    { kind: "failed", next: "", url: "", message: `answered 500: ${evil}` },
    "?",
    "escape",
  ).state;
  const problem = asked.and({ kind: "not changed", change, problem: evil }).state;
  const hostile = walk(answered({ ...ONE, accounts: ONE.accounts.map((one) => ({ ...one, email: "x" })) }));
  for (const shown of [state, problem, hostile.state])
    expect(screenOf(shown).join("")).not.toMatch(/\p{Cc}/u);
});

test("the keys in the footer are those that work", () => {
  const footer = (state: WatchState) => screenOf(state, { columns: 200 }).at(-1);
  expect(footer(walk(answered(ONE)).state)).toBe(
    "↵ open  p pin  d drain  e disable  h history  ? help  q quit",
  );
  expect(footer(three.state)).toBe(
    "↑↓ select  ↵ open  p pin  d drain  e disable  s sort  / filter  h history  ? help  q quit",
  );
  const disabled = account("alice", { enabled: false, draining: true, pinned: true });
  const status = StatusAnswer.parse({ ...ONE, accounts: [disabled] });
  expect(footer(walk(answered(status)).state)).toBe("↵ open  p unpin  e enable  h history  ? help  q quit");
  expect(footer(eleven.and("j", "j").state)).toContain("  d end drain  e disable  ");
  expect(footer(three.and(FAILED).state)).toBe("↑↓ select  s sort  / filter  h history  ? help  q quit");
  expect(footer(walk(FAILED).state)).toBe("? help  q quit");
});
