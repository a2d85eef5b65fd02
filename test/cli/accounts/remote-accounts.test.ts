// Account commands that another proxy carries out, and the choice of that proxy.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { remoteKeys } from "../../../src/admin/client.ts";
import { socketDoor } from "../../../src/admin/door.ts";
import { systemDeps } from "../../../src/deps.ts";
import { type MockBackend, startMock } from "../../../src/mock/backend.ts";
import { runCli } from "../../support/cli.ts";
import { fakeCodex } from "../../support/fake-codex.ts";
import { startPool, type TestPool } from "../../support/pool.ts";
import { type TempDirectory, tempDirectory } from "../../support/temp.ts";
import { startUpstream } from "../../support/upstream.ts";

let temp: TempDirectory;
let mock: MockBackend;

beforeAll(() => {
  temp = tempDirectory();
  mock = startMock({ accounts: [{ alias: "carol" }, { alias: "dave" }], clock: systemDeps().clock });
  for (const alias of ["carol", "dave"]) {
    mkdirSync(join(temp.path, alias));
    writeFileSync(join(temp.path, alias, "auth.json"), mock.authFile(alias));
  }
});
afterAll(async () => {
  await mock.stop();
  temp[Symbol.dispose]();
});

let roots = 0;
/** A root for the command that is independent of the proxy's root. */
function ownRoot(config = ""): string {
  const root = join(temp.path, `own-${++roots}`);
  mkdirSync(root, { mode: 0o700 });
  if (config !== "") writeFileSync(join(root, "config.toml"), config);
  return root;
}

const run = (args: readonly string[], env: Record<string, string> = {}) =>
  runCli(args, { cwd: temp.path, env });
const aliases = async (pool: TestPool) => (await pool.accounts.list()).map(({ alias }) => alias);

const LONG_AGO = '"last_refresh": "2020-01-01T00:00:00Z"';

