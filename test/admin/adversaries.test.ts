// Attacks on the admin API: each must be refused, without an effect.

import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { remoteKeys, remoteStub } from "../../src/admin/client.ts";
import { socketDoor } from "../../src/admin/door.ts";
import { startPool, type TestPool, until } from "../support/pool.ts";

interface Attack {
  readonly what: string;
  readonly method?: string;
  readonly path: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  /** Send the admin token. Default: true. */
  readonly token?: boolean | string;
  readonly status: number;
  readonly code: string;
}

const JSON_TYPE = { "content-type": "application/json" };
const rm = (alias: unknown) => JSON.stringify({ alias });
const MEGABYTE = 1024 * 1024;

const TRAVERSALS = [
  "..",
  "../..",
  ".",
  "../accounts/alice",
  "alice/../..",
  "alice/.",
  "/",
  "//",
  "/etc",
  "..\\..",
  "%2e%2e",
  "%2e%2e%2f",
  ".removed-x",
  "alice\u0000",
  "~",
  "$HOME",
  "openai:..",
];

const ATTACKS: Attack[] = [
  // Web pages: cross-site requests and DNS rebinding.
  {
    what: "a page's simple request",
    path: "/admin/account/rm",
    headers: { origin: "https://evil.example", "content-type": "text/plain" },
    body: rm("alice"),
    status: 403,
    code: "origin_refused",
  },
  {
    what: "a page's request with no origin of its own",
    path: "/admin/account/rm",
    headers: { ...JSON_TYPE, origin: "null" },
    body: rm("alice"),
    status: 403,
    code: "origin_refused",
  },
  {
    what: "the proxy's own address as origin",
    path: "/admin/account/rm",
    headers: { ...JSON_TYPE, origin: "http://127.0.0.1" },
    body: rm("alice"),
    status: 403,
    code: "origin_refused",
  },
  {
    what: "a page's preflight",
    method: "OPTIONS",
    path: "/admin/account/rm",
    headers: { origin: "https://evil.example" },
    status: 403,
    code: "origin_refused",
  },
  {
    what: "a rebound name",
    path: "/admin/account/rm",
    headers: { ...JSON_TYPE, host: "evil.example" },
    body: rm("alice"),
    status: 421,
    code: "host_refused",
  },
  {
    what: "a rebound name that begins like ours",
    path: "/admin/accounts",
    method: "GET",
    headers: { host: "127.0.0.1.evil.example" },
    status: 421,
    code: "host_refused",
  },
  {
    what: "a rebound name with our port",
    path: "/admin/accounts",
    method: "GET",
    headers: { host: "evil.example:8765" },
    status: 421,
    code: "host_refused",
  },
  // Clients without the right token.
  {
    what: "no token",
    path: "/admin/account/rm",
    headers: JSON_TYPE,
    body: rm("alice"),
    token: false,
    status: 401,
    code: "unauthorized",
  },
  {
    what: "no token, reading",
    method: "GET",
    path: "/admin/accounts",
    token: false,
    status: 401,
    code: "unauthorized",
  },
  {
    what: "no token, for the log",
    method: "GET",
    path: "/logs",
    token: false,
    status: 401,
    code: "unauthorized",
  },
  {
    what: "no token, for stubs",
    method: "GET",
    path: "/admin/runtime-auth",
    token: false,
    status: 401,
    code: "unauthorized",
  },
  {
    what: "no token, for a path that is not there",
    method: "GET",
    path: "/admin/nothing",
    token: false,
    status: 401,
    code: "unauthorized",
  },
  {
    what: "an empty token",
    method: "GET",
    path: "/admin/accounts",
    token: "",
    status: 401,
    code: "unauthorized",
  },
  {
    what: "a guess of the right length",
    method: "GET",
    path: "/admin/accounts",
    token: "a".repeat(43),
    status: 401,
    code: "unauthorized",
  },
  {
    what: "a guess of no length",
    method: "GET",
    path: "/admin/accounts",
    token: "a",
    status: 401,
    code: "unauthorized",
  },
  {
    what: "a very long guess",
    method: "GET",
    path: "/admin/accounts",
    token: "a".repeat(8_000),
    status: 401,
    code: "unauthorized",
  },
  // Bodies.
  {
    what: "text/plain",
    path: "/admin/account/rm",
    headers: { "content-type": "text/plain" },
    body: rm("alice"),
    status: 415,
    code: "not_json",
  },
  {
    what: "a form",
    path: "/admin/account/rm",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: "alias=alice",
    status: 415,
    code: "not_json",
  },
  {
    what: "a body without a type",
    path: "/admin/account/rm",
    headers: { "content-type": "" },
    body: rm("alice"),
    status: 415,
    code: "not_json",
  },
  {
    what: "JSON that is called by another name",
    path: "/admin/account/unpin",
    headers: { "content-type": "text/json" },
    body: "{}",
    status: 415,
    code: "not_json",
  },
  {
    what: "half a JSON",
    path: "/admin/account/rm",
    headers: JSON_TYPE,
    body: '{"alias":"al',
    status: 400,
    code: "invalid_request",
  },
  {
    what: "no object",
    path: "/admin/account/rm",
    headers: JSON_TYPE,
    body: '["alice"]',
    status: 400,
    code: "invalid_request",
  },
  {
    what: "an empty body",
    path: "/admin/account/rm",
    headers: JSON_TYPE,
    body: "",
    status: 400,
    code: "invalid_request",
  },
  {
    what: "a number for an alias",
    path: "/admin/account/rm",
    headers: JSON_TYPE,
    body: rm(7),
    status: 400,
    code: "invalid_request",
  },
  {
    what: "a list for an alias",
    path: "/admin/account/rm",
    headers: JSON_TYPE,
    body: rm(["alice"]),
    status: 400,
    code: "invalid_request",
  },
  {
    what: "an unknown field",
    path: "/admin/account/rm",
    headers: JSON_TYPE,
    body: '{"alias":"alice","force":true}',
    status: 400,
    code: "invalid_request",
  },
  {
    what: "a field that means the prototype",
    path: "/admin/account/rm",
    headers: JSON_TYPE,
    body: '{"alias":"alice","__proto__":{"x":1}}',
    status: 400,
    code: "invalid_request",
  },
  {
    what: "an import with an unknown field",
    path: "/admin/account/import",
    headers: JSON_TYPE,
    body: '{"alias":"x","auth":{},"home_dir":"/etc"}',
    status: 400,
    code: "invalid_request",
  },
  {
    what: "ten megabytes",
    path: "/admin/account/import",
    headers: JSON_TYPE,
    body: `{"alias":"x","config":"${"x".repeat(10 * MEGABYTE)}"}`,
    status: 413,
    code: "body_too_large",
  },
  {
    what: "ten megabytes without a token",
    path: "/admin/account/import",
    headers: JSON_TYPE,
    body: "x".repeat(10 * MEGABYTE),
    token: false,
    status: 401,
    code: "unauthorized",
  },
  // Requests that must not make this machine run or read something.
  {
    what: "a path to import from",
    path: "/admin/account/import",
    headers: JSON_TYPE,
    body: '{"alias":"x","from_home":"/root/.codex"}',
    status: 400,
    code: "invalid_request",
  },
  {
    what: "a login with nothing in it",
    path: "/admin/account/import",
    headers: JSON_TYPE,
    body: '{"alias":"alice","auth":{}}',
    status: 400,
    code: "invalid_auth_file",
  },
  {
    what: "a login that is null",
    path: "/admin/account/import",
    headers: JSON_TYPE,
    body: '{"alias":"alice","auth":null}',
    status: 400,
    code: "invalid_request",
  },
  {
    what: "arguments for codex",
    path: "/admin/account/login",
    headers: JSON_TYPE,
    body: '{"alias":"x","login_args":["-c","x=y"]}',
    status: 400,
    code: "invalid_request",
  },
  {
    what: "another issuer for codex",
    path: "/admin/account/login",
    headers: JSON_TYPE,
    body: '{"alias":"x","login_args":["--experimental_issuer","http://evil.example"]}',
    status: 400,
    code: "invalid_request",
  },
  // Aliases that are paths.
  ...TRAVERSALS.map(
    (alias): Attack => ({
      what: `removing ${JSON.stringify(alias)}`,
      path: "/admin/account/rm",
      headers: JSON_TYPE,
      body: rm(alias),
      status: 404,
      code: "account_not_found",
    }),
  ),
  ...TRAVERSALS.map(
    (alias): Attack => ({
      what: `importing as ${JSON.stringify(alias)}`,
      path: "/admin/account/import",
      headers: JSON_TYPE,
      body: JSON.stringify({ alias, auth: { tokens: { access_token: "t" } } }),
      status: 400,
      code: "invalid_alias",
    }),
  ),
  ...TRAVERSALS.map(
    (alias): Attack => ({
      what: `logging in as ${JSON.stringify(alias)}`,
      path: "/admin/account/login",
      headers: JSON_TYPE,
      body: JSON.stringify({ alias }),
      status: 400,
      code: "invalid_alias",
    }),
  ),
  // Paths.
  { what: "a path that is not there", method: "GET", path: "/admin/nothing", status: 404, code: "not_found" },
  {
    what: "a method that the path does not have",
    method: "DELETE",
    path: "/admin/accounts",
    status: 405,
    code: "method_refused",
  },
  {
    what: "another proxy's name",
    path: "/admin/account/rm",
    headers: { ...JSON_TYPE, "x-codexlb-target-proxy-name": "elsewhere" },
    body: rm("alice"),
    status: 404,
    code: "target_proxy_not_found",
  },
];

