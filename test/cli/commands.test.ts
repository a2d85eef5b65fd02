// Commands as processes, from the sources. test/e2e tests the compiled executable.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeStub } from "../../src/auth/stub.ts";
import { systemDeps } from "../../src/deps.ts";
import { type MockBackend, startMock } from "../../src/mock/backend.ts";
import { createSseClient } from "../../src/mock/client.ts";
import { layoutOf } from "../../src/state/layout.ts";
import { runCli } from "../support/cli.ts";
import { enrol, startPool } from "../support/pool.ts";
import { type TempDirectory, tempDirectory } from "../support/temp.ts";

const MAIN = join(import.meta.dir, "..", "..", "src", "main.ts");
let temp: TempDirectory;
let mock: MockBackend;

beforeAll(() => {
  temp = tempDirectory();
  mock = startMock({ accounts: [{ alias: "alice" }, { alias: "bob" }], clock: systemDeps().clock });
  for (const alias of ["alice", "bob"]) {
    mkdirSync(join(temp.path, alias));
    writeFileSync(join(temp.path, alias, "auth.json"), mock.authFile(alias));
  }
});
afterAll(async () => {
  await mock.stop();
  temp[Symbol.dispose]();
});

let roots = 0;
const newRoot = () => join(temp.path, `root-${++roots}`);

/** A root on whose address no program can listen. `config` follows the line with the address in config.toml. */
function rootWithoutProxy(config = ""): string {
  const root = newRoot();
  mkdirSync(root, { mode: 0o700 });
  writeFileSync(join(root, "config.toml"), `[proxy]\nlisten = "127.0.0.1:1"\n${config}`);
  return root;
}

const codexlb = (args: readonly string[], env: Record<string, string> = {}) =>
  runCli(args, { cwd: temp.path, env });