describe("a proxy that --proxy-url names", () => {
  test("is used for every account command, with its admin token", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
    const env = {
      CODEXLB_ROOT: ownRoot(),
      CODEXLB_ADMIN_TOKEN: pool.adminToken,
      CODEXLB_PROXY_URL: pool.url,
    };
    expect((await run(["account", "list"], env)).out).toContain(
      "alice\topenai:alice\talice@example.com\tready\n",
    );
    expect((await run(["account", "pin", "bob"], env)).out).toBe("pinned account bob\n");
    expect((await pool.status()).state.pinned_account_id).toBe("openai:bob");
    expect((await run(["account", "drain", "bob"], env)).err).toContain(
      "bob is pinned, so it still gets all turns",
    );
    expect((await run(["account", "unpin"], env)).out).toBe("unpinned account selection\n");
    expect((await run(["account", "drain", "openai:bob"], env)).out).toBe("draining account bob\n");
    expect((await run(["account", "import", "--into", "proxy", "--from", "carol"], env)).out).toBe(
      "imported account carol (total=3)\n",
    );
    expect((await run(["account", "rm", "alice"], env)).out).toBe("removed account alice\n");
    expect(await aliases(pool)).toEqual(["bob", "carol"]);
    // The command's own root is unchanged.
    expect(readdirSync(env.CODEXLB_ROOT)).toEqual([]);
  });

  test("advises commands that it carries out, and not those of its own machine", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    const root = ownRoot();
    const flags = ["--root", root, "--proxy-url", pool.url];
    const at = `--root ${root} --proxy-url ${pool.url}`;
    const nextOf = async (...args: readonly string[]) =>
      (await run([...args, ...flags], { CODEXLB_ADMIN_TOKEN: pool.adminToken })).err.split("\n")[1]?.trim();

    const older = join(temp.path, "older");
    const replaced = pool.mock.authFile("alice").replace(/"last_refresh": "[^"]*"/, LONG_AGO);
    mkdirSync(older);
    writeFileSync(join(older, "auth.json"), replaced);
    const importing = ["account", "import", "--into", "proxy", "--from", older, "alice"];
    expect(await nextOf(...importing)).toBe(
      `log in again with: codexlb account login ${at} ALIAS; or add --replace to import the older login`,
    );

    writeFileSync(join(older, "auth.json"), JSON.stringify(pool.daemon.name));
    expect(await nextOf(...importing)).toStartWith(`log in with: codexlb account login ${at} ALIAS, or run`);

    expect(await nextOf("account", "show", "alise")).toBe("did you mean alice?");
    expect(await nextOf("account", "show", "zed")).toBe("known accounts: alice");
    await pool.accounts.remove("alice");
    expect(await nextOf("account", "show", "alice")).toBe(
      `run: codexlb account login ${at} ALIAS, or: codexlb account import ${at} --into proxy`,
    );
  });

  test("is not used by --into local, the default of import", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    const env = {
      CODEXLB_ROOT: ownRoot(),
      CODEXLB_ADMIN_TOKEN: pool.adminToken,
      CODEXLB_PROXY_URL: pool.url,
    };
    expect((await run(["account", "import", "--from", "carol"], env)).out).toBe(
      "imported account carol (total=1)\n",
    );
    expect(await aliases(pool)).toEqual(["alice"]);
  });

  test("prefers the token of the flag to that of the environment, and says what to do without one", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    const env = { CODEXLB_ROOT: ownRoot(), CODEXLB_ADMIN_TOKEN: "wrong" };
    const args = ["account", "list", "--proxy-url", pool.url];
    const refused = await run(args, env);
    expect(refused.code).toBe(1);
    expect(refused.err).toContain(
      `codexlb: the server at ${pool.url} does not know this token or key, so the secret was not sent\n  check the address`,
    );
    expect((await run(args, { CODEXLB_ROOT: env.CODEXLB_ROOT })).err).toStartWith(
      "codexlb: the admin API requires the admin token\n",
    );
    expect((await run([...args, "--admin-token", pool.adminToken], env)).code).toBe(0);
  });

  test("on this machine accepts the token of the root", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    const env = { CODEXLB_ROOT: pool.layout.root, CODEXLB_PROXY_URL: pool.url };
    expect((await run(["account", "list"], env)).code).toBe(0);
  });

  test("that is missing or not a proxy is an error, and the command does nothing", async () => {
    const env = { CODEXLB_ROOT: ownRoot(), CODEXLB_ADMIN_TOKEN: "t".repeat(43) };
    const absent = await run(
      ["account", "import", "--into", "proxy", "--proxy-url", "http://127.0.0.1:1", "--from", "carol"],
      env,
    );
    expect(absent.code).toBe(1);
    expect(absent.err).toContain("contacting the proxy at http://127.0.0.1:1: connection refused");
    await using page = startUpstream(() => new Response("<html>hello</html>", { status: 404 }));
    const html = await run(["account", "list", "--proxy-url", new URL(page.baseUrl).origin], env);
    expect(html.err).toContain("is not a codexlb proxy\n  check the proxy's address");
    expect(readdirSync(env.CODEXLB_ROOT)).toEqual([]);
  });

  test("forwards a command to the only proxy of the chain that has the account", async () => {
    const targets: (string | null)[] = [];
    await using front = startUpstream(async (request) => {
      if (new URL(request.url).pathname === "/status")
        return Response.json({
          proxy_name: "front",
          accounts: ["edge-a", "edge-a", "front"].map((proxy_name, index) => ({
            proxy_name,
            alias: ["alice", "alice", "bob"][index],
            id: "x",
            active: false,
            pinned: false,
            healthy: true,
            enabled: true,
            cooldown_seconds: 0,
            daily_left_pct: 1,
            weekly_left_pct: 1,
            daily_reset_at: 0,
            weekly_reset_at: 0,
            score: 1,
          })),
        });
      if (request.method === "POST") targets.push(request.headers.get("x-codexlb-target-proxy-name"));
      return Response.json({ ok: true, message: "done", total: 1 });
    });
    const env = { CODEXLB_ROOT: ownRoot(), CODEXLB_PROXY_URL: new URL(front.baseUrl).origin };
    await run(["account", "pin", "alice"], env);
    await run(["account", "pin", "dave"], env);
    await run(["account", "rm", "--proxy-name", "edge-b", "alice"], env);
    await run(["account", "unpin"], env);
    expect(targets).toEqual(["edge-a", null, "edge-b", null]);
  });

  test("is refused if its name is not the requested one", async () => {
    await using pool = await startPool({
      accounts: [{ alias: "alice" }],
      config: '[proxy]\nname = "Edge"\n',
    });
    const env = { CODEXLB_ROOT: pool.layout.root };
    expect((await run(["account", "pin", "--proxy-name", "edge", "alice"], env)).code).toBe(0);
    const other = await run(["account", "pin", "--proxy-name", "other", "alice"], env);
    expect(other).toMatchObject({
      code: 1,
      err: "codexlb: target proxy not found: other\n  known proxies: Edge\n",
    });
  });
});