/** The state before and after the attacks. */
function treeOf(pool: TestPool): unknown {
  return {
    root: readdirSync(pool.layout.root).sort(),
    accounts: readdirSync(pool.layout.accounts).sort(),
    alice: readdirSync(join(pool.layout.accounts, "alice")).sort(),
    beside: readdirSync(join(pool.layout.root, "..")).sort(),
  };
}

describe("the admin API refuses", () => {
  test("every one of these requests, and none has an effect", async () => {
    // There is no codex here, so a login that was accepted would fail with that error.
    await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
    await pool.accounts.pin("bob");
    // The first figures arrive without an attack.
    await until("figures are known", async () =>
      (await pool.status()).accounts.every(({ daily_left_pct }) => daily_left_pct >= 0),
    );
    const before = { tree: treeOf(pool), accounts: await pool.accounts.list() };
    const wrong: unknown[] = [];
    for (const { what, method = "POST", path, headers = {}, body, token = true, status, code } of ATTACKS) {
      const shown = token === true ? pool.adminToken : token;
      const answer = await fetch(pool.url + path, {
        method,
        redirect: "manual",
        headers: { ...(shown === false ? {} : { authorization: `Bearer ${shown}` }), ...headers },
        ...(body === undefined ? {} : { body }),
      });
      const text = await answer.text();
      const failure = JSON.parse(text) as { error: unknown; code?: string };
      // The guard's errors have the data plane's shape: {"error": {"code": ...}}.
      const found = failure.code ?? (failure.error as { code?: string }).code;
      if (answer.status !== status || found !== code)
        wrong.push([what, answer.status, found, text.slice(0, 200)]);
      if (answer.headers.get("access-control-allow-origin") !== null) wrong.push([what, "CORS"]);
      if (text.includes(pool.adminToken) || text.includes("refresh_token"))
        wrong.push([what, "tells a secret"]);
    }
    expect(wrong).toEqual([]);
    expect({ tree: treeOf(pool), accounts: await pool.accounts.list() }).toEqual(before);
    expect((await pool.status()).state.pinned_account_id).toBe("openai:bob");
    // None of them was forwarded to the backend.
    expect(pool.mock.requests.filter(({ path }) => path.includes("admin"))).toEqual([]);
  });

  test("to follow an account directory that is a link", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    const precious = join(pool.layout.root, "..", "precious");
    mkdirSync(precious);
    writeFileSync(join(precious, "auth.json"), "precious");
    const home = join(pool.layout.accounts, "alice");
    renameSync(home, `${home}-aside`);
    symlinkSync(precious, home);
    const auth = JSON.parse(pool.mock.authFile("alice"));
    for (const [path, body] of [
      ["/admin/account/rm", { alias: "alice" }],
      ["/admin/account/import", { alias: "alice", auth }],
    ] as const) {
      const answer = await fetch(pool.url + path, {
        method: "POST",
        headers: { ...JSON_TYPE, authorization: `Bearer ${pool.adminToken}` },
        body: JSON.stringify(body),
      });
      expect([path, answer.status]).toEqual([path, 400]);
      expect(await answer.text()).toContain("is a symbolic link");
    }
    expect(existsSync(join(precious, "auth.json"))).toBe(true);
    expect(await Bun.file(join(precious, "auth.json")).text()).toBe("precious");
  });

  test("invalid requests over the socket, although it requires no token", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    const send = (headers: Record<string, string>, body: string) =>
      fetch("http://localhost/admin/account/rm", {
        unix: pool.layout.adminSocket,
        method: "POST",
        headers,
        body,
      });
    expect((await send({ "content-type": "text/plain" }, rm("alice"))).status).toBe(415);
    expect((await send(JSON_TYPE, '{"alias":"alice","x":1}')).status).toBe(400);
    expect((await send(JSON_TYPE, `{"alias":"${"x".repeat(10 * MEGABYTE)}"}`)).status).toBe(413);
    expect((await send(JSON_TYPE, rm("../.."))).status).toBe(404);
    expect((await pool.accounts.list()).map(({ alias }) => alias)).toEqual(["alice"]);
  });
});

