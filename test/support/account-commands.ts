// The account commands of a test, on a root of its own that does not exist yet.

import { afterEach, beforeEach } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { codexFile } from "../auth/import/login-files.ts";
import { runCli } from "./cli.ts";
import { type TempDirectory, tempDirectory } from "./temp.ts";

/** Where the API of the keys is, which these commands do not contact. */
const URL = "http://127.0.0.1:9/v1";

/** Each test of the file gets a new directory, `directory()`, with its root in `root`. */
export function accountCommands() {
  let temp: TempDirectory;
  beforeEach(() => {
    temp = tempDirectory();
  });
  afterEach(() => temp[Symbol.dispose]());
  const account = (words: readonly string[], stdin = "") =>
    runCli(["account", ...words, "--root", join(temp.path, "root")], { cwd: temp.path, stdin });
  const addKey = (key: string, ...words: string[]) =>
    account(["add-key", ...words, "--key-stdin"], `${key}\n`);
  return {
    url: URL,
    directory: () => temp.path,
    account,
    addKey,
    /** Adds `key` as a new account with a cap. */
    add: (key: string, alias: string) => addKey(key, alias, "--base-url", URL, "--monthly-cap", "20"),
    /** The path of a new Codex home with the login of `name`. */
    codexHome: (name: string) => {
      const home = join(temp.path, name);
      mkdirSync(home);
      writeFileSync(join(home, "auth.json"), JSON.stringify(codexFile(name)));
      return home;
    },
  };
}