describe("a proxy that the settings name", () => {
  test("is used while it answers, otherwise the own root", async () => {
    const pool = await startPool({ accounts: [{ alias: "alice" }] });
    const env = {
      CODEXLB_ROOT: ownRoot(`[proxy]\nname = "own"\nproxy_url = "${pool.url}"\n`),
      CODEXLB_ADMIN_TOKEN: pool.adminToken,
    };
    expect((await run(["account", "list"], env)).out).toStartWith("alice\t");
    await pool[Symbol.asyncDispose]();
    expect(await run(["account", "list"], env)).toEqual({
      code: 0,
      out: "no accounts\n",
      err: "codexlb: add one with: codexlb account login ALIAS\n",
    });
  });

  test("that rejects the token is replaced by the own root, with a warning", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    const env = { CODEXLB_ROOT: ownRoot(`[proxy]\nproxy_url = "${pool.url}"\n`) };
    const ran = await run(["account", "list"], env);
    expect(ran).toMatchObject({ code: 0, out: "no accounts\n" });
    expect(ran.err).toContain(
      `rejected the admin token of ${env.CODEXLB_ROOT}; working on that directory instead`,
    );
  });

  test("is tried at the address in the settings if no root is named and a token exists", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    const home = join(temp.path, `home-${++roots}`);
    const root = join(home, ".codex-lb");
    mkdirSync(root, { recursive: true });
    writeFileSync(join(root, "config.toml"), `[proxy]\nname = "own"\nlisten = "${new URL(pool.url).host}"\n`);
    const list = async () => (await run(["account", "list"], { HOME: home })).out;
    expect(await list()).toBe("no accounts\n");
    // As if ROOT is shared with a container, whose socket is unreachable from outside.
    writeFileSync(join(root, "admin.token"), pool.adminToken);
    expect(await list()).toStartWith("alice\t");
    expect((await run(["account", "list"], { HOME: home, CODEXLB_ROOT: root })).out).toBe("no accounts\n");
  });

  test("returns an error, which the command reports", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    const env = {
      CODEXLB_ROOT: ownRoot(`[proxy]\nproxy_url = "${pool.url}"\n`),
      CODEXLB_ADMIN_TOKEN: pool.adminToken,
    };
    const ran = await run(["account", "pin", "dave"], env);
    expect(ran).toMatchObject({
      code: 1,
      err: "codexlb: account not found: dave\n  known accounts: alice\n",
    });
  });
});

