// The exit codes of commands that get the name of something that does not exist, or that cannot exist.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { codexFile } from "../auth/import/login-files.ts";
import { runCli } from "../support/cli.ts";
import { startPool, type TestPool } from "../support/pool.ts";
import { type TempDirectory, tempDirectory } from "../support/temp.ts";

let temp: TempDirectory;
let pool: TestPool;
beforeAll(async () => {
  temp = tempDirectory();
  pool = await startPool({ accounts: [{ alias: "alice" }] });
  mkdirSync(join(temp.path, "alice"));
  writeFileSync(join(temp.path, "alice", "auth.json"), JSON.stringify(codexFile("alice")));
  expect((await inRoot(["account", "import", "--from", "alice", "alice"])).code).toBe(0);
});
afterAll(async () => {
  await pool[Symbol.asyncDispose]();
  temp[Symbol.dispose]();
});

const inRoot = (words: readonly string[], stdin = "sk-one\n") =>
  runCli([...words, "--root", join(temp.path, "root")], { cwd: temp.path, stdin });
const atProxy = ([first = "", ...words]: readonly string[]) =>
  runCli([first, ...words], {
    cwd: temp.path,
    env: { CODEXLB_PROXY_URL: pool.url, CODEXLB_ADMIN_TOKEN: pool.adminToken },
  });

test.each([
  [["account", "show", "carol"]],
  [["account", "export", "carol"]],
  [["account", "set", "carol", "--priority", "1"]],
  [["account", "rm", "carol"]],
  [["account", "pin", "carol"]],
  [["account", "enable", "carol"]],
  [["account", "disable", "carol"]],
  [["account", "drain", "carol"]],
  [["account", "redeem", "--yes", "carol"]],
  [["key", "show", "laptop"]],
  [["key", "set", "laptop", "--rpm", "5"]],
  [["key", "rm", "laptop"]],
  [["simulate", "--accounts", "-carol"]],
])("%j fails, because no account or key has that name", async (words) => {
  const { code, out, err } = await inRoot(words);
  expect({ code, out }).toEqual({ code: 1, out: "" });
  expect(err).toMatch(/carol|laptop/);
});

test.each([
  [["wait", "--account", "carol", "--timeout", "0"]],
  [["run", "--account", "carol", "exec", "hello"]],
])("%j fails, because the proxy has no such account", async (words) => {
  const { code, out, err } = await atProxy(words);
  expect({ code, out }).toEqual({ code: 1, out: "" });
  expect(err).toContain("carol");
});

test.each([
  [["account", "add-key", "a b", "--key-stdin", "--monthly-cap", "5"]],
  [["account", "add-key", "pool", "--key-stdin", "--monthly-cap", "5"]],
  [["account", "import", "--from", "alice", "a b"]],
  [["account", "login", "a b"]],
  [["login-with", "a b"]],
  [["key", "add", "a b"]],
])("%j is wrong usage, because no account or key may have that name", async (words) => {
  expect(await inRoot(words)).toMatchObject({ code: 2, out: "" });
});

test.each([
  [["usage", "--account", "carol"], "carol"],
  [["usage", "--key", "laptop"], "laptop"],
  [["explain", "--session", "unknown"], "codexlb usage"],
])("%j succeeds, and gives a hint, because the name only selects", async (words, hint) => {
  const { code, err } = await atProxy(words);
  expect(code).toBe(0);
  expect(err).toContain(hint);
});
