// A login on the proxy's machine, streamed to a client on another machine.

import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { remoteKeys } from "../../src/admin/client.ts";
import { socketDoor } from "../../src/admin/door.ts";
import { createCredential } from "../../src/admin/proving.ts";
import { remoteLogin } from "../../src/admin/remote-login.ts";
import { apiKeyFile } from "../../src/auth/api-key-file.ts";
import { systemDeps } from "../../src/deps.ts";
import { type FakeCodex, fakeCodex } from "../support/fake-codex.ts";
import { outcome } from "../support/outcome.ts";
import { startPool, type TestPool, type TestPoolOptions, until } from "../support/pool.ts";
import { rawExchange } from "../support/raw.ts";

interface Setup extends AsyncDisposable {
  readonly pool: TestPool;
  readonly codex: FakeCodex;
  /** The response that the Go program's client would get. */
  ask(body: unknown, stream?: boolean): Promise<Response>;
}

/** `owner`: the ChatGPT account that codex logs in to. Default: that of bob, which is enrolled. */
async function start(
  how: Parameters<typeof fakeCodex>[1] | "none" = {},
  { owner = "mock-bob", ...options }: Partial<TestPoolOptions> & { readonly owner?: string } = {},
): Promise<Setup> {
  let codex: FakeCodex | undefined;
  const pool = await startPool({
    accounts: [{ alias: "alice" }, { alias: "bob" }],
    ...options,
    env: (layout, mock) => {
      if (how === "none") return { CODEXLB_CODEX_BIN: "codex-that-is-not-there" };
      const directory = join(layout.root, "..", "bin");
      mkdirSync(directory, { recursive: true });
      // This login is newer than all logins enrolled before.
      const auth = mock
        .authFile("bob")
        .replace('"account_id": "mock-bob"', `"account_id": "${owner}"`)
        .replace(/"last_refresh": "[^"]*"/, '"last_refresh": "2100-01-01T00:00:00Z"');
      codex = fakeCodex(directory, { auth, ...how });
      return { CODEXLB_CODEX_BIN: codex.path };
    },
  });
  return {
    pool,
    get codex() {
      if (codex === undefined) throw new Error("there is no codex");
      return codex;
    },
    ask: (body, stream = true) =>
      fetch(`${pool.url}/admin/account/login${stream ? "?stream=1" : ""}`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${pool.adminToken}` },
        body: JSON.stringify(body),
      }),
    [Symbol.asyncDispose]: () => pool[Symbol.asyncDispose](),
  };
}

/** An account that is not enrolled. */
const NEW = { owner: "mock-carol" };

const door = (pool: TestPool) => ({
  url: pool.url,
  credential: createCredential({ ...systemDeps(), secret: pool.adminToken, origin: "given" }),
});
const login = async (pool: TestPool, alias: string, args: string[] = [], replace = false) => {
  let said = "";
  await remoteLogin(door(pool), {
    alias,
    args,
    replace,
    output: (text) => {
      said += text;
    },
  });
  return said;
};
const authOf = (pool: TestPool, alias: string) =>
  readFileSync(join(pool.layout.accounts, alias, "auth.json"), "utf8");
const logins = (pool: TestPool) => (existsSync(pool.layout.logins) ? readdirSync(pool.layout.logins) : []);

describe("a login on the proxy's machine", () => {
  test("streams codex's output, uses the device flow, and takes effect immediately", async () => {
    await using s = await start({}, NEW);
    const said = await login(s.pool, "carol");
    expect(said).toContain("enter ABCD-1234\n");
    expect(said).toContain("a warning\n");
    expect(said).toEndWith("registered account carol (total=3)\n");
    const [started] = s.codex.starts();
    expect(started?.args).toEqual(["login", "--device-auth"]);
    // The login had its own home, which was removed, with the credentials in a file.
    expect(started?.home).toStartWith(s.pool.layout.logins);
    expect(started?.config).toContain('cli_auth_credentials_store = "file"');
    expect(logins(s.pool)).toEqual([]);
    expect((await s.pool.status()).accounts.map(({ alias }) => alias).sort()).toEqual([
      "alice",
      "bob",
      "carol",
    ]);
  });

  test("uses the arguments in the settings, and from clients only the allowed ones", async () => {
    await using s = await start(
      {},
      { ...NEW, config: '[commands]\nlogin = ["login", "--device-auth", "--extra"]\n' },
    );
    await login(s.pool, "carol");
    await login(s.pool, "carol", ["--device-auth"]);
    expect(s.codex.starts().map(({ args }) => args)).toEqual([
      ["login", "--device-auth", "--extra"],
      ["login", "--device-auth", "--extra", "--device-auth"],
    ]);
    expect(await outcome(login(s.pool, "carol", ["-c", "a=b"]))).toThrow('"-c" is not allowed over the API');
    expect(s.codex.starts().length).toBe(2);
  });

  test("that fails reports the exit code and does not change the working account", async () => {
    await using s = await start({ exitCode: 3 });
    const before = authOf(s.pool, "bob");
    expect(await outcome(login(s.pool, "bob"))).toThrow(
      "codex login exited with code 3; nothing was changed",
    );
    expect(authOf(s.pool, "bob")).toBe(before);
    expect(logins(s.pool)).toEqual([]);
  });

  test("that succeeds without writing an auth.json changes nothing", async () => {
    await using s = await start();
    const before = authOf(s.pool, "bob");
    const codex = fakeCodex(join(s.codex.path, ".."));
    expect(await outcome(login(s.pool, "bob"))).toThrow("wrote no auth.json; nothing was changed");
    expect(codex.starts().length).toBe(1);
    expect(authOf(s.pool, "bob")).toBe(before);
  });

  test("of another account than the alias's is kept separately, unless --replace is given", async () => {
    await using s = await start();
    const before = authOf(s.pool, "alice");
    expect(await outcome(login(s.pool, "alice"))).toThrow(
      "alice is enrolled as alice@example.com, but this login is for bob@example.com",
    );
    expect(authOf(s.pool, "alice")).toBe(before);
    const [kept] = logins(s.pool);
    expect(existsSync(join(s.pool.layout.logins, kept!, "auth.json"))).toBe(true);
    expect(await login(s.pool, "alice", [], true)).toEndWith("registered account alice (total=2)\n");
    expect(authOf(s.pool, "alice")).not.toBe(before);
  });

  test("over an API key, or under a reserved alias, is refused before codex starts", async () => {
    await using s = await start({}, NEW);
    const auth = apiKeyFile({ key: "sk-one", baseUrl: s.pool.mock.apiUrl });
    await s.pool.accounts.import("openai", { auth, config: undefined, replace: false });
    expect(await outcome(login(s.pool, "openai"))).toThrow(
      "openai has an API key, so you cannot log in to it",
    );
    expect(await outcome(login(s.pool, "pool"))).toThrow("pool cannot be an alias");
    expect(s.codex.starts()).toEqual([]);
    expect(await login(s.pool, "openai", [], true)).toEndWith("registered account openai (total=3)\n");
  });

  test("that another alias has is refused, and kept", async () => {
    await using s = await start();
    expect(await outcome(login(s.pool, "carol"))).toThrow("this login is already enrolled, as bob");
    expect((await s.pool.accounts.list()).length).toBe(2);
    expect(logins(s.pool).length).toBe(1);
  });

  test("ends when its client disconnects, together with the processes that codex started", async () => {
    await using s = await start({ wait: true });
    const leave = new AbortController();
    const answer = await fetch(`${s.pool.url}/admin/account/login?stream=1`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${s.pool.adminToken}` },
      body: '{"alias":"carol"}',
      signal: leave.signal,
    });
    const reader = answer.body!.getReader();
    expect(new TextDecoder().decode((await reader.read()).value)).toContain("ABCD-1234");
    const pid = s.codex.pid();
    leave.abort();
    await until("codex is gone", () => !isAlive(pid));
    await until("its home is gone", () => logins(s.pool).length === 0);
    expect((await s.pool.accounts.list()).length).toBe(2);
  });

  test("stops streaming when the watcher's key is removed", async () => {
    await using s = await start({ wait: true }, { config: '[proxy]\nname = "p"\n' });
    const keys = remoteKeys(socketDoor(s.pool.layout.adminSocket));
    const key = await keys.add("front", "parent");
    const answer = await fetch(`${s.pool.url}/admin/account/login?stream=1`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        authorization: `Bearer ${key}`,
        "x-codexlb-target-proxy-name": "p",
      },
      body: '{"alias":"carol"}',
    });
    const reader = answer.body!.getReader();
    expect(new TextDecoder().decode((await reader.read()).value)).toContain("ABCD-1234");
    const pid = s.codex.pid();
    await keys.remove("front");
    expect(await outcome(reader.read())).toThrow();
    await until("codex is gone", () => !isAlive(pid));
    await until("its home is gone", () => logins(s.pool).length === 0);
  });

  test("ends when the proxy stops, which the client is informed of", async () => {
    await using s = await start({ wait: true });
    let said = "";
    const watching = remoteLogin(door(s.pool), {
      alias: "carol",
      args: [],
      replace: false,
      output: (text) => {
        said += text;
      },
    });
    const ended = watching.catch((error: unknown) => error);
    await until("codex has spoken", () => said.includes("ABCD-1234"));
    const pid = s.codex.pid();
    await s.pool.daemon.stop("test");
    expect(await ended).toMatchObject({
      code: "login_failed",
      message: "the proxy shut down during the login; nothing was changed",
    });
    await until("codex is gone", () => !isAlive(pid));
    expect(logins(s.pool)).toEqual([]);
  });

  test("without codex fails first, with the text that the Go program's client knows", async () => {
    await using s = await start("none");
    expect(await outcome(login(s.pool, "carol"))).toThrow(
      expect.objectContaining({ code: "codex_not_found" }),
    );
    const answer = await s.ask({ alias: "carol" });
    expect(answer.status).toBe(500);
    expect(((await answer.json()) as { error: string }).error).toContain(
      'exec: "codex-that-is-not-there": executable file not found in $PATH',
    );
  });
});