describe("login", () => {
  const LATER = '"last_refresh": "2100-01-01T00:00:00Z"';
  function codexFor(alias: string, how: { exitCode?: number } = {}) {
    const directory = join(temp.path, `bin-${++roots}`);
    mkdirSync(directory);
    const auth = mock.authFile(alias).replace(/"last_refresh": "[^"]*"/, LATER);
    return fakeCodex(directory, { auth, ...how });
  }

  test("runs codex on the terminal in a fresh home, and enrols the resulting login", async () => {
    const codex = codexFor("carol");
    const root = ownRoot('[commands]\nlogin = ["login", "--flow"]\n');
    const env = { CODEXLB_ROOT: root, CODEXLB_CODEX_BIN: codex.path };
    const ran = await run(["account", "login", "work", "--", "--with", "-x"], env);
    expect(ran.code).toBe(0);
    expect(ran.out).toBe(
      "open https://auth.example/codex/device and enter ABCD-1234\nregistered account work (total=1)\n",
    );
    expect(ran.err).toBe(
      "codexlb: if this machine has no browser, press Ctrl-C and run: codexlb account login work --device-auth\na warning\n",
    );
    expect(codex.starts()[0]?.args).toEqual(["login", "--flow", "--with", "-x"]);
    expect(codex.starts()[0]?.home).toStartWith(join(root, "logins"));
    expect(readdirSync(join(root, "logins"))).toEqual([]);
    expect(readdirSync(join(root, "accounts", "work"))).toEqual(["auth.json"]);
  });

  test("refuses a login that another alias has, and keeps it for the command that the error names", async () => {
    const codex = codexFor("carol");
    const root = ownRoot();
    const env = { CODEXLB_ROOT: root, CODEXLB_CODEX_BIN: codex.path };
    await run(["account", "login", "work"], env);
    const again = await run(["account", "login", "again"], env);
    expect(again.code).toBe(1);
    expect(again.err).toContain("codexlb: this login is already enrolled, as work\n");
    expect(readdirSync(join(root, "accounts"))).toEqual(["work"]);
    const home = /account import --from (\S+);/.exec(again.err)?.[1] ?? "";
    expect((await run(["account", "import", "--from", home], env)).out).toBe(
      "updated account work (total=1)\n",
    );
    const forced = await run(["account", "login", "--replace", "again"], env);
    expect(forced.code).toBe(0);
    expect(forced.err).toContain("work and again are the same ChatGPT account");
  });

  for (const signal of ["SIGTERM", "SIGINT"] as const)
    test(`leaves nothing behind after ${signal}`, async () => {
      const directory = join(temp.path, `bin-${++roots}`);
      mkdirSync(directory);
      const codex = fakeCodex(directory, { wait: true });
      const root = ownRoot();
      const child = Bun.spawn(
        [
          process.execPath,
          join(import.meta.dir, "..", "..", "..", "src", "main.ts"),
          "account",
          "login",
          "work",
        ],
        {
          env: {
            PATH: process.env.PATH ?? "",
            HOME: temp.path,
            CODEXLB_ROOT: root,
            CODEXLB_CODEX_BIN: codex.path,
          },
          stdin: "ignore",
          stdout: "pipe",
          stderr: "pipe",
        },
      );
      const reader = child.stdout.getReader();
      expect(new TextDecoder().decode((await reader.read()).value)).toContain("ABCD-1234");
      child.kill(signal);
      expect(await child.exited).toBe(128 + constants.signals[signal]);
      expect(await child.stderr.text()).toEndWith(
        "codexlb: the login was cancelled; nothing was changed\n  run the command again to log in\n",
      );
      expect(readdirSync(join(root, "logins"))).toEqual([]);
    });

  test("reports a failure, and changes nothing", async () => {
    const root = ownRoot();
    await run(["account", "import", "--from", "carol", "work"], { CODEXLB_ROOT: root });
    const codex = codexFor("carol", { exitCode: 9 });
    const before = await Bun.file(join(root, "accounts", "work", "auth.json")).text();
    const ran = await run(["account", "login", "--codex-bin", codex.path, "work"], { CODEXLB_ROOT: root });
    expect(ran.code).toBe(1);
    expect(ran.err).toEndWith(
      "codexlb: codex login exited with code 9; nothing was changed\n  try again; if codex could not connect, check the network with: codexlb doctor\n",
    );
    expect(await Bun.file(join(root, "accounts", "work", "auth.json")).text()).toBe(before);
  });

  test("takes effect in the running proxy immediately", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    const codex = codexFor("carol");
    const env = { CODEXLB_ROOT: pool.layout.root, CODEXLB_CODEX_BIN: codex.path };
    expect((await run(["account", "login", "carol"], env)).out).toEndWith(
      "registered account carol (total=2)\n",
    );
    expect(await aliases(pool)).toEqual(["alice", "carol"]);
  });

  test("on another machine shows the output of codex there", async () => {
    const there = codexFor("carol");
    await using pool = await startPool({
      accounts: [{ alias: "alice" }],
      env: () => ({ CODEXLB_CODEX_BIN: there.path }),
    });
    const env = {
      CODEXLB_ROOT: ownRoot(),
      CODEXLB_PROXY_URL: pool.url,
      CODEXLB_ADMIN_TOKEN: pool.adminToken,
      CODEXLB_CODEX_BIN: "/nowhere/codex",
    };
    const ran = await run(["account", "login", "carol"], env);
    expect(ran.out).toContain("ABCD-1234\n");
    expect(ran.out).toEndWith("registered account carol (total=2)\n");
    expect(existsSync(join(env.CODEXLB_ROOT, "logins"))).toBe(false);
  });

  test("happens on this machine if the other one has no codex", async () => {
    const here = codexFor("carol");
    await using pool = await startPool({
      accounts: [{ alias: "alice" }],
      env: () => ({ CODEXLB_CODEX_BIN: "/nowhere/codex" }),
    });
    const env = {
      CODEXLB_ROOT: ownRoot(),
      CODEXLB_PROXY_URL: pool.url,
      CODEXLB_ADMIN_TOKEN: pool.adminToken,
      CODEXLB_CODEX_BIN: here.path,
    };
    const ran = await run(["account", "login", "carol"], env);
    expect(ran.out).toStartWith("remote codex unavailable; logging in locally and importing auth\n");
    expect(ran.out).toEndWith("imported account carol (total=2)\n");
    expect(here.starts()[0]?.args).toEqual(["login", "--device-auth"]);
    expect(await aliases(pool)).toEqual(["alice", "carol"]);
  });

  test("understands the plain text of the Go program, and its success message", async () => {
    for (const [text, code] of [
      ["open the page\nregistered account carol (total=2)\n", 0],
      ["open the page\nerror: denied\n", 1],
    ] as const) {
      await using go = startUpstream(
        () => new Response(text, { headers: { "content-type": "text/plain; charset=utf-8" } }),
      );
      const env = { CODEXLB_ROOT: ownRoot(), CODEXLB_PROXY_URL: new URL(go.baseUrl).origin };
      const ran = await run(["account", "login", "carol"], env);
      expect(ran.code).toBe(code);
      expect(ran.out).toBe(text);
    }
  });
});

