// `codexlb simulate` as a program: its output, and its use beside a running proxy.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { startOfDay } from "../../../src/core/local-days.ts";
import { createSseClient } from "../../../src/mock/client.ts";
import { layoutOf } from "../../../src/state/layout.ts";
import { runCli } from "../../support/cli.ts";
import { hashOfDirectory } from "../../support/directory-hash.ts";
import { writePast } from "../../support/past-root.ts";
import { startPool, until } from "../../support/pool.ts";
import { recordTurns } from "../../support/record-turns.ts";
import { type TempDirectory, tempDirectory } from "../../support/temp.ts";

let temp: TempDirectory;
let root = "";
beforeAll(() => {
  temp = tempDirectory();
  root = join(temp.path, "root");
  writePast(layoutOf(root), {
    accounts: [
      { alias: "alice", plan: "plus", shortUsd: 3, weekUsd: 14 },
      { alias: "bob", plan: "plus", shortUsd: 3, weekUsd: 11 },
    ],
    nowMs: Date.now(),
    days: 10,
  });
});
afterAll(() => temp[Symbol.dispose]());

const simulate = (...args: string[]) => runCli(["simulate", ...args], { cwd: temp.path });

test("a pipe gets a table with tabs, and --json the report; nothing in the root changes", async () => {
  const before = hashOfDirectory(root);
  const piped = await simulate("--root", root, "--policy", "sticky", "--accounts=-bob,+plus");
  expect([piped.code, piped.err]).toEqual([0, ""]);
  expect(piped.out.split("\n").map((line) => line.split("\t").slice(0, 2))).toEqual([
    ["accounts", "policy"],
    ["all", "sticky"],
    ["without bob, +plus", "sticky"],
    [""],
  ]);
  const json = await simulate("--root", root, "--policy", "sticky", "--json");
  expect([json.code, json.err]).toEqual([0, ""]);
  expect(JSON.parse(json.out)).toMatchObject({
    turns: 600,
    accounts: [{ alias: "alice", source: "own" }, { alias: "bob" }],
    scenarios: [{ policy: "sticky", without: [], refused: 0 }],
  });
  expect(hashOfDirectory(root)).toBe(before);
});

test.each([
  [
    ["--policy", "fair"],
    'flag --policy: "fair" is not a policy',
    "use one or more of: usage_balanced, sticky",
  ],
  [
    ["--accounts=bob"],
    'flag --accounts: "bob" is not a change of accounts',
    "write -ALIAS, +PLAN or +=ALIAS",
  ],
  [["--accounts=-bab"], 'no account is called "bab"', "did you mean bob?"],
  [["--accounts=+gold"], 'the size of the plan "gold" is unknown', "promax"],
  [["--since", "2999-01-01"], "is not in the past", "write a date"],
])("simulate %p is refused", async (args, problem, next) => {
  const ran = await simulate("--root", root, ...args);
  expect(ran.code).not.toBe(0);
  expect(ran.err).toContain(problem);
  expect(ran.err).toContain(next);
});

test("beside a running proxy it reads what the proxy has just written", async () => {
  const startedMs = startOfDay(Date.now(), -1) + 12 * 3_600_000;
  await using pool = await startPool({
    accounts: [{ alias: "alice" }],
    prepare: ({ usage }) =>
      recordTurns(
        usage,
        [0, 1, 2, 3, 4].map((index) => ({ startedMs: startedMs + index })),
      ),
  });
  await createSseClient(pool.url, "s1").turn("hello");
  let ran = await simulate("--root", pool.layout.root);
  // The proxy writes a turn a moment after its end.
  await until(
    "the turn is written",
    async () => {
      ran = await simulate("--root", pool.layout.root);
      return !ran.err.includes(" 5 turns on 1 day ");
    },
    30_000,
  );
  expect([ran.code, ran.out]).toEqual([1, ""]);
  expect(ran.err).toContain("the history is too short: 6 turns on 2 days in the last four weeks");
  expect(ran.err).toContain("run this again after at least 50 turns on 3 days");
});