describe("without a running proxy", () => {
  test("accounts are imported, listed, pinned and removed", async () => {
    const root = newRoot();
    const account = (...words: string[]) =>
      codexlb(["account", words[0] ?? "", "--root", root, ...words.slice(1)]);
    const missing = `codexlb: warning: the root ${root} does not exist\n`;
    const next = `codexlb: add one with: codexlb account login --root ${root} ALIAS\n`;
    expect(await account("list")).toEqual({ code: 0, out: "no accounts\n", err: missing + next });
    expect(await account("import", "--from", join(temp.path, "alice"), "work")).toEqual({
      code: 0,
      out: "imported account work (total=1)\n",
      err: `codexlb: created ${root}\n`,
    });
    expect((await account("import", "--from", join(temp.path, "bob"))).out).toBe(
      "imported account bob (total=2)\n",
    );
    expect((await account("list")).out).toBe(
      "bob\topenai:bob\tbob@example.com\tready\nwork\topenai:work\talice@example.com\tready\n",
    );
    expect((await account("pin", "work")).out).toBe("pinned account work\n");
    expect(JSON.parse(readFileSync(join(root, "store.json"), "utf8")).state.pinned_account_id).toBe(
      "openai:work",
    );
    expect((await account("unpin")).out).toBe("unpinned account selection\n");
    expect((await account("rm", "openai:work")).out).toBe("removed account work\n");
    expect(readdirSync(join(root, "accounts"))).toEqual(["bob"]);
  });

  test("a known login updates its own account, and no other", async () => {
    const root = newRoot();
    const add = (...words: string[]) => codexlb(["account", "import", "--root", root, ...words]);
    const [alice, bob] = [join(temp.path, "alice"), join(temp.path, "bob")];
    await add("--from", alice, "work");
    expect((await add("--from", alice)).out).toBe("unchanged account work (total=1)\n");
    const refused = await add("--from", bob, "work");
    expect(refused.code).toBe(1);
    expect(refused.err).toContain(
      "work is enrolled as alice@example.com, but this login is for bob@example.com",
    );
    expect((await add("--from", bob, "--replace", "work")).out).toBe("imported account work (total=1)\n");
    expect(await add("--from", bob, "home")).toEqual({
      code: 1,
      out: "",
      err: "codexlb: this login is already enrolled, as work\n  to update it, use that alias; to enrol it a second time, add --replace\n",
    });
    expect((await add("--from", bob)).out).toBe("unchanged account work (total=1)\n");
    const twin = await add("--from", bob, "--force", "home");
    expect(twin.out).toBe("imported account home (total=2)\n");
    expect(twin.err).toContain("home is the same ChatGPT account as work");
    expect((await add("--from", bob, "home")).code).toBe(0);
  });

  test("a path in the place of an alias is the login to import", async () => {
    const root = newRoot();
    const add = (...words: string[]) => codexlb(["account", "import", "--root", root, ...words]);
    expect((await add(join(temp.path, "alice"))).out).toBe("imported account alice (total=1)\n");
    expect((await add("./bob/auth.json", "work")).out).toBe("imported account work (total=2)\n");
    writeFileSync(join(temp.path, "mine.json"), mock.authFile("bob"));
    expect((await add("--from", "mine.json", "work")).out).toBe("updated account work (total=2)\n");
    expect((await add("mine.json")).out).toBe("unchanged account work (total=2)\n");
    const missing = await add("./nowhere");
    expect(missing.err).toStartWith(
      `codexlb: reading ${join(temp.path, "nowhere", "auth.json")}: no such file\n`,
    );
    expect((await add("./alice", "a", "b")).code).toBe(2);
    expect((await add("a", "./alice")).code).toBe(2);
  });

  test("many imports at the same time all succeed", async () => {
    const root = newRoot();
    const aliases = ["a", "b", "c", "d", "e", "f"];
    const ran = await Promise.all(
      aliases.map((alias) =>
        codexlb(["account", "import", "--root", root, "--force", "--from", join(temp.path, "alice"), alias]),
      ),
    );
    expect(ran.map(({ code }) => code)).toEqual(aliases.map(() => 0));
    const { accounts } = JSON.parse(readFileSync(join(root, "store.json"), "utf8"));
    expect(accounts.map((one: { alias: string }) => one.alias).sort()).toEqual(aliases);
  });

  test.each(["keyring", "auto"])(
    "account import reports a home whose login is in a keyring: %s",
    async (store) => {
      const home = join(temp.path, `home-${store}`);
      mkdirSync(home);
      writeFileSync(join(home, "config.toml"), `cli_auth_credentials_store = "${store}"\n`);
      const root = newRoot();
      const ran = await codexlb(["account", "import", "--root", root, "--from", home]);
      expect(ran).toMatchObject({ code: 1, out: "" });
      expect(ran.err).toBe(
        `codexlb: ${home} keeps its login in the system keyring (cli_auth_credentials_store = "${store}"), which codexlb cannot read\n  log in again, into a file: codexlb account login --root ${root} ALIAS\n`,
      );
    },
  );

  test("account import keeps the targets of relative paths in the settings", async () => {
    const root = newRoot();
    const home = join(temp.path, "with-paths");
    mkdirSync(home);
    writeFileSync(join(home, "auth.json"), mock.authFile("alice"));
    const imported = async (text: string) => {
      writeFileSync(join(home, "config.toml"), text);
      await codexlb(["account", "import", "--root", root, "--from", home, "alice"]);
      return readFileSync(join(root, "accounts", "alice", "config.toml"), "utf8");
    };
    expect(await imported('# mine\nmodel_instructions_file = "mine.md"\n')).toBe(
      `model_instructions_file = "${join(home, "mine.md")}"\n`,
    );
    expect(await imported('# mine\nmodel = "m"\n')).toBe('# mine\nmodel = "m"\n');
  });

  test("reading commands write nothing", async () => {
    const root = newRoot();
    const warning = `the root ${root} does not exist\n`;
    for (const args of [
      ["account", "list"],
      ["account", "show", "x"],
      ["account", "rm", "x"],
      ["status"],
      ["explain"],
      ["key", "list"],
      ["config", "show"],
      ["config", "check"],
      ["proxy", "logs"],
      ["proxy", "stop"],
      ["proxy", "status"],
      ["run", "--command"],
    ])
      expect((await codexlb([...args, "--root", root])).err).toContain(warning);
    expect(readdirSync(temp.path)).not.toContain(root.split("/").at(-1)!);
  });
});

test("errors on a named root that does not exist advise to check the root first", async () => {
  const root = newRoot();
  const check = "\n  check --root and CODEXLB_ROOT (default: ~/.codex-lb), or ";
  for (const words of [
    ["account", "pin", "alice"],
    ["account", "show", "alice"],
    ["proxy", "status"],
  ]) {
    expect((await codexlb([...words, "--root", root])).err).toContain(check);
    expect((await codexlb(words, { CODEXLB_ROOT: root })).err).toContain(check);
    expect((await codexlb(words)).err).not.toContain("check --root");
  }
});

