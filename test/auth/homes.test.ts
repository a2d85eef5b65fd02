import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  findAccount,
  installAccount,
  readCredentials,
  reconcile,
  removeAccount,
} from "../../src/auth/homes.ts";
import { createMockAccounts, mockAuthFile } from "../../src/mock/accounts.ts";
import { type Layout, layoutOf } from "../../src/state/layout.ts";
import type { StoreState } from "../../src/state/store.ts";
import { fakeClock } from "../support/clock.ts";
import { tempDirectory } from "../support/temp.ts";

const clock = fakeClock();
const accounts = createMockAccounts([{ alias: "alice" }, { alias: "bob" }], clock);
const login = (alias: string) => {
  const account = accounts.byAlias(alias);
  return {
    auth: mockAuthFile(account, accounts.issue(account), clock.now()),
    config: undefined,
    replace: false,
  };
};
const emptyState = (): StoreState => ({
  accounts: [],
  activeId: undefined,
  pinnedId: undefined,
  messageCounter: 0,
  lastRotationMs: 0,
});

function setup(): Disposable & { layout: Layout; state: StoreState } {
  const temp = tempDirectory();
  return {
    layout: layoutOf(join(temp.path, "r")),
    state: emptyState(),
    [Symbol.dispose]: () => temp[Symbol.dispose](),
  };
}

describe("importing", () => {
  test("puts the login where only the owner reads it, and knows the account", () => {
    using s = setup();
    const record = installAccount(s.state, s.layout, "Alice", { ...login("alice"), config: 'model = "x"\n' });
    expect(record).toMatchObject({
      id: "openai:alice",
      alias: "Alice",
      email: "alice@example.com",
      chatgptAccountId: "mock-alice",
      chatgptUserId: "user-alice",
    });
    const home = join(s.layout.accounts, "Alice");
    expect(statSync(home).mode & 0o777).toBe(0o700);
    expect(statSync(join(home, "auth.json")).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(home, "config.toml"), "utf8")).toBe('model = "x"\n');
  });

  const BAD: [string, string][] = [
    ["{", "is not JSON"],
    ["null", "has no tokens.access_token"],
    ["{}", "has no tokens.access_token"],
    ['{"tokens":{"access_token":"  "}}', "has no tokens.access_token"],
    ['{"auth_mode":"apikey","OPENAI_API_KEY":"sk-1"}', "holds an API key"],
  ];
  for (const [auth, why] of BAD)
    test(`${auth} is refused, and a good login that is there stays`, () => {
      using s = setup();
      const good = login("alice");
      installAccount(s.state, s.layout, "alice", good);
      expect(() => installAccount(s.state, s.layout, "alice", { auth, config: "x", replace: true })).toThrow(
        why,
      );
      expect(readFileSync(join(s.layout.accounts, "alice", "auth.json"), "utf8")).toBe(good.auth);
      expect(existsSync(join(s.layout.accounts, "alice", "config.toml"))).toBe(false);
    });

  for (const alias of ["", ".", "..", "../x", "a/b", "-x", ".hidden", "a b", "x".repeat(129), "a\0b", "ä"])
    test(`the alias ${JSON.stringify(alias)} is refused`, () => {
      using s = setup();
      expect(() => installAccount(s.state, s.layout, alias, login("alice"))).toThrow("invalid alias");
      expect(existsSync(s.layout.root)).toBe(false);
    });

  test("the same account again keeps what is known of it, another one under its name starts afresh", () => {
    using s = setup();
    const record = installAccount(s.state, s.layout, "work", login("alice"));
    record.health = { kind: "cooling", cause: "limit", reason: "usage-limit", sinceMs: 1, untilMs: 2 };
    expect(installAccount(s.state, s.layout, "work", login("alice")).health.kind).toBe("cooling");
    expect(() => installAccount(s.state, s.layout, "work", login("bob"))).toThrow(
      "is the account alice@example.com",
    );
    expect(readCredentials(join(s.layout.accounts, "work")).email).toBe("alice@example.com");
    const other = installAccount(s.state, s.layout, "work", { ...login("bob"), replace: true });
    expect(other).toMatchObject({ health: { kind: "healthy" }, email: "bob@example.com", quotaSyncMs: 0 });
  });

  test("an alias that differs only in case is refused", () => {
    using s = setup();
    installAccount(s.state, s.layout, "Bob", login("bob"));
    expect(() => installAccount(s.state, s.layout, "bob", login("bob"))).toThrow("only in case");
  });

  test("into a directory that is a link is refused", () => {
    using s = setup();
    const target = join(s.layout.root, "elsewhere");
    mkdirSync(target, { recursive: true });
    mkdirSync(s.layout.accounts, { recursive: true });
    symlinkSync(target, join(s.layout.accounts, "alice"));
    expect(() => installAccount(s.state, s.layout, "alice", login("alice"))).toThrow("symbolic link");
    expect(existsSync(join(target, "auth.json"))).toBe(false);
  });
});

