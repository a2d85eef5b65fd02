import { describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { findAccount, installAccount, installReversibly, removeAccount } from "../../src/auth/enrol.ts";
import { readCredentials, reconcile } from "../../src/auth/homes.ts";
import { identityOf, twinProblems } from "../../src/auth/identity.ts";
import { brokenLogins, leftovers, newLoginHome, sweepLogins } from "../../src/auth/leftovers.ts";
import { writeHome } from "../../src/auth/write-home.ts";
import { createMockAccounts } from "../../src/mock/accounts.ts";
import { mockAuthFile } from "../../src/mock/tokens.ts";
import { type Layout, layoutOf } from "../../src/state/layout.ts";
import { tryLock } from "../../src/state/lock.ts";
import { changeHealth } from "../../src/state/record-changes.ts";
import { noteSync } from "../../src/state/record-figures.ts";
import type { StoreState } from "../../src/state/store-state.ts";
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
  test("stores the login readable only by the owner, and identifies the account", () => {
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
    ['{"auth_mode":"apikey","OPENAI_API_KEY":"sk-1"}', "contains an API key"],
  ];
  for (const [auth, why] of BAD)
    test(`refuses ${auth}, and keeps the enrolled login`, () => {
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
    test(`refuses the alias ${JSON.stringify(alias)}`, () => {
      using s = setup();
      expect(() => installAccount(s.state, s.layout, alias, login("alice"))).toThrow("invalid alias");
      expect(existsSync(s.layout.root)).toBe(false);
    });

  test("of the same account keeps its figures, of another one starts without them", () => {
    using s = setup();
    const record = installAccount(s.state, s.layout, "work", login("alice"));
    changeHealth(record, { kind: "cool", cause: "limit", reason: "usage-limit", atMs: 1, untilMs: 2 });
    expect(installAccount(s.state, s.layout, "work", login("alice")).health.kind).toBe("cooling");
    expect(() => installAccount(s.state, s.layout, "work", login("bob"))).toThrow(
      "work is enrolled as alice@example.com, but this login is for bob@example.com",
    );
    expect(readCredentials(join(s.layout.accounts, "work")).email).toBe("alice@example.com");
    const other = installAccount(s.state, s.layout, "work", { ...login("bob"), replace: true });
    expect(other).toMatchObject({ health: { kind: "healthy" }, email: "bob@example.com", quotaSyncMs: 0 });
  });

  test("of a login without an account needs --replace to replace another one", () => {
    using s = setup();
    const good = login("alice");
    installAccount(s.state, s.layout, "work", good);
    const anonymous = { ...good, auth: '{"tokens":{"access_token":"a.b.c","refresh_token":"r"}}' };
    expect(() => installAccount(s.state, s.layout, "work", anonymous)).toThrow(
      "work is enrolled as alice@example.com, but this login does not name its account",
    );
    expect(readFileSync(join(s.layout.accounts, "work", "auth.json"), "utf8")).toBe(good.auth);
    installAccount(s.state, s.layout, "other", anonymous);
    const record = installAccount(s.state, s.layout, "work", { ...anonymous, replace: true });
    expect([record.email, record.chatgptAccountId, record.chatgptUserId]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  test("of a login older than the enrolled one needs --replace, unless the enrolled one is dead", () => {
    using s = setup();
    const old = login("alice");
    const newer = {
      ...old,
      auth: old.auth.replace(/"last_refresh": "[^"]*"/, '"last_refresh": "2027-01-01T00:00:00Z"'),
    };
    const record = installAccount(s.state, s.layout, "alice", newer);
    expect(() => installAccount(s.state, s.layout, "alice", old)).toThrow(
      "was renewed after this copy was made",
    );
    expect(readFileSync(join(s.layout.accounts, "alice", "auth.json"), "utf8")).toBe(newer.auth);
    changeHealth(record, { kind: "disable", reason: "refresh-token-reused", atMs: 1 });
    installAccount(s.state, s.layout, "alice", old);
    installAccount(s.state, s.layout, "alice", newer);
    installAccount(s.state, s.layout, "alice", { ...old, replace: true });
    expect(readFileSync(join(s.layout.accounts, "alice", "auth.json"), "utf8")).toBe(old.auth);
  });

  test("refuses an alias that differs only in case", () => {
    using s = setup();
    installAccount(s.state, s.layout, "Bob", login("bob"));
    expect(() => installAccount(s.state, s.layout, "bob", login("bob"))).toThrow("only in case");
  });

  test("refuses a directory that is a link", () => {
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
  test("removes the account with its home and its pin, by alias or id", () => {
    using s = setup();
    for (const name of ["alice", "openai:alice", "OpenAI:Alice"]) {
      installAccount(s.state, s.layout, "alice", login("alice"));
      s.state.pinnedId = s.state.activeId = "openai:alice";
      removeAccount(s.state, s.layout, name).finish();
      expect(existsSync(join(s.layout.accounts, "alice"))).toBe(false);
      expect(s.state).toEqual(emptyState());
    }
  });

  test("can be undone until it is finished", () => {
    using s = setup();
    for (const alias of ["alice", "bob"]) installAccount(s.state, s.layout, alias, login(alias));
    s.state.pinnedId = s.state.activeId = "openai:alice";
    const before = structuredClone(s.state);
    const removal = removeAccount(s.state, s.layout, "alice");
    expect(s.state.accounts.map(({ alias }) => alias)).toEqual(["bob"]);
    expect(existsSync(join(s.layout.accounts, "alice"))).toBe(false);
    removal.undo();
    expect(s.state).toEqual(before);
    expect(existsSync(join(s.layout.accounts, "alice", "auth.json"))).toBe(true);
  });

  test("of an unknown account deletes nothing", () => {
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
  test("adds new directories, drops missing ones, and keeps the order", () => {
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

  test("keeps every account, out of service, while the directory of all of them cannot be read", () => {
    using s = setup();
    for (const alias of ["bob", "alice"]) installAccount(s.state, s.layout, alias, login(alias));
    s.state.pinnedId = "openai:bob";
    renameSync(s.layout.accounts, `${s.layout.accounts}-away`);
    expect(reconcile(s.state, s.layout, 5)[0]?.message).toContain(`reading ${s.layout.accounts}`);
    expect(s.state.accounts.map(({ alias, health }) => [alias, health.kind])).toEqual([
      ["bob", "disabled"],
      ["alice", "disabled"],
    ]);
    expect(s.state.pinnedId).toBe("openai:bob");
    renameSync(`${s.layout.accounts}-away`, s.layout.accounts);
    expect(reconcile(s.state, s.layout, 6)).toEqual([]);
    expect(s.state.accounts.map(({ health }) => health.kind)).toEqual(["healthy", "healthy"]);
  });

  test("drops the figures of an account whose home contains another identity now", () => {
    using s = setup();
    const record = installAccount(s.state, s.layout, "work", login("alice"));
    noteSync(record, 7, 0);
    writeFileSync(join(s.layout.accounts, "work", "auth.json"), login("bob").auth);
    reconcile(s.state, s.layout, 0);
    expect(findAccount(s.state, "work")).toMatchObject({ email: "bob@example.com", quotaSyncMs: 0 });
  });

  test("does not use an account whose directory is a link, and reports it", () => {
    using s = setup();
    installAccount(s.state, s.layout, "alice", login("alice"));
    renameSync(join(s.layout.accounts, "alice"), join(s.layout.root, "elsewhere"));
    symlinkSync(join(s.layout.root, "elsewhere"), join(s.layout.accounts, "alice"));
    expect(reconcile(s.state, s.layout, 0)[0]?.message).toContain(
      "is a symbolic link, which codexlb does not use",
    );
    expect(s.state.accounts).toEqual([]);
  });

  test("disables an account whose file cannot be read, and enables it once it can", () => {
    using s = setup();
    installAccount(s.state, s.layout, "alice", login("alice"));
    const path = join(s.layout.accounts, "alice", "auth.json");
    writeFileSync(path, "{ half");
    expect(reconcile(s.state, s.layout, 5)).toEqual([
      { alias: "alice", message: expect.stringContaining("account alice: reading") },
    ]);
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

describe("an import that cannot be written", () => {
  /** The files below ROOT/accounts with their texts. */
  const accountsOf = ({ accounts }: Layout) =>
    readdirSync(accounts, { recursive: true })
      .map(String)
      .sort()
      .map((name) => {
        const path = join(accounts, name);
        return `${name} ${statSync(path).isFile() ? readFileSync(path, "utf8") : ""}`;
      });
  const withConfig = (alias: string) => ({ ...login(alias), config: 'model = "x"\n' });

  test("leaves no home for a new alias", () => {
    using s = setup();
    installAccount(s.state, s.layout, "bob", login("bob"));
    const before = accountsOf(s.layout);
    // Too long for a file name once the suffix of a temporary file is added.
    const files = { "auth.json": "x", ["c".repeat(250)]: "y" };
    expect(() => writeHome(join(s.layout.accounts, "alice"), files)).toThrow("writing");
    expect(accountsOf(s.layout)).toEqual(before);
  });

  test("keeps the previous login of an alias", () => {
    using s = setup();
    const record = installAccount(s.state, s.layout, "alice", login("alice"));
    const was = { ...record };
    mkdirSync(join(s.layout.accounts, "alice", "config.toml"));
    const before = accountsOf(s.layout);
    expect(() => installAccount(s.state, s.layout, "alice", { ...withConfig("bob"), replace: true })).toThrow(
      "writing",
    );
    expect(accountsOf(s.layout)).toEqual(before);
    expect(record).toEqual(was);
  });

  test("does not touch a file that is in place of the home", () => {
    using s = setup();
    mkdirSync(s.layout.accounts, { recursive: true });
    writeFileSync(join(s.layout.accounts, "alice"), "a file");
    const before = accountsOf(s.layout);
    expect(() => installAccount(s.state, s.layout, "alice", withConfig("alice"))).toThrow(
      "making the directory",
    );
    expect(accountsOf(s.layout)).toEqual(before);
    expect(s.state.accounts).toEqual([]);
  });

  test("removes a home that it created, but keeps files that were there before", () => {
    using s = setup();
    const { undo } = installReversibly(s.state, s.layout, "alice", withConfig("alice"));
    undo();
    expect(accountsOf(s.layout)).toEqual([]);
    mkdirSync(join(s.layout.accounts, "bob"));
    writeFileSync(join(s.layout.accounts, "bob", "notes"), "mine");
    installReversibly(s.state, s.layout, "bob", withConfig("bob")).undo();
    expect(accountsOf(s.layout)).toEqual(["bob ", "bob/notes mine"]);
    expect(s.state.accounts).toEqual([]);
  });
});

describe("what a killed process left behind", () => {
  /** An id that no process has: Linux only assigns smaller ones. */
  const GONE = 4_194_400;
  const later = (path: string) => utimesSync(path, 4_000_000_000, 4_000_000_000);

  test("replaces the login if it is complete and newer, and is deleted otherwise", () => {
    using s = setup();
    const [before, after] = [login("alice").auth, login("alice").auth];
    installAccount(s.state, s.layout, "alice", { ...login("alice"), auth: before });
    const home = join(s.layout.accounts, "alice");
    const waiting = join(home, `auth.json.tmp.${GONE}.7`);
    const half = join(home, `auth.json.tmp.${GONE}.8`);
    const store = `${s.layout.store}.tmp.${GONE}`;
    writeFileSync(waiting, after);
    later(waiting);
    writeFileSync(half, after.slice(0, 100));
    later(half);
    writeFileSync(store, "x");
    reconcile(s.state, s.layout, 0, { readOnly: true });
    expect(leftovers(s.layout).length).toBe(3);
    reconcile(s.state, s.layout, 0);
    expect(readFileSync(join(home, "auth.json"), "utf8")).toBe(after);
    expect(leftovers(s.layout)).toEqual([]);
    expect(existsSync(store)).toBe(false);
  });

  test("does not put an older login over a newer one, nor touch what a living process writes", () => {
    using s = setup();
    const auth = login("alice").auth;
    installAccount(s.state, s.layout, "alice", { ...login("alice"), auth });
    const home = join(s.layout.accounts, "alice");
    const older = join(home, `auth.json.tmp.${GONE}.1`);
    writeFileSync(older, login("alice").auth);
    utimesSync(older, 1, 1);
    reconcile(s.state, s.layout, 0);
    expect(readFileSync(join(home, "auth.json"), "utf8")).toBe(auth);
    expect(existsSync(older)).toBe(false);
  });

  test("does not include a file that a running renewal writes, whatever its process id means here", () => {
    using s = setup();
    const auth = login("alice").auth;
    installAccount(s.state, s.layout, "alice", { ...login("alice"), auth });
    const home = join(s.layout.accounts, "alice");
    const lock = tryLock(join(home, ".auth.refresh.lock"));
    const living = join(home, `auth.json.tmp.${GONE}.1`);
    writeFileSync(living, login("alice").auth);
    later(living);
    reconcile(s.state, s.layout, 0);
    expect(readFileSync(join(home, "auth.json"), "utf8")).toBe(auth);
    expect(existsSync(living)).toBe(true);
    lock?.release();
    reconcile(s.state, s.layout, 0);
    expect(existsSync(living)).toBe(false);
  });

  test("is listed while a proxy owns the root only if it is too old to be in progress", () => {
    using s = setup();
    mkdirSync(s.layout.root);
    const path = `${s.layout.store}.tmp.${process.pid}.1`;
    writeFileSync(path, "x");
    expect(leftovers(s.layout)).toEqual([path]);
    const lock = tryLock(s.layout.lock);
    expect(leftovers(s.layout)).toEqual([]);
    utimesSync(path, 1, 1);
    expect(leftovers(s.layout)).toEqual([path]);
    lock?.release();
  });

  test("of a login is recognised by its lock, not by a process id of another container", () => {
    using s = setup();
    const home = newLoginHome(s.layout);
    // No process holds the lock, although a process with that id exists.
    const broken = join(s.layout.logins, `${process.ppid}-x`);
    mkdirSync(broken);
    writeFileSync(join(broken, ".codexlb.lock"), "");
    // From a version without locks: by its age.
    const [young, old] = ["1-young", "1-old"].map((name) => join(s.layout.logins, name));
    for (const path of [young!, old!]) mkdirSync(path);
    utimesSync(old!, 1, 1);
    expect(
      brokenLogins(s.layout)
        .map(({ path }) => path)
        .sort(),
    ).toEqual([broken, old!].sort());
    sweepLogins(s.layout);
    expect(readdirSync(s.layout.logins).sort()).toEqual([basename(home.path), "1-young"].sort());
    home.release();
    expect(brokenLogins(s.layout).map(({ path }) => path)).toEqual([home.path]);
  });

  test("includes a partly removed home, which is not an account", () => {
    using s = setup();
    installAccount(s.state, s.layout, "alice", login("alice"));
    mkdirSync(join(s.layout.accounts, ".removed-1"));
    writeFileSync(join(s.layout.accounts, ".removed-1", "auth.json"), login("bob").auth);
    reconcile(s.state, s.layout, 0);
    expect(s.state.accounts.map(({ alias }) => alias)).toEqual(["alice"]);
    expect(readdirSync(s.layout.accounts)).toEqual(["alice"]);
  });
});

test("an enrolment says whether it changed anything", () => {
  using s = setup();
  const enrol = (files: { readonly auth: string; readonly config?: string; readonly replace?: boolean }) =>
    installReversibly(s.state, s.layout, "work", { config: undefined, replace: false, ...files }).change;
  const { auth } = login("alice");
  expect(enrol({ auth })).toBe("imported");
  expect(enrol({ auth })).toBe("unchanged");
  // The admin API sends the same login in another format.
  expect(enrol({ auth: JSON.stringify(JSON.parse(auth)) })).toBe("unchanged");
  expect(enrol({ auth, config: 'model = "x"\n' })).toBe("updated");
  expect(enrol({ auth, config: 'model = "x"\n' })).toBe("unchanged");
  expect(enrol({ auth: JSON.stringify({ ...JSON.parse(auth), note: 1 }) })).toBe("updated");
  changeHealth(s.state.accounts[0]!, { kind: "disable", reason: "refresh-token-reused", atMs: 1 });
  expect(enrol({ auth: JSON.stringify({ ...JSON.parse(auth), note: 1 }) })).toBe("updated");
  expect(enrol({ auth: login("bob").auth, replace: true })).toBe("imported");
});

describe("the same login under two names", () => {
  test("is recognized by account and user, never by e-mail", () => {
    using s = setup();
    installAccount(s.state, s.layout, "work", login("alice"));
    expect(() => installAccount(s.state, s.layout, "home", login("alice"))).toThrow(
      "this login is already enrolled, as work",
    );
    installAccount(s.state, s.layout, "home", { ...login("alice"), replace: true });
    installAccount(s.state, s.layout, "bob", login("bob"));
    expect(twinProblems(s.state.accounts.map(identityOf))).toEqual([
      "work and home are the same ChatGPT account: keep only one, because each token refresh invalidates the other login",
    ]);
    const [work, home, bob] = s.state.accounts.map(identityOf);
    const colleague = { ...work!, userId: "another user of the same workspace" };
    expect(twinProblems([colleague, { ...home!, email: work!.email }, bob!])).toEqual([]);
  });
});

test("credentials are read in the format of every version of Codex", () => {
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