describe("with a running proxy", () => {
  test("account commands take effect in it immediately", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    const home = join(temp.path, "bob");
    const env = { CODEXLB_ROOT: pool.layout.root };
    expect((await codexlb(["account", "import", "--from", home, "bob"], env)).out).toBe(
      "imported account bob (total=2)\n",
    );
    expect((await codexlb(["account", "pin", "bob"], env)).out).toBe("pinned account bob\n");
    expect((await pool.status()).accounts.map((one) => [one.alias, one.pinned])).toEqual([
      ["alice", false],
      ["bob", true],
    ]);
    expect((await codexlb(["account", "list"], env)).out).toContain(
      "alice\topenai:alice\talice@example.com\tready\n",
    );
    expect((await codexlb(["account", "rm", "alice"], env)).out).toBe("removed account alice\n");
    expect((await pool.status()).accounts.map((one) => one.alias)).toEqual(["bob"]);
    const missing = await codexlb(["account", "rm", "alice"], env);
    expect(missing).toMatchObject({ code: 1, out: "" });
    expect(missing.err).toStartWith("codexlb: account not found: alice\n  known accounts: bob\n");
  });

  test("several aliases are changed by one command, each even if another one is unknown", async () => {
    await using pool = await startPool({ accounts: ["alice", "bob", "carol"].map((alias) => ({ alias })) });
    const env = { CODEXLB_ROOT: pool.layout.root };
    const account = (...words: string[]) => codexlb(["account", ...words], env);
    expect(await account("disable", "alice", "bob", "alice")).toEqual({
      code: 0,
      out: "disabled account alice\ndisabled account bob\n",
      err: "",
    });
    expect((await account("enable", "bob", "openai:alice")).out).toBe(
      "enabled account bob\nenabled account alice\n",
    );
    expect((await account("drain", "alice", "bob")).code).toBe(0);
    const removed = await account("rm", "alicia", "bob", "carl", "carol");
    expect(removed).toMatchObject({ code: 1, out: "removed account bob\nremoved account carol\n" });
    expect(removed.err).toMatch(/account not found: alicia\n.*\ncodexlb: account not found: carl\n/);
    expect((await pool.status()).accounts.map(({ alias }) => alias)).toEqual(["alice"]);
  });

  test("the drain of a pinned account reports that the pin wins, and a disablement that the pin stays", async () => {
    await using pool = await startPool({ accounts: ["alice", "bob"].map((alias) => ({ alias })) });
    const env = { CODEXLB_ROOT: pool.layout.root };
    await codexlb(["account", "pin", "alice"], env);
    expect(await codexlb(["account", "drain", "bob"], env)).toMatchObject({ code: 0, err: "" });
    expect(await codexlb(["account", "drain", "alice"], env)).toEqual({
      code: 0,
      out: "draining account alice\n",
      err: "codexlb: warning: alice is pinned, so it still gets all turns; end that with: codexlb account unpin\n",
    });
    expect((await codexlb(["account", "disable", "alice"], env)).err).toBe(
      "codexlb: warning: alice is pinned, so it gets all turns again as soon as it is enabled; end that with: codexlb account unpin\n",
    );
    expect((await codexlb(["account", "enable", "alice"], env)).err).toBe("");
  });

  test("status shows it in every form", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    const env = { CODEXLB_PROXY_URL: pool.url, CODEXLB_ROOT: newRoot() };
    expect((await codexlb(["status"], env)).out).toContain("alice@example.com");
    expect((await codexlb(["status", "--short"], env)).out).toBe(
      "lb=none reason=sticky-fallback mode=sticky\n",
    );
    expect(JSON.parse((await codexlb(["status", "-json"], env)).out).accounts[0].alias).toBe("alice");
    expect((await codexlb(["status"], { ...env, COLUMNS: "80" })).out).toContain(
      "  alice@example.com\n  daily ",
    );
  });

  test("explain distinguishes a known session from an unknown one", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    await createSseClient(pool.url, "known").turn("hello");
    const env = { CODEXLB_ROOT: pool.layout.root };
    const explain = async (id: string) => (await codexlb(["explain", "--session", id], env)).out;
    expect(await explain("known")).toContain("; the session is on alice\n");
    expect(await explain("unknown")).toContain(
      "; this proxy has served no turn of the session, so it is placed like a new one\n",
    );
  });

  test("whose root has a long name, they find it", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }], rootName: "r".repeat(120) });
    expect(pool.layout.adminSocket.length).toBeGreaterThan(120);
    const env = { CODEXLB_ROOT: pool.layout.root };
    expect((await codexlb(["account", "pin", "alice"], env)).out).toBe("pinned account alice\n");
    expect((await pool.status()).state.pinned_account_id).toBe("openai:alice");
  });

  test("a second proxy on its root refuses to start", async () => {
    await using pool = await startPool({ accounts: [] });
    const second = await codexlb(["proxy", "--root", pool.layout.root, "--listen", "127.0.0.1:0"]);
    expect(second.code).toBe(1);
    expect(second.err).toContain(`another codexlb proxy runs on ${pool.layout.root}`);
  });

  test("a second one on its port refuses to start", async () => {
    await using pool = await startPool({ accounts: [] });
    const second = await codexlb(["proxy", "--root", newRoot(), "--listen", new URL(pool.url).host]);
    expect(second.code).toBe(1);
    expect(second.err).toContain(
      "the address is in use\n  another codexlb proxy is already listening on this address",
    );
  });
});