describe("codexlb run on another machine", () => {
  test("gets credentials for its key, and without a key none that the proxy accepts", async () => {
    await using pool = await startPool({
      accounts: [{ alias: "alice" }],
      config: "[proxy]\nclient_auth = true\n",
    });
    const key = await remoteKeys(socketDoor(pool.layout.adminSocket)).add("laptop", "client");
    const codex = join(temp.path, `codex-${++roots}`);
    writeFileSync(
      codex,
      `#!/bin/sh\necho "$CODEXLB_CLIENT_KEY"\necho "$*"\ngrep chatgpt_base_url "$CODEX_HOME/config.toml"\ncat "$CODEX_HOME/auth.json"\n`,
      {
        mode: 0o755,
      },
    );
    const args = ["run", "--proxy-url", pool.url, "--codex-bin", codex];
    const tryWith = async (env: Record<string, string>) => {
      const { out, err } = await run(args, { CODEXLB_ROOT: ownRoot(), ...env });
      const [own, words, base, ...auth] = out.split("\n");
      // All users of the machine can see arguments, but only this user can read the file.
      expect(words).not.toContain("chatgpt_base_url");
      expect(base).toMatch(/^chatgpt_base_url = "http:\/\/localhost:\d+\/~path-[\w-]+\/backend-api\/"$/);
      const { tokens } = JSON.parse(auth.join("\n")) as { tokens: { access_token: string } };
      const answer = await fetch(`${pool.url}/backend-api/wham/usage`, {
        headers: { authorization: `Bearer ${tokens.access_token}` },
      });
      await answer.text();
      // Codex does not get the client key.
      expect(own).toBe("");
      return { status: answer.status, err };
    };
    const { status, err } = await tryWith({ CODEXLB_CLIENT_KEY: key });
    expect(status).toBe(200);
    expect(err).toMatch(/^codexlb: the proxy at \S+ received no request from this run: [^\n]+\n$/);
    // Without a key, Codex does not start, because it would ask the user to log in again.
    for (const [env, why] of [
      [{}, ""],
      [{ CODEXLB_CLIENT_KEY: `${key}x` }, "CODEXLB_CLIENT_KEY cannot be used: it is not a key of this proxy"],
    ] as [Record<string, string>, string][]) {
      const ran = await run(args, { CODEXLB_ROOT: ownRoot(), ...env });
      expect(ran).toMatchObject({ code: 1, out: "" });
      expect(ran.err).toContain(why);
      expect(ran.err).toContain(`the proxy at ${pool.url} requires a key`);
    }
  });

  test("fails immediately if there is no proxy", async () => {
    const codex = join(temp.path, `codex-${++roots}`);
    writeFileSync(codex, "#!/bin/sh\nexit 3\n", { mode: 0o755 });
    const ran = await run(["run", "--proxy-url", "http://127.0.0.1:1", "--codex-bin", codex], {
      CODEXLB_ROOT: ownRoot(),
    });
    expect(ran).toEqual({
      code: 1,
      out: "",
      err: "codexlb: contacting the proxy at http://127.0.0.1:1: connection refused\n  start it with: codexlb proxy start --listen 127.0.0.1:1\n",
    });
  });
});

