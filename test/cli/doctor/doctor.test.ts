import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { remoteKeys } from "../../../src/admin/client.ts";
import { socketDoor } from "../../../src/admin/door.ts";
import { systemDeps } from "../../../src/deps.ts";
import { type MockBackend, startMock } from "../../../src/mock/backend.ts";
import { OTHER_SEGMENT } from "../../../src/proxy/path-gate.ts";
import { tryLock } from "../../../src/state/lock.ts";
import { runCli } from "../../support/cli.ts";
import { startPool } from "../../support/pool.ts";
import { type TempDirectory, tempDirectory } from "../../support/temp.ts";

interface Finding {
  readonly check: string;
  readonly status: string;
  readonly detail: string;
  readonly remedy?: string;
  readonly fixed: boolean;
}

let temp: TempDirectory;
let mock: MockBackend;
let codex: string;

beforeAll(() => {
  temp = tempDirectory();
  mock = startMock({ accounts: [{ alias: "alice" }, { alias: "bob" }], clock: systemDeps().clock });
  codex = join(temp.path, "codex");
  // Prints a version and sends a turn to its configured address, like real Codex (test/real has the real one).
  writeFileSync(
    codex,
    `#!/bin/sh
if [ "$1" = --version ]; then echo "codex-cli 0.200.1"; exit 0; fi
url=$(echo "$*" | sed -n 's/.*openai_base_url="\\([^"]*\\)".*/\\1/p')
token=$(sed -n 's/.*"access_token": "\\([^"]*\\)".*/\\1/p' "$CODEX_HOME/auth.json")
exec "${process.execPath}" -e 'await fetch(process.argv[1] + "/responses", { method: "POST", headers: { authorization: "Bearer " + process.argv[2], "chatgpt-account-id": "mock-doctor" }, body: "{}" })' "$url" "$token"
`,
  );
  chmodSync(codex, 0o755);
});
afterAll(async () => {
  await mock.stop();
  temp[Symbol.dispose]();
});

let roots = 0;
/** A root with the accounts alice and bob, created by commands. */
async function rootWith(config = ""): Promise<string> {
  const root = join(temp.path, `root-${++roots}`);
  mkdirSync(root, { mode: 0o700 });
  writeFileSync(
    join(root, "config.toml"),
    `${config}\n[proxy]\nname = "x"\nupstream_base_url = "${mock.baseUrl}"\nlisten = "127.0.0.1:${freePort()}"\n`,
    { mode: 0o600 },
  );
  for (const alias of ["alice", "bob"]) {
    const home = join(temp.path, `login-${++roots}`);
    mkdirSync(home);
    writeFileSync(join(home, "auth.json"), mock.authFile(alias));
    await runCli(["account", "import", "--from", home, alias], {
      cwd: temp.path,
      env: { CODEXLB_ROOT: root },
    });
  }
  return root;
}

/** A port that was free a moment ago. */
function freePort(): number {
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
  const port = server.port ?? 0;
  void server.stop(true);
  return port;
}

const doctor = (root: string, ...args: string[]) => doctorIn(root, {}, ...args);

/** `doctor` with these environment variables in addition. */
async function doctorIn(root: string, env: Readonly<Record<string, string>>, ...args: string[]) {
  const ran = await runCli(["doctor", "--json", ...args], {
    cwd: temp.path,
    env: { CODEXLB_ROOT: root, CODEXLB_CODEX_BIN: codex, CODEXLB_TOKEN_URL: mock.tokenUrl, ...env },
  });
  const { ok, findings } = JSON.parse(ran.out) as { ok: boolean; findings: Finding[] };
  return {
    code: ran.code,
    ok,
    findings,
    about: (check: string) => findings.filter((one) => one.check === check),
    wrong: findings
      .filter(({ status, fixed }) => status !== "ok" && !fixed)
      .map(({ check, status }) => [check, status]),
  };
}

