// `codexlb account add-key`: which key an account has afterwards, and where that key goes.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
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
const add = (key: string, alias: string) => addKey(key, alias, "--base-url", URL, "--monthly-cap", "20");

test("a replaced key keeps the base URL, and the message says whether the key differs", async () => {
  expect((await add("sk-one", "openai")).code).toBe(0);
  expect(await addKey("sk-one", "openai")).toMatchObject({
    code: 0,
    out: `account openai already has this API key, for ${URL}\n`,
  });
  expect((await addKey("sk-two", "openai")).out).toBe(
    `account openai now uses another API key, for ${URL}\n`,
  );
  expect((await account(["show", "openai"])).out).toContain(`for ${URL}\n`);
  expect((await addKey("sk-two", "openai", "--base-url", "https://api.openai.com/v1/")).out).toBe(
    `account openai now uses this API key, for https://api.openai.com/v1 (before: ${URL})\n`,
  );
});

test("a key that another account has is refused, by add-key and by import", async () => {
  await add("sk-one", "openai");
  const second = await add("sk-one", "again");
  expect(second).toMatchObject({ code: 1, out: "" });
  expect(second.err).toContain("codexlb: this API key is already enrolled, as openai\n");
  expect((await account(["export", "openai", "--to", "copy.json"])).code).toBe(0);
  const imported = await account(["import", "--from", "copy.json", "third"]);
  expect(imported.err).toContain("this API key is already enrolled, as openai\n");
  await add("sk-two", "other");
  expect((await addKey("sk-one", "other")).err).toContain("already enrolled, as openai\n");
});

test("what a key has spent this month counts after the account was removed and the key added again", async () => {
  await add("sk-one", "openai");
  const path = join(temp.path, "root", "store.json");
  const store = JSON.parse(readFileSync(path, "utf8"));
  const month = new Date().toISOString().slice(0, 7);
  store.accounts[0].codexlb.api = { base_url: URL, month, spent_usd: 12.5 };
  writeFileSync(path, JSON.stringify(store));
  expect((await account(["rm", "openai"])).code).toBe(0);
  expect(readFileSync(path, "utf8")).not.toContain("sk-one");
  await add("sk-two", "other");
  expect((await account(["show", "other"])).out).toContain("0.00 of 20.00 USD spent");
  await add("sk-one", "openai");
  expect((await account(["show", "openai"])).out).toContain("12.50 of 20.00 USD spent");
});