describe("status", () => {
  test("finds the proxy of the root at any address", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    const env = { CODEXLB_ROOT: pool.layout.root };
    expect((await run(["status"], env)).out).toContain("alice@example.com");
    expect((await run(["run", "--command"], env)).out).toContain(`OPENAI_BASE_URL=${pool.url} `);
  });

  test("works with a proxy that requires keys: with an admin token, and with a parent's key", async () => {
    await using pool = await startPool({
      accounts: [{ alias: "alice" }],
      config: "[proxy]\nclient_auth = true\n",
    });
    const keys = remoteKeys(socketDoor(pool.layout.adminSocket));
    const [client, parent] = [await keys.add("c", "client"), await keys.add("p", "parent")];
    expect((await run(["status"], { CODEXLB_ROOT: pool.layout.root })).code).toBe(0);
    const other = (env: Record<string, string>, ...args: string[]) =>
      run(["status", "--proxy-url", pool.url, ...args], { CODEXLB_ROOT: ownRoot(), ...env });
    expect((await other({ CODEXLB_ADMIN_TOKEN: pool.adminToken })).code).toBe(0);
    expect((await other({}, "--admin-token", pool.adminToken)).code).toBe(0);
    expect((await other({ CODEXLB_CLIENT_KEY: parent })).code).toBe(0);
    const refused = await fetch(`${pool.url}/status`, { headers: { authorization: `Bearer ${client}` } });
    expect([refused.status, await refused.json()]).toMatchObject([
      401,
      { error: { code: "key_role_refused" } },
    ]);
    expect((await other({ CODEXLB_CLIENT_KEY: client })).err).toContain(
      "this key may send requests but cannot read account status",
    );
    const unknown = (await other({})).err;
    expect(unknown).toContain("codexlb: this proxy requires a key");
    expect(unknown).toContain(
      "use the admin token (CODEXLB_ADMIN_TOKEN), or a key with the parent role, created on the proxy's machine with: codexlb key add ",
    );
  });
});

describe("while the settings of a running proxy are broken on disk", () => {
  test("commands use those of the proxy, with a warning", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    writeFileSync(pool.layout.config, "junk [");
    const env = { CODEXLB_ROOT: pool.layout.root };
    for (const args of [
      ["status"],
      ["account", "list"],
      ["account", "pin", "alice"],
      ["proxy", "logs"],
      ["run", "--command"],
    ]) {
      const ran = await run(args, env);
      expect([args, ran.code]).toEqual([args, 0]);
      expect(ran.err).toContain("not valid TOML: line 1");
      expect(ran.err).toContain("using the settings of the running proxy");
    }
  });
});

