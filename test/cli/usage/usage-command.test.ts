// `codexlb usage` when it selects no turns, with and without a running proxy.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createSseClient } from "../../../src/mock/client.ts";
import { runCli } from "../../support/cli.ts";
import { startPool, type TestPool } from "../../support/pool.ts";

let pool: TestPool;
beforeAll(async () => {
  pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
  await createSseClient(pool.url, "s1").turn("hello");
});
afterAll(() => pool[Symbol.asyncDispose]());

const usage = async (root: string, ...args: string[]) => {
  const { code, err } = await runCli(["usage", "--root", root, ...args], { cwd: pool.layout.root });
  return { code, err };
};

test.each([
  [["--account", "alice"], ""],
  [["--account", "alic"], 'codexlb: no account is called "alic"; did you mean alice?\n'],
  [["--account", "x9"], 'codexlb: no account is called "x9"; known accounts: alice, bob\n'],
  [["--account", "alice", "--model", "demo", "--session", "s", "--by", "session"], ""],
  [["--model", "dmo"], 'codexlb: no turn with the model "dmo" is recorded; did you mean demo?\n'],
  [
    ["--project", "nope"],
    'codexlb: no turn with the project "nope" is recorded; see: codexlb usage --root ROOT --since 52w --by project\n',
  ],
  [
    ["--key", "nope"],
    'codexlb: no turn with the client key "nope" is recorded; see: codexlb usage --root ROOT --since 52w --by key\n',
  ],
  [
    ["--session", "x"],
    'codexlb: no turn with the session "x" is recorded; see: codexlb usage --root ROOT --since 52w --by session\n',
  ],
  [
    ["--session", "s", "--since", "2020-01-01", "--until", "2020-01-02"],
    "codexlb: session s has no turns in this period; --since selects a longer one\n",
  ],
  [
    ["--account", "bob", "--session", "s1"],
    "codexlb: no turn in this period passes all of the filters; leave one out, or select a longer period with --since\n",
  ],
  [["--account", "bob"], "codexlb: bob has no turns in this period; --since selects a longer one\n"],
])("usage %p reports %p", async (args, err) => {
  const ran = await usage(pool.layout.root, ...args);
  expect({ ...ran, err: ran.err.replaceAll(pool.layout.root, "ROOT") }).toEqual({ code: 0, err });
});

test.each(["account", "model", "project", "session", "key"])("an empty --%s is refused", async (filter) => {
  expect(await usage(pool.layout.root, `--${filter}`, " ")).toEqual({
    code: 2,
    err: `codexlb: usage: --${filter} is empty\n  leave it out, or give it a value\n`,
  });
});

test("a root without a record has no turns", async () => {
  const root = join(pool.layout.root, "empty");
  const { err } = await usage(root, "--account", "alice");
  expect(err).toContain(`no turns have been recorded in ${root}/usage.db yet`);
});

test("a record that was set aside is reported if turns of the period were in it", async () => {
  await using other = await startPool({
    accounts: [{ alias: "alice" }],
    prepare: ({ usage: path }) =>
      writeFileSync(path, "this is not a database, and it is long enough ".repeat(30)),
  });
  const { root } = other.layout;
  await createSseClient(other.url, "s1").turn("hello");
  const missing =
    /^codexlb: warning: turns from before [\d:]+ are missing: .*usage\.db was damaged .* moved to .*usage\.db\.unusable-\w+\n$/;
  expect((await usage(root)).err).toMatch(missing);
  expect((await usage(root, "--proxy-url", other.url)).err).toMatch(missing);
  await other.stopAndReadEvents();
  expect((await usage(root)).err).toMatch(missing);
  const [aside = ""] = readdirSync(root).filter((name) => name.includes(".unusable-"));
  renameSync(join(root, aside), join(root, "usage.db.unusable-20200101T000000Z"));
  expect(await usage(root)).toEqual({ code: 0, err: "" });
});