describe("run", () => {
  test("prints the command it would run, and writes nothing", async () => {
    const root = newRoot();
    mkdirSync(root);
    const ran = await codexlb(["run", "--root", root, "--command", "exec", "--json", "a b"], {
      OPENAI_API_KEY: "k",
    });
    expect(ran).toEqual({
      code: 0,
      err: "",
      out: `CODEX_HOME=${root}/codex-home CODEX_REFRESH_TOKEN_URL_OVERRIDE='http://127.0.0.1:8765/oauth/token?id_token=keep' OPENAI_BASE_URL=http://127.0.0.1:8765 codex -c 'openai_base_url="http://127.0.0.1:8765/backend-api/codex"' -c 'chatgpt_base_url="http://localhost:8765/backend-api/"' exec --json 'a b'\n`,
    });
  });

  const script = (name: string, text: string) => {
    const path = join(temp.path, name);
    writeFileSync(path, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    return path;
  };

  test("gives codex its arguments and environment, and returns its exit code", async () => {
    const binary = script(
      "codex-7",
      'echo "$CODEX_HOME|$OPENAI_BASE_URL|$BUN_OPTIONS"; for a in "$@"; do echo "<$a>"; done; exit 7',
    );
    const root = rootWithoutProxy();
    const ran = await codexlb(
      ["run", "--root", root, "--codex-bin", binary, "--", "--json", "it's", "--help"],
      { BUN_OPTIONS: "--smol" },
    );
    expect(ran.code).toBe(7);
    expect(ran.out.split("\n").slice(0, 1)).toEqual([`${root}/codex-home|http://127.0.0.1:1|`]);
    expect(ran.out).toContain("<--json>\n<it's>\n<--help>\n");
  });

  test("passes unknown flags to codex", async () => {
    const binary = script("codex-echo", 'for a in "$@"; do echo "<$a>"; done');
    const ran = await codexlb([
      "run",
      "--root",
      rootWithoutProxy(),
      "--codex-bin",
      binary,
      "-m",
      "x",
      "--command",
      "--version",
    ]);
    expect(ran.out).toContain("<-m>\n<x>\n<--command>\n");
  });

  test("says what to do if the shell finds no codex", async () => {
    const ran = await codexlb([
      "run",
      "--root",
      rootWithoutProxy(),
      "--codex-bin",
      "/nowhere/codex",
      "--version",
    ]);
    expect(ran.code).toBe(127);
    expect(ran.err).toContain("install Codex with `npm install -g @openai/codex`");
  });

  test("ends by the same signal as codex", async () => {
    const binary = script("codex-term", "kill -TERM $$");
    const child = Bun.spawn(
      [process.execPath, MAIN, "run", "--root", rootWithoutProxy(), "--codex-bin", binary, "--version"],
      {
        env: { PATH: process.env.PATH ?? "", HOME: temp.path, SHELL: "/bin/sh" },
        stdin: "ignore",
        stdout: "ignore",
        stderr: "ignore",
      },
    );
    await child.exited;
    expect(child.signalCode).toBe("SIGTERM");
  });

  test("says what to do if there is no codex", async () => {
    const root = rootWithoutProxy("[run]\ninherit_shell = false\n");
    const ran = await codexlb(["run", "--root", root, "--codex-bin", "/nowhere/codex", "--version"]);
    expect(ran.code).toBe(1);
    expect(ran.err).toContain("no such program\n  install Codex with `npm install -g @openai/codex`");
  });
});

test("help and --help print the same", async () => {
  const [asked, flag] = await Promise.all([
    codexlb(["help", "account", "pin"]),
    codexlb(["account", "pin", "--help"]),
  ]);
  expect(asked).toEqual(flag);
  const unknown = await codexlb(["help", "acount"]);
  expect(unknown).toMatchObject({ code: 2, out: "" });
  expect(unknown.err).toContain("did you mean account?");
});

test("output that cannot be written is a failure", async () => {
  const child = Bun.spawn(["sh", "-c", '"$@" > /dev/full', "sh", process.execPath, MAIN, "man"], {
    env: { PATH: process.env.PATH ?? "", HOME: temp.path },
    stdout: "ignore",
    stderr: "ignore",
  });
  expect(await child.exited).toBe(1);
});

test("account import refuses the stub login in the home of run", async () => {
  const root = join(temp.path, "standing-in");
  const home = join(temp.path, "stand-in");
  mkdirSync(home);
  writeFileSync(join(home, "auth.json"), JSON.stringify(makeStub("pro", "k".repeat(32), Date.now())));
  const ran = await runCli(["account", "import", "--root", root, "x"], {
    cwd: temp.path,
    env: { CODEX_HOME: home },
  });
  expect(ran).toMatchObject({ code: 1, out: "" });
  expect(ran.err).toContain("codexlb: auth.json of x is the stub written by codexlb run, not a real login\n");
  expect((await runCli(["account", "list", "--root", root], { cwd: temp.path })).out).toBe("no accounts\n");
});

test("config check says what applies without a file, and with an empty one", async () => {
  const root = join(temp.path, "checked");
  mkdirSync(root);
  const path = join(root, "config.toml");
  const check = async () => runCli(["config", "check", "--root", root], { cwd: temp.path });
  expect(await check()).toMatchObject({ code: 0, out: `${path} does not exist yet; the defaults apply\n` });
  writeFileSync(path, " \n");
  expect(await check()).toMatchObject({
    code: 0,
    out: `${path} is empty: a new proxy starts with the defaults, and a running proxy keeps its settings\n`,
  });
  writeFileSync(path, "# mine\n");
  expect(await check()).toMatchObject({ code: 0, out: `${path} is valid\n` });
});

test("config check warns of keys that are not settings, and of options of accounts that do not exist", async () => {
  const layout = layoutOf(join(temp.path, "checked-accounts"));
  mkdirSync(layout.root);
  const check = async () => runCli(["config", "check", "--root", layout.root], { cwd: temp.path });
  const zoe = '[accounts.Alice]\npriority = 1\n[accounts.zoe]\ntags = ["work"]\n';
  writeFileSync(layout.config, zoe);
  expect(await check()).toMatchObject({ code: 0, out: `${layout.config} is valid\n` });
  enrol(layout, "alice", mock.authFile("alice"));
  writeFileSync(layout.config, zoe);
  const noAccount = `${layout.config}: [accounts.zoe] has no effect, because there is no account zoe\n`;
  expect(await check()).toMatchObject({ code: 0, out: `${noAccount}${layout.config} is valid\n` });
  writeFileSync(layout.config, `[proxy]\nupstream = "http://127.0.0.1:1"\n${zoe}`);
  expect(await check()).toMatchObject({
    code: 1,
    out: `${layout.config}: line 2: proxy.upstream is not a setting and has no effect; did you mean proxy.upstream_base_url?\n${noAccount}`,
  });
});

describe("wrong input", () => {
  const CASES: [string[], number, string][] = [
    [["stauts"], 2, "codexlb: unknown command: stauts\n  did you mean status?\n"],
    [["--root", "x"], 2, "codexlb: unknown command: --root\n"],
    [["--root"], 2, "codexlb: flag --root needs a value\n  then name a command: "],
    [["account", "--proxy-name"], 2, "codexlb: flag --proxy-name needs a value\n"],
    [
      ["exec", "hi"],
      2,
      "codexlb: unknown command: exec\n  it is a command of Codex; run: codexlb run exec ...\n",
    ],
    [["a\u001b[31mb\nc"], 2, "codexlb: unknown command: a [31mb c\n"],
    [["account", "show", ""], 2, "codexlb: account show takes one alias\n"],
    [["proxy", "logs", "--tail", "x"], 2, 'codexlb: flag --tail: "x" is not a whole number\n'],
    [
      ["account"],
      2,
      "codexlb: account needs a command\n  commands: login, import, add-key, export, list, show, set, rm, pin, unpin, enable, disable, drain, redeem\n",
    ],
    [["account", "remove"], 2, "codexlb: unknown command: remove\n  did you mean codexlb account rm?\n"],
    [["account", "ls"], 2, "codexlb: unknown command: ls\n  did you mean codexlb account list?\n"],
    [
      ["account", "add"],
      2,
      "codexlb: unknown command: add\n  did you mean codexlb account login, or codexlb account import?\n",
    ],
    [["ls"], 2, "codexlb: unknown command: ls\n  did you mean codexlb account list, or codexlb key list?\n"],
    [
      ["delete"],
      2,
      "codexlb: unknown command: delete\n  did you mean codexlb account rm, or codexlb key rm?\n",
    ],
    [
      ["config", "set", "proxy.listen", "x"],
      2,
      "codexlb: unknown command: set\n  to change a setting, edit the file whose path this command prints: codexlb config path; commands: check, show, path\n",
    ],
    [["config", "pth"], 2, "codexlb: unknown command: pth\n  did you mean path?\n"],
    [["account", "status"], 2, "codexlb: unknown command: status\n  did you mean codexlb status?\n"],
    [["key", "login"], 2, "codexlb: unknown command: login\n  commands: add, list, show, set, rm\n"],
    [["--root", "x", "stauts"], 2, "codexlb: unknown command: stauts\n  did you mean status?\n"],
    [["account", "pin"], 2, "codexlb: account pin takes one alias\n"],
    [["account", "pin", "a", "b"], 2, "codexlb: account pin takes one alias\n"],
    [["account", "rm"], 2, "codexlb: account rm takes one or more aliases\n"],
    [["account", "drain", "a", ""], 2, "codexlb: account drain takes one or more aliases\n"],
    [["account", "unpin", "a"], 2, 'codexlb: unexpected argument "a"\n'],
    [
      ["account", "pin", "dave"],
      1,
      "codexlb: account not found: dave\n  run: codexlb account login ALIAS, or: codexlb account import\n",
    ],
    [["account", "import", "--from", "/nowhere"], 1, "codexlb: reading /nowhere/auth.json: no such file\n"],
    [["account", "import", "--from", "alice", "../x"], 2, 'codexlb: invalid alias "../x"\n'],
    [["status", "--short", "--json"], 2, "codexlb: status flags --json and --short are mutually exclusive\n"],
    [["status", "--timeout", "3"], 2, 'codexlb: flag --timeout: "3" is not a duration\n'],
    [
      ["status", "--proxy-url", "http://127.0.0.1:1"],
      1,
      "codexlb: contacting the proxy at http://127.0.0.1:1: connection refused\n",
    ],
    [["proxy", "--listen", "nonsense"], 2, 'codexlb: --listen: "nonsense" is not an address'],
    [["proxy", "--listen", "0.0.0.0:0"], 1, "codexlb: listening on 0.0.0.0:0 would let every machine"],
    [["proxy", "--max-attempts", "many"], 2, 'codexlb: flag --max-attempts: "many" is not a whole number\n'],
    [["mock", "--accounts", "a b"], 2, 'codexlb: flag --accounts: "a b" is not an account\n'],
    [["status", "-jsno"], 2, "codexlb: unknown flag -jsno\n  did you mean --json?\n"],
    [["mock", "--port", "99999"], 2, "codexlb: flag --port: 99999 is not a port\n"],
    [["mock", "--accounts", "a:1,a:2"], 2, "codexlb: flag --accounts: a is listed twice\n"],
    [["proxy", "--upstream", "notaurl"], 2, 'codexlb: --upstream: "notaurl" is not an http(s) URL\n'],
  ];
  const WORDS: [string[], string][] = [
    [["proxy", "log"], 'codexlb: unexpected argument "log"\n  did you mean logs?\n'],
    [
      ["proxy", "nonsense", "--listen", "127.0.0.1:0"],
      'codexlb: unexpected argument "nonsense"\n  for usage, run: codexlb proxy --help\n',
    ],
    [
      ["config", "show", "extra"],
      'codexlb: unexpected argument "extra"\n  for usage, run: codexlb config show --help\n',
    ],
    [["key", "add", "x", "--rol", "parent"], "codexlb: unknown flag --rol\n  did you mean --role?\n"],
  ];
  for (const [args, message] of WORDS)
    test(`codexlb ${args.join(" ")}: exit 2, and nothing happens`, async () => {
      const root = newRoot();
      expect(await codexlb(args, { CODEXLB_ROOT: root })).toEqual({ code: 2, out: "", err: message });
      expect(existsSync(root)).toBe(false);
    });

  test("arguments that the Go program ignores only cause a warning", async () => {
    const root = newRoot();
    const env = { CODEXLB_ROOT: root };
    expect(await codexlb(["account", "list", "extra"], env)).toEqual({
      code: 0,
      out: "no accounts\n",
      err: `codexlb: warning: codexlb account list ignores the argument "extra"\ncodexlb: warning: the root ${root} does not exist\ncodexlb: add one with: codexlb account login ALIAS\n`,
    });
    const status = await codexlb(["status", "--json", "true"], env);
    expect(status.err).toStartWith('codexlb: warning: codexlb status ignores the argument "true"\n');
    expect(existsSync(root)).toBe(false);
  });

  test("flags can appear anywhere on the line", async () => {
    const root = newRoot();
    const ids = async (...line: string[]) => {
      const { out, err } = await codexlb(line);
      expect([line, err]).toEqual([line, ""]);
      return JSON.parse(out).accounts.map((one: { id: string }) => one.id);
    };
    const alice = join(temp.path, "alice");
    expect((await codexlb(["account", "import", "work", "--from", alice, "--root", root])).out).toBe(
      "imported account work (total=1)\n",
    );
    for (const line of [
      ["account", "list", "--root", root, "--json"],
      ["account", "--root", root, "list", "--json"],
      ["--root", root, "--json", "account", "list"],
      [`--root=${root}`, "account", "--json", "list"],
    ])
      expect(await ids(...line)).toEqual(["openai:work"]);
    expect((await codexlb(["account", "rm", "work", "--root", root])).out).toBe("removed account work\n");
    expect((await codexlb(["--root", root, "status", "--help"])).out).toContain("codexlb status");
  });

  test("words after -- are not flags", async () => {
    const env = { CODEXLB_ROOT: rootWithoutProxy() };
    expect((await codexlb(["account", "rm", "--", "-x"], env)).err).toStartWith(
      "codexlb: account not found: -x\n",
    );
    expect((await codexlb(["account", "show", "--", "--json"], env)).code).toBe(1);
  });

  test("commands that find nothing create no root", async () => {
    const root = newRoot();
    for (const [args, code] of [
      [["account", "rm", "x"], 1],
      [["account", "pin", "x"], 1],
      [["account", "unpin"], 0],
      [["key", "rm", "x"], 1],
      [["doctor", "--fix", "--codex-bin", "/nowhere/codex"], 1],
      [["account", "import", "--from", "/nowhere"], 1],
      [["account", "import", "--from", "alice", "../x"], 2],
    ] as const) {
      const ran = await codexlb(args, { CODEXLB_ROOT: root });
      expect([args, ran.code]).toEqual([args, code]);
    }
    expect(existsSync(root)).toBe(false);
  });

  test("a mistyped alias gets a suggestion instead of a long list", async () => {
    const root = newRoot();
    const env = { CODEXLB_ROOT: root };
    const { accounts } = layoutOf(root);
    for (let count = 1; count <= 9; count++) {
      mkdirSync(join(accounts, `account-${count}`), { recursive: true });
      writeFileSync(join(accounts, `account-${count}`, "auth.json"), mock.authFile("alice"));
    }
    expect((await codexlb(["account", "show", "acount-3"], env)).err).toEndWith(
      "  did you mean account-3?\n",
    );
    expect((await codexlb(["account", "show", "zed"], env)).err).toEndWith(
      "  see: codexlb account list (there are 9)\n",
    );
  });

  test("a root below a file is refused, and so are directories in place of files", async () => {
    const file = join(temp.path, "a-file");
    writeFileSync(file, "");
    const below = await codexlb(["account", "list"], { CODEXLB_ROOT: join(file, "x") });
    expect(below).toMatchObject({ code: 1, out: "" });
    expect(below.err).toBe(
      `codexlb: the root ${join(file, "x")} is not a directory\n  choose another --root\n`,
    );
    const root = newRoot();
    mkdirSync(join(root, "config.toml"), { recursive: true });
    const doctor = await codexlb(["doctor", "--codex-bin", "/nowhere/codex"], { CODEXLB_ROOT: root });
    expect(doctor.code).toBe(1);
    expect(doctor.out).toMatch(/^config: bad \(.*config.toml/m);
    expect(doctor.out).toMatch(/^runtime auth: /m);
    expect(doctor.err).not.toContain("should not happen");
  });

  test("a root that is a file is refused by every command", async () => {
    const root = newRoot();
    writeFileSync(root, "");
    for (const args of [["account", "list"], ["key", "list"], ["status"], ["proxy"], ["doctor"]])
      expect(await codexlb(args, { CODEXLB_ROOT: root })).toEqual({
        code: 1,
        out: "",
        err: `codexlb: the root ${root} is not a directory\n  choose another --root\n`,
      });
  });

  test("a change that cannot be written fails with an error", async () => {
    const root = newRoot();
    const account = (...words: string[]) => codexlb(["account", ...words], { CODEXLB_ROOT: root });
    await account("import", "--from", join(temp.path, "alice"), "work");
    rmSync(join(root, "store.json"));
    mkdirSync(join(root, "store.json", "in-the-way"), { recursive: true });
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    rmSync(pool.layout.store);
    mkdirSync(join(pool.layout.store, "in-the-way"), { recursive: true });
    const onPool = (...words: string[]) => codexlb(["account", ...words], { CODEXLB_ROOT: pool.layout.root });
    for (const words of [
      ["rm", "alice"],
      ["pin", "alice"],
      ["disable", "alice"],
    ]) {
      const ran = await onPool(...words);
      expect([words, ran.code]).toEqual([words, 1]);
      expect(ran.err).toContain("store.json");
    }
    const known = readFileSync(join(pool.layout.accounts, "alice", "auth.json"), "utf8");
    for (const words of [
      ["--from", join(temp.path, "bob"), "new"],
      ["--replace", "--from", join(temp.path, "bob"), "alice"],
    ]) {
      const ran = await onPool("import", ...words);
      expect([words, ran.code]).toEqual([words, 1]);
      expect(ran.err).toContain("store.json: it is a directory, not a file");
    }
    expect(readdirSync(pool.layout.accounts)).toEqual(["alice"]);
    expect(readFileSync(join(pool.layout.accounts, "alice", "auth.json"), "utf8")).toBe(known);
    expect((await onPool("list")).out).toBe("alice\topenai:alice\talice@example.com\tready\n");
    expect((await pool.status()).state.pinned_account_id).toBeUndefined();
    expect((await pool.status()).accounts.map(({ alias, enabled }) => [alias, enabled])).toEqual([
      ["alice", true],
    ]);
    expect(existsSync(join(pool.layout.accounts, "alice", "auth.json"))).toBe(true);
    expect((await onPool("rm", "work")).code).toBe(1);
    expect(existsSync(join(root, "accounts", "work", "auth.json"))).toBe(true);
    rmSync(pool.layout.store, { recursive: true });
    expect((await onPool("pin", "alice")).code).toBe(0);
  });

  for (const [args, code, message] of CASES)
    test(`codexlb ${args.join(" ")}: exit ${code}`, async () => {
      const root = newRoot();
      mkdirSync(root, { mode: 0o700 });
      const ran = await codexlb(args, { CODEXLB_ROOT: root });
      expect(ran.err).toStartWith(message);
      expect(ran.code).toBe(code);
      expect(ran.err).not.toContain("    at ");
    });

  test("an invalid setting is named with its file, key and the allowed values", async () => {
    const root = newRoot();
    mkdirSync(root, { mode: 0o700 });
    writeFileSync(join(root, "config.toml"), '[policy]\nmode = "fastest"\n');
    const ran = await codexlb(["proxy", "--root", root]);
    expect(ran.err).toBe(
      `codexlb: reading ${root}/config.toml: line 2: policy.mode: "fastest" is not a policy; allowed: usage_balanced, sticky, round_robin, least_in_flight, reset_aware\n  correct the file and try again\n`,
    );
  });
});

describe("help", () => {
  test("is shown for the word and the flag, anywhere among the flags", async () => {
    const { out } = await codexlb(["status", "help"]);
    expect(out).toContain("--proxy-url");
    for (const args of [
      ["status", "--help"],
      ["status", "-h"],
      ["status", "--short", "-help"],
    ])
      expect(await codexlb(args)).toEqual({ code: 0, err: "", out });
  });
});
