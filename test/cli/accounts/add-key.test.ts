// `codexlb account add-key`: which key an account has afterwards, and where that key goes.

import { afterEach, beforeEach, expect, test } from "bun:test";
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