describe("the event log", () => {
  test("has an event for every change of an account", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    await pool.accounts.pin("alice");
    await pool.accounts.unpin();
    for (const service of ["drain", "disable", "enable"] as const)
      await pool.accounts.serve("alice", service);
    await pool.accounts.import("bob", { auth: mock.authFile("carol"), config: undefined, replace: false });
    await pool.accounts.remove("bob");
    const events = (await pool.stopAndReadEvents()).filter(({ event }) => event.startsWith("account."));
    expect(events.map(({ event, fields }) => [event, fields?.account_id])).toEqual([
      ["account.pinned", "openai:alice"],
      ["account.unpinned", undefined],
      ["account.draining", "openai:alice"],
      ["account.disabled", "openai:alice"],
      ["account.enabled", "openai:alice"],
      ["account.imported", "openai:bob"],
      ["account.removed", "openai:bob"],
    ]);
  });

  test("is read from the running proxy, from another proxy, and from the files if none is running", async () => {
    const pool = await startPool({ accounts: [{ alias: "alice" }] });
    const own = { CODEXLB_ROOT: pool.layout.root };
    const events = (out: string) =>
      out
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).event as string);
    expect(events((await run(["proxy", "logs"], own)).out).slice(0, 2)).toEqual([
      "proxy.started",
      "config.reload_watcher_started",
    ]);
    const other = { CODEXLB_ROOT: ownRoot(), CODEXLB_ADMIN_TOKEN: pool.adminToken };
    const args = ["proxy", "logs", "--proxy-url", pool.url, "--offset", "0", "--limit", "1"];
    expect(events((await run(args, other)).out)).toEqual(["proxy.started"]);
    expect(
      (await run(["proxy", "logs", "--proxy-url", pool.url], { CODEXLB_ROOT: ownRoot() })).err,
    ).toContain("requires the admin token");
    await pool.daemon.stop("test");
    expect(events((await run(["proxy", "logs", "--tail", "1"], own)).out)).toEqual(["proxy.stopping"]);
    await pool[Symbol.asyncDispose]();
  });

  test("is printed completely, at any length", async () => {
    const root = ownRoot();
    mkdirSync(join(root, "logs"));
    const line = `${JSON.stringify({ event: "test", filler: "x".repeat(150) })}\n`;
    writeFileSync(join(root, "logs", "proxy.current.jsonl"), line.repeat(15_000));
    const { out } = await run(["proxy", "logs", "--tail", "12000"], { CODEXLB_ROOT: root });
    expect(out.length).toBe(line.length * 12_000);
  });

  test("is followed without feeding itself", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    const main = join(import.meta.dir, "..", "..", "..", "src", "main.ts");
    const child = Bun.spawn(
      [process.execPath, main, "proxy", "logs", "--follow", "--interval", "10ms", "--tail", "1"],
      {
        env: { PATH: process.env.PATH ?? "", HOME: temp.path, CODEXLB_ROOT: pool.layout.root },
        stdin: "ignore",
        stdout: "pipe",
        stderr: "inherit",
      },
    );
    let seen = "";
    const begun = Promise.withResolvers<void>();
    const marked = Promise.withResolvers<void>();
    const reading = (async () => {
      for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
        seen += chunk;
        begun.resolve();
        if (seen.includes('"GET"')) marked.resolve();
      }
    })();
    // Many log requests, a request of a client, and many more log requests.
    const looks = async () => {
      for (let count = 0; count < 30; count++)
        await fetch(`${pool.url}/logs?tail=1`, { headers: { authorization: `Bearer ${pool.adminToken}` } });
    };
    await begun.promise;
    await looks();
    await (await fetch(`${pool.url}/v1/models`)).arrayBuffer();
    await marked.promise;
    await looks();
    child.kill("SIGTERM");
    await child.exited;
    await reading;
    const events = seen
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).event as string);
    expect(events.filter((event) => event === "request.received").length).toBe(1);
    expect(events.length).toBeLessThan(10);
  });
});

test("a server that answers in JSON is not mistaken for a proxy", async () => {
  const stranger = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => Response.json({}) });
  const url = `http://127.0.0.1:${stranger.port}`;
  const env = { CODEXLB_ROOT: ownRoot(), CODEXLB_PROXY_URL: url, CODEXLB_ADMIN_TOKEN: "x" };
  for (const args of [["explain"], ["account", "list"], ["account", "pin", "x"], ["account", "unpin"]]) {
    const ran = await run(args, env);
    expect([args, ran.code, ran.out]).toEqual([args, 1, ""]);
    expect(ran.err).toBe(
      `codexlb: the server at ${url} is not a codexlb proxy\n  check the proxy's address\n`,
    );
  }
  await stranger.stop(true);
});

test("a server that closes the connection is reported clearly", async () => {
  const rude = Bun.listen({
    port: 0,
    hostname: "127.0.0.1",
    socket: { data: (socket) => void socket.end() },
  });
  const ran = await run(["status", "--proxy-url", `http://127.0.0.1:${rude.port}`, "--root", ownRoot()]);
  expect(ran).toMatchObject({ code: 1, out: "" });
  expect(ran.err).toEndWith(": connection reset by peer\n  find out which program listens there\n");
  rude.stop(true);
});

test("the log of a proxy with another name is not read from the files", async () => {
  const root = ownRoot('[proxy]\nlisten = "127.0.0.1:1"\n');
  mkdirSync(join(root, "logs"));
  writeFileSync(join(root, "logs", "proxy.current.jsonl"), '{"type":"of.another"}\n');
  expect((await run(["proxy", "logs", "--root", root])).out).toContain("of.another");
  const named = await run(["proxy", "logs", "--root", root, "--proxy-name", "leaf"]);
  expect(named).toMatchObject({ code: 1, out: "" });
  expect(named.err).toContain("http://127.0.0.1:1");
});