test("without codex on both machines the proxy itself logs in, with a code", async () => {
  await using pool = await startPool({
    accounts: [{ alias: "alice" }],
    env: (_layout, mock) => ({ PATH: "/nowhere", CODEXLB_ISSUER: mock.origin }),
  });
  const said = await login(pool, "alice");
  expect(said).toContain(
    `Open ${pool.mock.origin}/codex/device in any browser and enter the code MOCK-CODE\n`,
  );
  expect(said).toEndWith("registered account alice (total=1)\n");
});

describe("for the Go program's client", () => {
  test("a stream is plain text that ends with the registration", async () => {
    await using s = await start({}, NEW);
    const answer = await s.ask({ alias: "carol", codex_bin: "/bin/evil", login_args: null });
    expect(answer.headers.get("content-type")).toBe("text/plain; charset=utf-8");
    const text = await answer.text();
    expect(text).toContain("ABCD-1234");
    expect(text).toEndWith("registered account carol (total=3)\n");
    expect(s.codex.starts().length).toBe(1);
  });

  test("a failure is reported in the last line, and the stream breaks, which that client treats as a failure", async () => {
    await using s = await start({ exitCode: 3 });
    const body = '{"alias":"carol"}';
    const raw = await rawExchange(
      s.pool.url,
      `POST /admin/account/login?stream=1 HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${s.pool.adminToken}\r\n` +
        `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    expect(raw).toContain("ABCD-1234");
    expect(raw).toContain("login account: codex login exited with code 3");
    // A complete body ends with an empty chunk; this one is incomplete.
    expect(raw).not.toContain("\r\n0\r\n");
  });

  test("without streaming there is one JSON response", async () => {
    await using s = await start({}, NEW);
    expect(await (await s.ask({ alias: "carol" }, false)).json()).toEqual({
      ok: true,
      message: "registered account carol",
      total: 3,
    });
    await using failing = await start({ exitCode: 2 });
    const answer = await failing.ask({ alias: "carol" }, false);
    expect(answer.status).toBe(400);
    const refused = (await answer.json()) as { code: string; error: string };
    expect(refused.code).toBe("login_failed");
    expect(refused.error).toMatch(
      /exited with code 2; nothing was changed; it said: (?:a warning|open https)/,
    );
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