describe("codexlb doctor", () => {
  test("reports only the missing home of run if all is well, and writes nothing", async () => {
    const root = await rootWith();
    const before = readdirSync(root);
    const found = await doctor(root);
    expect(found).toMatchObject({ code: 0, ok: true, wrong: [["runtime auth", "warning"]] });
    expect(found.about("traffic")[0]?.detail).toBe(
      "Codex 0.200.1 sends its turns where codexlb run points it: a test turn reached a simulated proxy over HTTP",
    );
    expect(found.about("account alice")[0]?.detail).toMatch(/^the access token is valid for \d+ min$/);
    expect(readdirSync(root)).toEqual(before);
    expect(await doctor(root, "--fix")).toMatchObject({ code: 0, wrong: [] });
    expect(existsSync(join(root, "codex-home", "auth.json"))).toBe(true);
  });

  test("compares this machine's clock with the backend's, with and without a running proxy", async () => {
    const dated = (offsetMs: number) =>
      Bun.serve({
        port: 0,
        hostname: "127.0.0.1",
        fetch: () => new Response(null, { headers: { date: new Date(Date.now() + offsetMs).toUTCString() } }),
      });
    await using ahead = dated(-600_000);
    await using right = dated(0);
    const root = await rootWith();
    const about = async ({ port }: { readonly port?: number | undefined }) => {
      const config = readFileSync(join(root, "config.toml"), "utf8");
      const upstream = `upstream_base_url = "http://127.0.0.1:${port}/backend-api"`;
      writeFileSync(join(root, "config.toml"), config.replace(/upstream_base_url = .*/, upstream));
      return (await doctor(root)).about("clock");
    };
    expect(await about(right)).toEqual([]);
    expect(await about(ahead)).toMatchObject([
      { status: "warning", detail: "this machine's clock is 10 min ahead of the backend's" },
    ]);
    await using pool = await startPool({
      accounts: [{ alias: "alice" }],
      upstream: `http://127.0.0.1:${ahead.port}/backend-api`,
    });
    expect((await doctor(pool.layout.root)).about("clock")[0]?.remedy).toContain("timedatectl set-ntp true");
  });

  test("checks nothing else if the root cannot be read", async () => {
    const root = join(temp.path, "loop");
    symlinkSync(root, root);
    const { findings } = await doctor(root);
    expect(findings).toEqual([
      {
        check: "root",
        status: "bad",
        detail: expect.stringMatching(/^reading .*loop: .*; the other checks need it$/),
        remedy: "run this command as the user that owns the root, or name another root with --root",
        fixed: false,
      },
    ]);
  });

  test("reports settings of the home of run that cannot be read, other than ones that are not TOML", async () => {
    const root = await rootWith();
    const home = join(root, "codex-home");
    mkdirSync(join(home, "config.toml"), { recursive: true });
    expect((await doctor(root)).about("runtime settings")[0]).toMatchObject({
      status: "bad",
      detail: `reading ${join(home, "config.toml")}: it is a directory, not a file`,
      remedy: "move it away; codexlb expects a text file there",
    });
  });

  test("fails while no account of a running proxy can serve, and names what helps first", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    const about = async () => (await doctor(pool.layout.root)).about("pool")[0];
    expect(await about()).toMatchObject({ status: "ok", detail: "1 of 1 ready" });
    await pool.accounts.serve("alice", "drain");
    expect(await about()).toMatchObject({
      status: "bad",
      detail: "no account can serve: the only account is draining",
      remedy: expect.stringMatching(/^run: codexlb account enable .*alice$/),
    });
  });

  test("says which commands create a missing root", async () => {
    const root = join(temp.path, "nothing");
    const found = await doctor(root);
    expect(found.about("root")[0]).toMatchObject({ status: "warning", detail: `${root} does not exist yet` });
    expect(found.about("accounts")[0]?.remedy).toContain("codexlb account login ALIAS");
    expect(existsSync(root)).toBe(false);
    mkdirSync(root, { mode: 0o700 });
    await doctor(root);
    expect(readdirSync(root)).toEqual([]);
  });

  const FAULTS: {
    what: string;
    harm: (root: string) => unknown;
    check: string;
    status: "bad" | "warning";
    detail: string;
    fixed?: boolean;
  }[] = [
    {
      what: "files that other users can access",
      harm: (root) => {
        chmodSync(join(root, "accounts", "alice", "auth.json"), 0o644);
        chmodSync(root, 0o755);
      },
      check: "permissions",
      status: "bad",
      detail: "other users can access",
      fixed: true,
    },
    {
      what: "invalid settings",
      harm: (root) => writeFileSync(join(root, "config.toml"), '[policy]\nmode = "x"\n', { mode: 0o600 }),
      check: "config",
      status: "bad",
      detail: 'line 2: policy.mode: "x" is not a policy',
    },
    {
      what: "unknown settings",
      harm: (root) => appendFileSync(join(root, "config.toml"), "[polcy]\n"),
      check: "config",
      status: "warning",
      detail: ": polcy is not a setting and has no effect; did you mean policy?",
    },
    {
      what: "a record of turns that was set aside",
      harm: (root) => writeFileSync(join(root, "usage.db.unusable-20261128T101500Z"), ""),
      check: "usage",
      status: "warning",
      detail: "usage.db.unusable-20261128T101500Z",
    },
    {
      what: "an address that everyone can reach",
      harm: (root) =>
        writeFileSync(join(root, "config.toml"), '[proxy]\nlisten = "0.0.0.0:0"\n', { mode: 0o600 }),
      check: "config",
      status: "bad",
      detail: "would let every machine that reaches it use your accounts",
    },
    {
      what: "clients with access to everything in the accounts",
      harm: (root) => appendFileSync(join(root, "config.toml"), 'allowed_paths = ["*"]\n'),
      check: "paths",
      status: "warning",
      detail: "proxy.allowed_paths lets clients reach everything in your accounts",
    },
    {
      what: "refused paths of today, but not of last week",
      harm: (root) => {
        mkdirSync(join(root, "logs"), { mode: 0o700 });
        const line = (ageMs: number, segment: string) =>
          `${JSON.stringify({ ts: new Date(Date.now() - ageMs).toISOString(), event: "request.refused", fields: { method: "GET", segment } })}\n`;
        const day = 24 * 3_600_000;
        writeFileSync(
          join(root, "logs", "proxy.current.jsonl"),
          `${line(7 * day, "gizmos")}${line(9_000, "memories")}${line(8_000, "me")}${line(7_000, "memories")}not JSON request.refused\n`,
          { mode: 0o600 },
        );
      },
      check: "paths",
      status: "warning",
      detail: "in the last 24 hours clients requested paths that the proxy does not forward: memories, me",
    },
    {
      what: "requests for a page that codexlb does not have",
      harm: (root) => {
        mkdirSync(join(root, "logs"), { mode: 0o700 });
        writeFileSync(
          join(root, "logs", "proxy.current.jsonl"),
          `${JSON.stringify({ ts: new Date().toISOString(), event: "request.refused", fields: { method: "GET", segment: "metrics" } })}\n`,
          { mode: 0o600 },
        );
      },
      check: "paths",
      status: "warning",
      detail: "in the last 24 hours clients requested pages that codexlb does not have: /metrics",
    },
    {
      what: "a refused path whose segment is not logged",
      harm: (root) => {
        mkdirSync(join(root, "logs"), { mode: 0o700 });
        writeFileSync(
          join(root, "logs", "proxy.current.jsonl"),
          `${JSON.stringify({ ts: new Date().toISOString(), event: "request.refused", fields: { method: "GET", segment: OTHER_SEGMENT } })}\n`,
          { mode: 0o600 },
        );
      },
      check: "paths",
      status: "warning",
      detail: "clients requested paths that the proxy does not forward: (other)",
    },
    {
      what: "a damaged store",
      harm: (root) => writeFileSync(join(root, "store.json"), '{"version":1,"acc', { mode: 0o600 }),
      check: "store",
      status: "bad",
      detail: "is damaged",
      fixed: true,
    },
    {
      what: "a store of a newer version",
      harm: (root) => writeFileSync(join(root, "store.json"), '{"version":2}', { mode: 0o600 }),
      check: "store",
      status: "bad",
      detail: "was written by a newer codexlb (version 2)",
    },
    {
      what: "leftovers of a killed process",
      harm: (root) => writeFileSync(join(root, "store.json.tmp.4194400.1"), "x", { mode: 0o600 }),
      check: "leftovers",
      status: "warning",
      detail: "store.json.tmp.4194400.1",
      fixed: true,
    },
    {
      what: "an interrupted login",
      harm: (root) => {
        const home = join(root, "logins", "x");
        mkdirSync(home, { recursive: true, mode: 0o700 });
        writeFileSync(join(home, ".codexlb.lock"), "", { mode: 0o600 });
      },
      check: "leftovers",
      status: "warning",
      detail: "homes left by interrupted logins",
      fixed: true,
    },
    {
      what: "the home of a client key that no run has used for a month, which it keeps",
      harm: (root) => {
        const [old, recent] = ["0123456789ab", "ba9876543210"].map((hash) =>
          join(root, `codex-home-key-${hash}`, "auth.json"),
        ) as [string, string];
        for (const stub of [old, recent]) {
          mkdirSync(dirname(stub), { mode: 0o700 });
          writeFileSync(stub, "{}", { mode: 0o600 });
        }
        utimesSync(old, new Date(), new Date(Date.now() - 31 * 86_400_000));
      },
      check: "homes",
      status: "warning",
      detail: "codex-home-key-0123456789ab belongs to a client key and was last used 31 days ago",
    },
    {
      what: "a login without an account, which it keeps",
      harm: (root) => {
        const home = join(root, "logins", "x");
        mkdirSync(home, { recursive: true, mode: 0o700 });
        writeFileSync(join(home, ".codexlb.lock"), "", { mode: 0o600 });
        writeFileSync(join(home, "auth.json"), mock.authFile("alice"), { mode: 0o600 });
      },
      check: "leftovers",
      status: "warning",
      detail: "logins without an account",
    },
    {
      what: "an unreadable login",
      harm: (root) => writeFileSync(join(root, "accounts", "alice", "auth.json"), "{", { mode: 0o600 }),
      check: "account alice",
      status: "bad",
      detail: "it is not JSON",
    },
    {
      what: "an account without a refresh token",
      harm: (root) => {
        const auth = JSON.parse(mock.authFile("alice"));
        delete auth.tokens.refresh_token;
        writeFileSync(join(root, "accounts", "alice", "auth.json"), JSON.stringify(auth), { mode: 0o600 });
      },
      check: "account alice",
      status: "warning",
      detail: "there is no refresh token",
    },
    {
      what: "an account that the operator disabled",
      harm: (root) =>
        runCli(["account", "disable", "alice"], { cwd: temp.path, env: { CODEXLB_ROOT: root } }),
      check: "account alice",
      status: "warning",
      detail: "disabled by you",
    },
    {
      what: "the same account under two names",
      harm: (root) =>
        writeFileSync(join(root, "accounts", "bob", "auth.json"), mock.authFile("alice"), { mode: 0o600 }),
      check: "accounts",
      status: "warning",
      detail: "alice and bob are the same ChatGPT account",
    },
    {
      what: "an unreachable backend",
      harm: (root) =>
        writeFileSync(
          join(root, "config.toml"),
          '[proxy]\nupstream_base_url = "http://127.0.0.1:1/backend-api"\n',
          {
            mode: 0o600,
          },
        ),
      check: "backend",
      status: "bad",
      detail: "http://127.0.0.1:1/backend-api cannot be reached",
    },
  ];
  for (const { what, harm, check, status, detail, fixed = false } of FAULTS)
    test(`finds ${what}${fixed ? ", and fixes it" : ""}`, async () => {
      const root = await rootWith();
      await harm(root);
      const found = await doctor(root);
      const [finding] = found.about(check).filter((one) => one.detail.includes(detail));
      expect(finding).toMatchObject({ status });
      expect(finding?.remedy ?? "none is needed").not.toBe("");
      expect(found.code).toBe(status === "bad" ? 1 : 0);
      if (!fixed) return;
      expect((await doctor(root, "--fix")).about(check).some((one) => one.fixed)).toBe(true);
      const after = await doctor(root);
      expect(after.code).toBe(0);
      expect(after.findings.filter((one) => one.check === check && one.status !== "ok")).toEqual([]);
    });

  test("checks the backend of CODEXLB_UPSTREAM while no proxy runs, and reports an invalid one", async () => {
    const root = join(temp.path, "missing");
    const found = await doctorIn(root, { CODEXLB_UPSTREAM: mock.baseUrl });
    expect(found.about("backend")[0]?.detail).toStartWith(`${mock.baseUrl} is reachable`);
    const invalid = await doctorIn(root, { CODEXLB_UPSTREAM: "nowhere" });
    expect(invalid.about("backend")[0]).toMatchObject({ status: "bad" });
    expect(invalid.about("backend")[0]?.detail).toStartWith("CODEXLB_UPSTREAM: ");
  });

  test("fixes nothing that a running proxy owns", async () => {
    const root = await rootWith();
    writeFileSync(join(root, "store.json"), "{", { mode: 0o600 });
    const lock = tryLock(join(root, "proxy.lock"));
    const found = await doctor(root, "--fix");
    lock?.release();
    expect(found.about("store")[0]).toMatchObject({ fixed: false });
    expect(found.about("store")[0]?.detail).toContain("the fix failed: a proxy runs on this root");
    expect(found.about("store")[0]?.remedy).toStartWith("remove the cause, then run: codexlb doctor --fix");
    expect(found.about("proxy")[0]).toMatchObject({ status: "bad" });
    expect(statSync(join(root, "store.json")).size).toBe(1);
  });

  test("reports a missing codex, and a program that is not Codex", async () => {
    const root = await rootWith();
    const missing = await doctor(root, "--codex-bin", "/nowhere/codex");
    expect(missing.about("codex")[0]).toMatchObject({
      status: "bad",
      detail: "program not found: /nowhere/codex",
    });
    const other = await doctor(root, "--codex-bin", "/bin/true");
    expect(other.about("codex")[0]).toMatchObject({ status: "bad" });
    expect(other.about("codex")[0]?.detail).toStartWith("/bin/true --version prints ");
  });

  test("reports another program on the port", async () => {
    const root = await rootWith();
    await using other = await startPool({ accounts: [] });
    const text = await Bun.file(join(root, "config.toml")).text();
    writeFileSync(
      join(root, "config.toml"),
      text.replace(/listen = .*/, `listen = "${new URL(other.url).host}"`),
    );
    expect((await doctor(root)).about("port")[0]).toMatchObject({
      status: "warning",
      detail: `another program listens on ${new URL(other.url).host}`,
    });
  });

  test("checks the running proxy, and says as text what to do", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    const found = await doctor(pool.layout.root);
    expect(found.code).toBe(0);
    expect(found.about("proxy")[0]?.detail).toContain(`on ${pool.url}, process ${process.pid}`);
    expect(found.about("backend")[0]?.detail).toContain(pool.mock.baseUrl);
    writeFileSync(join(pool.layout.accounts, "alice", "auth.json"), "{");
    const text = await runCli(["doctor"], {
      cwd: temp.path,
      env: { CODEXLB_ROOT: pool.layout.root, CODEXLB_CODEX_BIN: codex },
    });
    expect(text.code).toBe(1);
    expect(text.out).toContain("account alice: bad (reading ");
    expect(text.out).toContain("\n    run: codexlb account login alice\n");
    expect(text.out).toContain(
      "traffic: ok (Codex 0.200.1 sends its turns where codexlb run points it: a test turn reached a simulated proxy over HTTP)\n",
    );
    expect(text.err).toContain("1 of ");
  });

  test("reports that no account is in service, even if each account is fine", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    await pool.accounts.serve("alice", "disable");
    const ran = await runCli(["doctor", "--root", pool.layout.root, "--codex-bin", "/nowhere/codex"], {
      cwd: pool.layout.root,
    });
    expect(ran.out).toContain("accounts: bad (no account is in service, so the proxy refuses every turn)\n");
  });

  test("reports whether another proxy accepts this client", async () => {
    await using pool = await startPool({
      accounts: [{ alias: "alice" }],
      config: "[proxy]\nclient_auth = true\n",
    });
    const key = await remoteKeys(socketDoor(pool.layout.adminSocket)).add("here", "client");
    const root = join(temp.path, "client");
    const examined = (env: Record<string, string>) =>
      runCli(["doctor", "--root", root, "--proxy-url", pool.url, "--codex-bin", codex], {
        cwd: temp.path,
        env,
      });
    const refused = `access: bad (the proxy requires a client key, and no valid one is set here)\n`;
    for (const env of [{}, { CODEXLB_CLIENT_KEY: "wrong" }]) {
      const ran = await examined(env);
      expect(ran.out).toContain(refused);
      expect(ran.code).toBe(1);
    }
    const ran = await examined({ CODEXLB_CLIENT_KEY: key });
    expect(ran.out).toContain("access: ok (the proxy accepts codexlb run from this machine)\n");
    expect(ran.out).toContain(`accounts: ok (no accounts on this root; Codex uses those of ${pool.url})\n`);
    expect(ran.code).toBe(0);
    expect(existsSync(root)).toBe(false);
  });

  test("a client of another proxy needs no root", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    const HOME = join(temp.path, "new-client");
    const examined = (...flags: string[]) =>
      runCli(["doctor", "--proxy-url", pool.url, "--codex-bin", codex, ...flags], {
        cwd: temp.path,
        env: { HOME },
      });
    expect((await examined()).out).toStartWith(
      `root: ok (${HOME}/.codex-lb does not exist yet; codexlb run creates it)\n`,
    );
    expect((await examined("--root", join(HOME, "nope"))).out).toStartWith(
      `root: warning (${HOME}/nope does not exist yet)\n    check --root and CODEXLB_ROOT (default: ~/.codex-lb)\n`,
    );
  });

  test("does not change a home with its own login", async () => {
    const root = await rootWith();
    const home = join(temp.path, "own");
    mkdirSync(home);
    writeFileSync(join(home, "auth.json"), mock.authFile("alice"));
    const before = readFileSync(join(home, "auth.json"), "utf8");
    const found = await doctor(root, "--fix", "--codex-home", home);
    expect(found.about("runtime auth")[0]).toMatchObject({ status: "bad", fixed: false });
    expect(found.about("runtime auth")[0]?.detail).toContain(
      "contains a login that codexlb run would overwrite",
    );
    expect(readFileSync(join(home, "auth.json"), "utf8")).toBe(before);
  });

  test("reports invalid settings in the home of run", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    mkdirSync(pool.layout.runtime, { recursive: true });
    writeFileSync(join(pool.layout.runtime, "config.toml"), "x = [");
    const ran = await runCli(["doctor", "--root", pool.layout.root, "--codex-bin", "/nowhere/codex"], {
      cwd: pool.layout.root,
    });
    expect(ran.out).toContain("runtime settings: bad (");
    expect(ran.out).toContain("codexlb run creates it again");
  });
});
