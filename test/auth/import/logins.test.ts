// The formats of other programs' login files. Each fixture has the fields that the named source file writes.

import { Database } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseAuthFile } from "../../../src/auth/auth-file.ts";
import { findLogins } from "../../../src/auth/import/find-logins.ts";
import { type TempDirectory, tempDirectory } from "../../support/temp.ts";
import { cliProxyApiFile, codexFile, jwt, multiAuthFile, opencodeFile } from "./login-files.ts";

let temp: TempDirectory;
beforeAll(() => {
  temp = tempDirectory();
});
afterAll(() => temp[Symbol.dispose]());

function write(path: string, content: unknown): string {
  const full = join(temp.path, path);
  mkdirSync(dirname(full), { recursive: true });
  writeFileSync(full, typeof content === "string" ? content : JSON.stringify(content));
  return full;
}

/** What is found in `path`: programs, e-mail addresses, accounts and refresh tokens, or reasons. */
function found(path: string, passphrase?: string) {
  return findLogins(join(temp.path, path), { passphrase })?.map((login) => {
    if (login.kind === "unusable") return [login.program, login.reason];
    const { email, accountId, refreshToken } = parseAuthFile(login.auth, login.path);
    return [login.program, email ?? login.email, accountId, refreshToken];
  });
}

describe("the logins of", () => {
  test("CLIProxyAPI", () => {
    write("cpa/codex-0a1b2c3d-alice@example.com-plus.json", cliProxyApiFile("alice"));
    write("cpa/codex-bob@example.com.json", cliProxyApiFile("bob"));
    write("cpa/claude-alice@example.com.json", { ...cliProxyApiFile("alice"), type: "claude" });
    write("cpa/codex-carol@example.com.json", { ...cliProxyApiFile("carol"), access_token: "" });
    expect(found("cpa")).toEqual([
      ["CLIProxyAPI", "a claude login, not a ChatGPT login"],
      ["CLIProxyAPI", "alice@example.com", "acc-alice", "rt-alice"],
      ["CLIProxyAPI", "bob@example.com", "acc-bob", "rt-bob"],
      ["CLIProxyAPI", "no access token"],
    ]);
    const [, alice] = findLogins(join(temp.path, "cpa"), { passphrase: undefined }) ?? [];
    expect(alice?.kind === "login" && JSON.parse(alice.auth)).toMatchObject({
      auth_mode: "chatgpt",
      OPENAI_API_KEY: null,
      tokens: { id_token: jwt("alice", "id"), access_token: jwt("alice", "access") },
      last_refresh: "2026-01-02T03:04:05.000Z",
    });
  });

  test("codex-multi-auth and its plugins", () => {
    write("multi/openai-codex-accounts.json", multiAuthFile(["dave", "erin"]));
    write("multi/settings.json", { version: 1 });
    write("multi/quota-cache.json", {});
    expect(found("multi")).toEqual([
      ["codex-multi-auth", "dave@example.com", "acc-dave", "rt-dave"],
      ["codex-multi-auth", "erin@example.com", "acc-erin", "rt-erin"],
    ]);
    // The time of the tokens decides which copy of a login is newer.
    const [dave] = findLogins(join(temp.path, "multi"), { passphrase: undefined }) ?? [];
    expect(dave?.kind === "login" && parseAuthFile(dave.auth, "dave").refreshedMs).toBe(1_767_225_600_000);
    const [first] = multiAuthFile(["dave"]).accounts;
    write("export.json", { version: 1, accounts: [{ ...first, accessToken: undefined }], activeIndex: 0 });
    expect(found("export.json")).toEqual([["codex-multi-auth", "no access token"]]);
    write("v2.json", { version: 2, accounts: [first] });
    expect(found("v2.json")).toEqual([
      ["codex-multi-auth", "a version of the account list that codexlb does not know"],
    ]);
  });

  test("opencode", () => {
    write("opencode/auth.json", opencodeFile("frank"));
    expect(found("opencode")).toEqual([["opencode", "frank@example.com", "acc-frank", "rt-frank"]]);
    write("key/auth.json", { openai: { type: "api", key: "sk-x" } });
    expect(found("key")).toEqual([["opencode", "an OpenAI API key, not a ChatGPT login"]]);
    write("other/auth.json", { anthropic: { type: "oauth", refresh: "r", access: "a", expires: 1 } });
    expect(found("other")).toEqual([["opencode", "no OpenAI login"]]);
  });

  // Soju06/codex-lb app/modules/accounts/schemas.py (AccountAuthExportResponse).
  test("the export of codex-lb", () => {
    const tokens = { idToken: jwt("grace", "id"), accessToken: jwt("grace", "access") };
    write("codex-lb/grace.json", {
      filename: "opencode-auth-grace.json",
      account: { accountId: "acc-grace_1", chatgptAccountId: "acc-grace", email: "grace@example.com" },
      tokens: { ...tokens, refreshToken: "rt-grace", expiresAtMs: 4_102_444_800_000 },
      codexAuthJson: codexFile("grace"),
      opencodeAuthJson: opencodeFile("grace"),
    });
    expect(found("codex-lb/grace.json")).toEqual([
      ["codex-lb", "grace@example.com", "acc-grace", "rt-grace"],
    ]);
  });

  // The bundle was written with the steps of Soju06/codex-lb app/modules/accounts/account_bundle.py (encrypt_bundle).
  test("the account bundle of codex-lb", () => {
    copyFileSync(join(import.meta.dir, "codex-lb-bundle.json"), join(temp.path, "bundle.json"));
    expect(found("bundle.json")).toEqual([["codex-lb", "it is encrypted: add --passphrase-stdin"]]);
    expect(found("bundle.json", "wrong")).toEqual([["codex-lb", "wrong passphrase, or a damaged file"]]);
    expect(found("bundle.json", "correct horse")).toEqual([
      ["codex-lb", "grace@example.com", "acc-grace", "rt-grace"],
      ["codex-lb", "heidi@example.com", "acc-heidi", "rt-heidi"],
    ]);
    const other = { format: "codex-lb-account-bundle", version: 2 };
    write("bundle-2.json", other);
    expect(found("bundle-2.json")).toEqual([
      ["codex-lb", "a version of the account bundle that codexlb does not know"],
    ]);
  });

  // The columns are those of Soju06/codex-lb app/db/models.py (Account); the tokens were encrypted with the class Fernet
  // of the Python package cryptography, as app/core/crypto.py does.
  test("the database of codex-lb", async () => {
    const { key, rows } = await Bun.file(join(import.meta.dir, "codex-lb-rows.json")).json();
    write("lb/encryption.key", key);
    const database = new Database(join(temp.path, "lb", "store.db"));
    database.run(`create table accounts (id varchar primary key, chatgpt_account_id varchar, email varchar not null,
      plan_type varchar not null, access_token_encrypted blob not null, refresh_token_encrypted blob not null,
      id_token_encrypted blob not null, last_refresh datetime not null, status varchar not null)`);
    for (const row of rows)
      database.run("insert into accounts values (?, ?, ?, 'plus', ?, ?, ?, ?, 'active')", [
        row.email,
        row.chatgpt_account_id,
        row.email,
        ...["access", "refresh", "id"].map((name) => Buffer.from(row[`${name}_token_encrypted`])),
        "2026-01-02 03:04:05.678901",
      ]);
    database.close();
    expect(found("lb")).toEqual([
      ["codex-lb", "ivan@example.com", "acc-ivan", "rt-ivan"],
      ["codex-lb", "judy@example.com", "acc-judy", "rt-judy"],
    ]);
    const [ivan] = findLogins(join(temp.path, "lb"), { passphrase: undefined }) ?? [];
    expect(ivan?.kind === "login" && JSON.parse(ivan.auth).last_refresh).toBe("2026-01-02T03:04:05.678Z");
    write("lb/encryption.key", Buffer.alloc(32).toString("base64url"));
    expect(found("lb")).toEqual(Array(2).fill(["codex-lb", "encryption.key does not decrypt its tokens"]));
    write("lb/encryption.key", "x");
    expect(found("lb")).toEqual([["codex-lb", "encryption.key in its directory is not a valid key"]]);
  });

  test("a directory with several auth.json files", () => {
    write("many/mallory.json", codexFile("mallory"));
    write("many/niaj/auth.json", codexFile("niaj"));
    write("many/niaj/config.toml", "");
    write("many/notes.json", { note: 1 });
    expect(found("many")).toEqual([
      ["Codex", "mallory@example.com", "acc-mallory", "rt-mallory"],
      [undefined, "unknown format"],
      ["Codex", "niaj@example.com", "acc-niaj", "rt-niaj"],
    ]);
  });

  test("a Codex home, without the copies in it", () => {
    write("home/auth.json", codexFile("peggy"));
    write("home/accounts/spare/auth.json", codexFile("rupert"));
    write("home/openai-codex-accounts.json", multiAuthFile(["sybil"]));
    expect(found("home")).toEqual([["Codex", "peggy@example.com", "acc-peggy", "rt-peggy"]]);
  });

  test("a root, whose aliases are kept", () => {
    write("root/accounts/Work-1/auth.json", codexFile("olivia"));
    write("root/store.json", {});
    expect(findLogins(join(temp.path, "root"), { passphrase: undefined })).toMatchObject([
      { kind: "login", alias: "Work-1", program: "Codex" },
    ]);
  });
});

test("a file of an unknown format and a missing one contain no logins", () => {
  write("unknown.json", { a: 1 });
  write("text", "not JSON");
  mkdirSync(join(temp.path, "empty"));
  for (const path of ["unknown.json", "text", "empty", "missing"]) expect(found(path)).toBeUndefined();
});
