// What is refused before an account is enrolled: an alias that has another meaning, a login over a key, wrong input.

import { expect, test } from "bun:test";
import { cpSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { accountCommands } from "../../support/account-commands.ts";
import { runCli } from "../../support/cli.ts";

const { directory, account, addKey, add, codexHome } = accountCommands();

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
  const root = join(directory(), "root");
  mkdirSync(join(directory(), "empty"));
  writeFileSync(join(directory(), "empty", "auth.json"), "{}");
  for (const words of [
    ["account", "add-key", "openai", "--key-stdin"],
    ["account", "add-key", "openai", "--key-stdin", "--monthly-cap", "5"],
    ["account", "add-key", "pool", "--key-stdin", "--monthly-cap", "5"],
    ["account", "import", "--from", "empty", "alice"],
    ["account", "login", "total"],
    ["key", "add", "a b"],
  ]) {
    const ran = await runCli([...words, "--root", root], { cwd: directory() });
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
  const homes = join(directory(), "root", "accounts");
  cpSync(codexHome("total"), join(homes, "total"), { recursive: true });
  expect((await account(["set", "total", "--note", "old"])).code).toBe(0);
  expect((await account(["import", "--from", join(homes, "total"), "total"])).out).toBe(
    "unchanged account total (total=2)\n",
  );
});