describe("removing", () => {
  test("takes the account and its home, by alias or id, and the pin with it", () => {
    using s = setup();
    for (const name of ["alice", "openai:alice", "OpenAI:Alice"]) {
      installAccount(s.state, s.layout, "alice", login("alice"));
      s.state.pinnedId = s.state.activeId = "openai:alice";
      removeAccount(s.state, s.layout, name);
      expect(existsSync(join(s.layout.accounts, "alice"))).toBe(false);
      expect(s.state).toEqual(emptyState());
    }
  });

  test("what is no account deletes nothing", () => {
    using s = setup();
    installAccount(s.state, s.layout, "alice", login("alice"));
    writeFileSync(join(s.layout.root, "precious"), "x");
    for (const name of ["..", "../..", ".", "", "/", "bob", "alice/../.."])
      expect(() => removeAccount(s.state, s.layout, name)).toThrow("account not found");
    expect(existsSync(join(s.layout.root, "precious"))).toBe(true);
    expect(existsSync(join(s.layout.accounts, "alice", "auth.json"))).toBe(true);
  });

  test("does not follow a link", () => {
    using s = setup();
    installAccount(s.state, s.layout, "alice", login("alice"));
    const precious = join(s.layout.root, "precious");
    mkdirSync(precious);
    rmSync(join(s.layout.accounts, "alice"), { recursive: true });
    symlinkSync(precious, join(s.layout.accounts, "alice"));
    expect(() => removeAccount(s.state, s.layout, "alice")).toThrow("symbolic link");
    expect(existsSync(precious)).toBe(true);
  });
});

describe("reconciling with the directories", () => {
  test("adds what appeared, drops what is gone, keeps the order", () => {
    using s = setup();
    for (const alias of ["bob", "alice"]) installAccount(s.state, s.layout, alias, login(alias));
    s.state.activeId = "openai:bob";
    rmSync(join(s.layout.accounts, "bob"), { recursive: true });
    mkdirSync(join(s.layout.accounts, "aaron"));
    writeFileSync(join(s.layout.accounts, "aaron", "auth.json"), login("bob").auth);
    mkdirSync(join(s.layout.accounts, "no-login-yet"));
    expect(reconcile(s.state, s.layout, 0)).toEqual([]);
    expect(s.state.accounts.map((account) => account.alias)).toEqual(["alice", "aaron"]);
    expect(s.state.activeId).toBeUndefined();
  });

  test("keeps an account whose file cannot be read, disabled, and takes it back when it can", () => {
    using s = setup();
    installAccount(s.state, s.layout, "alice", login("alice"));
    const path = join(s.layout.accounts, "alice", "auth.json");
    writeFileSync(path, "{ half");
    expect(reconcile(s.state, s.layout, 5).join()).toContain("account alice: reading");
    expect(findAccount(s.state, "alice").health).toEqual({
      kind: "disabled",
      reason: "missing-auth",
      sinceMs: 5,
    });
    writeFileSync(path, login("alice").auth);
    expect(reconcile(s.state, s.layout, 6)).toEqual([]);
    expect(findAccount(s.state, "alice").health.kind).toBe("healthy");
  });
});

test("credentials are read from whichever place a version of Codex put them", () => {
  using s = setup();
  mkdirSync(s.layout.root);
  writeFileSync(
    join(s.layout.root, "auth.json"),
    '{"tokens":{"access_token":" opaque ","account_id":"acc"},"x":1}',
  );
  expect(readCredentials(s.layout.root)).toMatchObject({
    accessToken: "opaque",
    accountId: "acc",
    expiresMs: undefined,
  });
});
