// What is refused before an account is enrolled: an alias that has another meaning, a login over a key, wrong input.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { cpSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { codexFile } from "../../auth/import/login-files.ts";
import { runCli } from "../../support/cli.ts";
import { type TempDirectory, tempDirectory } from "../../support/temp.ts";

const URL = "http://127.0.0.1:9/v1";

let temp: TempDirectory;
beforeEach(() => {
  temp = tempDirectory();
});
afterEach(() => temp[Symbol.dispose]());

const account = (words: readonly string[], stdin = "") =>
  runCli(["account", ...words, "--root", join(temp.path, "root")], { cwd: temp.path, stdin });
const addKey = (key: string, ...words: string[]) => account(["add-key", ...words, "--key-stdin"], `${key}\n`);
/** The path of a new Codex home with the login of `name`. */
const codexHome = (name: string) => {
  const home = join(temp.path, name);
  mkdirSync(home);
  writeFileSync(join(home, "auth.json"), JSON.stringify(codexFile(name)));
  return home;
};
const add = (key: string, alias: string) => addKey(key, alias, "--base-url", URL, "--monthly-cap", "20");

test("a login over a key, and a key over a login, are refused before a sign-in or a question", async () => {
  await add("sk-one", "openai");
  const login = await account(["login", "openai", "--codex-bin", "/nonexistent/codex"]);
  expect(login).toMatchObject({ code: 1, out: "" });
  expect(login.err).toStartWith("codexlb: openai has an API key, so you cannot log in to it\n");
  expect(login.err).toContain("account add-key --root");
  const home = codexHome("alice");
  await account(["import", "--from", home, "alice"]);
  expect((await account(["import", "--from", home, "--replace", "openai"])).code).toBe(0);
  await addKey("sk-one", "openai", "--replace", "--monthly-cap", "5");
  const imported = await account(["import", "--from", codexHome("bob"), "openai"]);
  expect(imported.err).toStartWith("codexlb: openai is enrolled with an API key, but this login is for bob");
  const key = await account(["add-key", "alice", "--key-stdin", "--monthly-cap", "5"]);
  expect(key.err).toStartWith("codexlb: alice is a ChatGPT account, so it cannot get an API key\n");
  await account(["set", "alice", "--floor-weekly", "20%", "--note", "mine"]);
  expect((await addKey("sk-two", "alice", "--replace", "--monthly-cap", "5")).code).toBe(0);
  const optionsOf = async () =>
    JSON.parse((await account(["list", "--json"])).out).accounts[1].codexlb.options;
  expect(await optionsOf()).toEqual({ note: "mine", monthly_cap: 5 });
  await account(["import", "--from", home, "--replace", "alice"]);
  expect(await optionsOf()).toEqual({ note: "mine" });
});

test("wrong input creates no root", async () => {
  const root = join(temp.path, "root");
  mkdirSync(join(temp.path, "empty"));
  writeFileSync(join(temp.path, "empty", "auth.json"), "{}");
  for (const words of [
    ["account", "add-key", "openai", "--key-stdin"],
    ["account", "add-key", "openai", "--key-stdin", "--monthly-cap", "5"],
    ["account", "add-key", "pool", "--key-stdin", "--monthly-cap", "5"],
    ["account", "import", "--from", "empty", "alice"],
    ["account", "login", "total"],
    ["key", "add", "a b"],
  ]) {
    const ran = await runCli([...words, "--root", root], { cwd: temp.path });
    expect(ran.code).toBeGreaterThan(0);
    expect(ran.err).not.toContain("created");
    expect(existsSync(root)).toBe(false);
  }
  expect((await add("sk-one", "openai")).err).toContain(`codexlb: created ${root}\n`);
});

test("no new account gets an alias that output or flags use, and an account that has one stays usable", async () => {
  for (const alias of ["pool", "Total", "none", "all"]) {
    const refused = await add("sk-one", alias);
    expect(refused.code).toBe(2);
    expect(refused.err).toStartWith(`codexlb: ${alias} cannot be an alias: `);
  }
  const home = codexHome("pool");
  expect((await account(["import", "--from", home, "pool"])).code).toBe(2);
  expect((await account(["import", "--from", home])).out).toBe("imported account pool-2 (total=1)\n");
  const homes = join(temp.path, "root", "accounts");
  cpSync(codexHome("total"), join(homes, "total"), { recursive: true });
  expect((await account(["set", "total", "--note", "old"])).code).toBe(0);
  expect((await account(["import", "--from", join(homes, "total"), "total"])).out).toBe(
    "unchanged account total (total=2)\n",
  );
});