describe("with client authentication", () => {
  const CONFIG = '[proxy]\nname = "p"\nclient_auth = true\n';
  const PATHS: [string, string, string][] = [
    // path, and who has access: anyone, client, parent, admin
    ["GET", "/", "anyone"],
    ["GET", "/healthz", "anyone"],
    ["POST", "/backend-api/codex/responses", "client"],
    ["GET", "/backend-api/codex/responses", "client"],
    ["GET", "/backend-api/wham/usage", "client"],
    ["GET", "/backend-api/wham/accounts/check", "client"],
    ["GET", "/v1/models", "client"],
    ["GET", "/admin/runtime-auth", "client"],
    ["GET", "/status", "parent"],
    ["GET", "/health/auth-runtime", "parent"],
    ["GET", "/admin/accounts", "admin"],
    ["GET", "/logs", "admin"],
    ["GET", "/metrics", "admin"],
  ];
  /** With the header that names the proxy of a chain. */
  const NAMED: [string, string, string][] = [
    ["GET", "/admin/accounts", "parent"],
    ["GET", "/admin/explain", "parent"],
    ["POST", "/admin/account/rm", "parent"],
    ["GET", "/admin/keys", "admin"],
    ["POST", "/admin/key/add", "admin"],
    ["GET", "/logs", "parent"],
  ];
  const RANKS = ["anyone", "client", "parent", "admin"];

  test("each path is open to those with access, and to no one else", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }], config: CONFIG });
    const admin = (path: string, body?: unknown) =>
      fetch(pool.url + path, {
        method: body === undefined ? "GET" : "POST",
        headers: { ...JSON_TYPE, authorization: `Bearer ${pool.adminToken}` },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }).then(
        (answer) => answer.json() as Promise<{ key: string; auth: { tokens: { access_token: string } } }>,
      );
    const keyOf = async (role: string) => (await admin("/admin/key/add", { name: role, role })).key;
    const stub = (await admin("/admin/runtime-auth")).auth.tokens;
    const WHO: [string, string, string | undefined][] = [
      ["dave", "anyone", undefined],
      ["a guess", "anyone", `clb_${"x".repeat(43)}`],
      ["a key of role client", "client", await keyOf("client")],
      ["the stub of codexlb run", "client", stub.access_token],
      ["a key of role parent", "parent", await keyOf("parent")],
      ["the admin token", "admin", pool.adminToken],
    ];
    const cases = [
      ...PATHS.map((one) => [...one, {}] as const),
      ...NAMED.map((one) => [...one, { ...JSON_TYPE, "x-codexlb-target-proxy-name": "p" }] as const),
    ];
    for (const [who, rank, token] of WHO)
      for (const [method, path, least, named] of cases) {
        const answer = await fetch(pool.url + path, {
          method,
          headers: token === undefined ? named : { ...named, authorization: `Bearer ${token}` },
          ...(method === "POST" ? { body: JSON.stringify({ input: [], stream: true }) } : {}),
        });
        await answer.arrayBuffer();
        const open = RANKS.indexOf(rank) >= RANKS.indexOf(least);
        // The admin API knows the key, but its role is not enough.
        const refusal = rank !== "anyone" && /^\/(?:admin\/|logs)/.test(path) ? 403 : 401;
        const refused = [401, 403].includes(answer.status) ? answer.status : undefined;
        expect([who, method, path, refused]).toEqual([who, method, path, open ? undefined : refusal]);
      }
    // A client's key is not valid beyond this proxy.
    for (const { headers } of pool.mock.requests) expect(headers.authorization ?? "").not.toContain("clb_");
  });

  test("a refusal names the role that is missing, or distinguishes a wrong key from none", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }], config: CONFIG });
    const keys = remoteKeys(socketDoor(pool.layout.adminSocket));
    const key = await keys.add("laptop", "client");
    const refusalOf = async (path: string, token?: string) => {
      const headers = token === undefined ? undefined : { authorization: `Bearer ${token}` };
      const answer = await fetch(pool.url + path, headers === undefined ? {} : { headers });
      return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
    };
    expect(await refusalOf("/admin/accounts", key)).toMatchObject({
      status: 403,
      body: {
        code: "admin_role_required",
        message: "this key has the role client, and this path of the admin API requires the admin token",
        next: expect.stringContaining("set CODEXLB_ADMIN_TOKEN or --admin-token"),
      },
    });
    const none = await refusalOf("/v1/models");
    const wrong = await refusalOf("/v1/models", `clb_${"x".repeat(43)}`);
    const inPath = await refusalOf("/~wrong/v1/models");
    expect([none.status, wrong.status, inPath.status]).toEqual([401, 401, 401]);
    expect(none.body).toMatchObject({
      error: { code: "unauthorized", message: expect.stringContaining("this proxy requires a key") },
    });
    for (const { body } of [wrong, inPath])
      expect(body).toMatchObject({
        error: {
          code: "unauthorized",
          message: expect.stringContaining("this proxy does not know the key in this request"),
          next: expect.stringContaining("compare it with the key that was created"),
        },
      });
  });

  test("Codex's requests without credentials are accepted with a key in the path, and only with that", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }], config: CONFIG });
    const { pathKey } = await remoteStub(socketDoor(pool.layout.adminSocket));
    const status = async (path: string) => {
      const answer = await fetch(`${pool.url}${path}`);
      await answer.text();
      return answer.status;
    };
    expect(await status(`/~${pathKey}/backend-api/wham/usage?x=1`)).toBe(200);
    expect(await status(`/~${pathKey}/v1/models`)).toBe(200);
    for (const path of [
      "/backend-api/wham/usage",
      `/~${"x".repeat(43)}/backend-api/wham/usage`,
      `/~${pathKey}x/backend-api/wham/usage`,
      `/~${pathKey}`,
      // It gives access to the paths of a client only.
      `/~${pathKey}/status`,
      `/~${pathKey}/admin/accounts`,
      `/~${pathKey}/logs`,
    ])
      expect([path, await status(path)]).toEqual([path, 401]);
    expect(pool.mock.requests.map(({ path }) => path).filter((path) => path.includes("~"))).toEqual([]);
    const events = JSON.stringify(await pool.stopAndReadEvents());
    expect(events).toContain('"/v1/models"');
    expect(events).not.toContain(pathKey ?? "none");
  });

  test("a WebSocket is refused before the upgrade", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }], config: CONFIG });
    const answer = await fetch(`${pool.url}/backend-api/codex/responses`, {
      headers: {
        connection: "upgrade",
        upgrade: "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
      },
    });
    expect(answer.status).toBe(401);
    expect(pool.mock.requests.filter(({ point }) => point === "upgrade")).toEqual([]);
  });
});
