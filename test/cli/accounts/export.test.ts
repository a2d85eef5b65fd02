// `codexlb account export`.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { exportedAuthFile } from "../../../src/auth/exported-file.ts";
import { codexFile, jwt, opencodeFile } from "../../auth/import/login-files.ts";
import { runCli } from "../../support/cli.ts";
import { startPool } from "../../support/pool.ts";
import { type TempDirectory, tempDirectory } from "../../support/temp.ts";

let temp: TempDirectory;
let root: string;
beforeAll(async () => {
  temp = tempDirectory();
  root = join(temp.path, "root");
  mkdirSync(join(temp.path, "alice"));
  writeFileSync(join(temp.path, "alice", "auth.json"), JSON.stringify(codexFile("alice")));
  expect((await account("import", "--from", "alice", "work")).code).toBe(0);
});
afterAll(() => temp[Symbol.dispose]());

const account = (...words: string[]) => runCli(["account", ...words, "--root", root], { cwd: temp.path });
const notice = () =>
  `codexlb: warning: a login must be in one place: the first token refresh of one copy invalidates the other. Before you use the exported login, run: codexlb account rm --root ${root} work (or: codexlb account disable --root ${root} work)\n`;

test("writes a private file that an import accepts again", async () => {
  const path = join(temp.path, "out.json");
  const ran = await account("export", "work", "--to", "out.json");
  expect(ran).toEqual({ code: 0, out: `exported account work to ${path}\n`, err: notice() });
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(JSON.parse(readFileSync(path, "utf8"))).toEqual(codexFile("alice"));
  expect((await account("import", "--from", "out.json")).out).toBe("unchanged account work (total=1)\n");
  await account("rm", "work");
  expect((await account("import", "--from", "out.json", "work")).out).toBe(
    "imported account work (total=1)\n",
  );
});

test("writes auth.json into a directory, and replaces no file without --force", async () => {
  const home = join(temp.path, "home-1");
  mkdirSync(home);
  expect((await account("export", "--to", home, "work")).code).toBe(0);
  const again = await account("export", "--to", home, "work");
  expect(again).toMatchObject({ code: 2, out: "" });
  expect(again.err).toContain(`codexlb: ${join(home, "auth.json")} exists\n`);
  expect(again.err).toContain(
    `codexlb account export --root ${root} --to ${join(home, "auth.json")} --force work\n`,
  );
  const unknown = await account("export", "--to", home, "carol");
  expect(unknown.err).toStartWith("codexlb: account not found: carol\n");
  expect((await account("export", "--to", home, "openai:work", "--force")).code).toBe(0);
});

test("prints the login to a pipe, and to a terminal only with --force", async () => {
  const piped = await account("export", "--to", "-", "work");
  expect(JSON.parse(piped.out)).toEqual(codexFile("alice"));
  expect(piped.err).toBe(notice());
  const args = ["account", "export", "--root", root, "--to", "-", "work"];
  const shown = await runCli(args, { cwd: temp.path, terminal: 160 });
  expect(shown.code).toBe(2);
  expect(shown.out).toContain("standard output is a terminal, and the login is a secret");
  expect(shown.out).not.toContain("access_token");
  expect((await runCli([...args, "--force"], { cwd: temp.path, terminal: 80 })).out).toContain(
    "access_token",
  );
});

test("refuses unknown accounts, a missing root and files of the root", async () => {
  expect((await account("export", "carol")).err).toBe(
    "codexlb: account not found: carol\n  known accounts: work\n",
  );
  const inside = await account("export", "--to", join(root, "accounts", "bob", "auth.json"), "work");
  expect(inside.err).toContain("is in the root of codexlb\n");
  const missing = await runCli(["account", "export", "--root", "/nowhere", "work"], { cwd: temp.path });
  expect(missing.err).toContain("the root /nowhere does not exist\n");
  expect((await account("export")).code).toBe(2);
  expect(existsSync(join(temp.path, "auth.json"))).toBe(false);
});

test("warns about a login that no longer works", async () => {
  const copy = join(temp.path, "expired");
  const enrol = ["account", "import", "--root", copy, "--from", "alice", "work"];
  await runCli(enrol, { cwd: temp.path });
  const path = join(copy, "store.json");
  const store = JSON.parse(readFileSync(path, "utf8"));
  const health = { kind: "disabled", reason: "refresh-token-invalidated", sinceMs: 0 };
  store.accounts[0].codexlb.health = health;
  writeFileSync(path, JSON.stringify(store));
  const ran = await runCli(["account", "export", "--root", copy, "--to", "expired.json", "work"], {
    cwd: temp.path,
  });
  expect(ran.code).toBe(0);
  expect(ran.err).toStartWith(
    `codexlb: warning: the exported login no longer works (login expired); log in again with: codexlb account login --root ${copy} work\n`,
  );
});

test("reads the login while a proxy runs", async () => {
  await using pool = await startPool({ accounts: [{ alias: "alice" }] });
  const ran = await runCli(["account", "export", "--root", pool.layout.root, "--to", "-", "alice"], {
    cwd: temp.path,
  });
  expect(JSON.parse(ran.out).tokens.account_id).toBe("mock-alice");
});

describe("the file", () => {
  test("has the id token that Codex requires", () => {
    const { access, refresh } = opencodeFile("bob").openai;
    const stored = JSON.stringify({ tokens: { access_token: access, refresh_token: refresh } });
    expect(JSON.parse(exportedAuthFile(stored, "x"))).toEqual({
      auth_mode: "chatgpt",
      OPENAI_API_KEY: null,
      tokens: { access_token: access, refresh_token: refresh, id_token: jwt("bob", "access") },
    });
    expect(() => exportedAuthFile('{"tokens":{"access_token":"opaque"}}', "x")).toThrow("x has no id token");
  });

  test("does not contain the owner of a personal access token, which codexlb adds", () => {
    const owner = { accountId: "a", userId: "u", planType: "plus" };
    const stored = JSON.stringify({ personal_access_token: "pat-1", codexlb_owner: owner });
    expect(JSON.parse(exportedAuthFile(stored, "x"))).toEqual({ personal_access_token: "pat-1" });
  });
});
