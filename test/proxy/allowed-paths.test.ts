// Tests which paths of the backend clients can reach, and that no spelling reaches more.

import { describe, expect, test } from "bun:test";
import { remoteKeys } from "../../src/admin/client.ts";
import { socketDoor } from "../../src/admin/door.ts";
import { runPrefix } from "../../src/core/run-tag.ts";
import { isAllowedPath, unsupportedEndpoint } from "../../src/proxy/allowed-paths.ts";
import { createPathGate } from "../../src/proxy/path-gate.ts";
import { writeFileAtomic } from "../../src/state/atomic-file.ts";
import { startChain, untilAccounts } from "../support/chain.ts";
import { fakeClock } from "../support/clock.ts";
import { startPool, type TestPool, until } from "../support/pool.ts";
import { rawExchange } from "../support/raw.ts";

/** From recorded sessions of real Codex. Comments name the first version that sent the paths. */
const OF_CODEX = [
  // 0.107
  "/backend-api/codex/models",
  "/backend-api/codex/responses",
  // 0.125
  "/backend-api/codex/responses/compact",
  "/backend-api/plugins/featured",
  "/backend-api/wham/apps",
  "//connectors/directory/list",
  "/backend-api//connectors/directory/list",
  // 0.169 and 0.171
  "/backend-api/wham/accounts/check",
  "/backend-api/wham/settings/user",
  "/backend-api/wham/usage",
  "/backend-api/wham/rate-limit-reset-credits",
  "/backend-api/wham/security-setup",
  "/backend-api/ps/plugins/installed",
  "/backend-api/ps/plugins/suggested/codex",
  "/backend-api/ps/plugins/tooling-state/turtle",
  "/backend-api/ps/mcp",
  "/backend-api/codex/analytics-events/events",
  "/backend-api/codex/alpha/search",
  "/backend-api/codex/images/generations",
  "/backend-api/codex/realtime/calls",
  // chatgpt_base_url without /backend-api
  "/api/codex/accounts/check",
  "/api/codex/settings/user",
  "/api/codex/ps/mcp",
  // only in the executable
  "/backend-api/codex/alpha/notes/v2/thread_hint",
  "/backend-api/wham/remote/control/server/enroll",
  "/backend-api/files/file-1/uploaded",
  "/backend-api/accounts/verified_access",
  "/backend-api/public/plugins/workspace/upload-url",
  // SDKs and base URLs without a path
  "/responses",
  "/models",
  "/v1/responses",
  "/v1/responses/compact",
  "/v1/models",
  "/v1/alpha/search",
  "/v1/images/generations",
  "/v1/images/edits",
  "/images/generations",
  "/backend-api/codex/images/edits",
  "/v1/realtime/calls",
  // possible future paths
  "/backend-api/codex/anything/new",
  "/backend-api/ps/anything/new",
];

const CLOSED = [
  "/backend-api/conversations",
  "/backend-api/conversation/0f8e",
  "/backend-api/memories",
  "/backend-api/me",
  "/backend-api/accounts/mock-alice/users",
  "/backend-api/accounts/switch-workspace-token",
  "/backend-api/settings/user",
  "/backend-api/user_system_messages",
  "/backend-api/payments/customer_portal",
  "/backend-api/gizmos/discovery",
  "/backend-api/public/announcements",
  "/api/auth/session",
  "/backend-api/api/auth/session",
  "/backend-api",
  "/backend-api/",
  "/backend-api/backend-api/codex/responses",
  "/s3cret/backend-api/codex/responses",
  "/codexx/responses",
  "/code",
];

/** Endpoints of other APIs, with their names in the error. */
const UNSUPPORTED: readonly (readonly [path: string, name: string])[] = [
  ["/v1/messages", "/v1/messages"],
  ["/v1/messages/count_tokens", "/v1/messages"],
  ["/messages", "/messages"],
  ["/backend-api/v1/messages", "/v1/messages"],
  ["/backend-api/codex/v1/messages", "/v1/messages"],
  ["/backend-api/codex/messages", "/messages"],
  ["/api/codex/v1/messages", "/v1/messages"],
  ["/V1/Messages", "/v1/messages"],
  ["//v1/%6dessages", "/v1/messages"],
  ["/v1/chat/completions", "/v1/chat/completions"],
  ["/chat/completions", "/chat/completions"],
  ["/backend-api/codex/chat/completions", "/chat/completions"],
  ["/v1/completions", "/v1/completions"],
  ["/v1/images/variations", "/v1/images/variations"],
  ["/backend-api/codex/images/variations", "/images/variations"],
  ["/v1/embeddings", "/v1/embeddings"],
  ["/v1/audio/speech", "/v1/audio"],
  ["/v1/files", "/v1/files"],
  ["/v1/anything/else", "/v1/anything"],
];

/** Ways to write a path that some server takes for `/backend-api/conversations`. */
const DISGUISED = [
  "/backend-api/codex/../conversations",
  "/backend-api/codex/%2e%2e/conversations",
  "/backend-api/codex/%2E./conversations",
  "/backend-api/codex/..%2fconversations",
  "/backend-api/codex/..%5cconversations",
  "/backend-api/codex/..\\conversations",
  "/backend-api\\codex\\..\\conversations",
  "/backend-api/codex%2f..%2fconversations",
  "/backend-api/codex/%252e%252e/conversations",
  "/backend-api/codex/%25252e%25252e/conversations",
  "/backend-api/codex/%2525252e%2525252e/conversations",
  "/backend-api/codex/..;/conversations",
  "/backend-api/codex/..;x=1/conversations",
  "/backend-api/codex/..%3b/conversations",
  "/backend-api/codex/..%20/conversations",
  "/backend-api/codex/..%00/conversations",
  "/backend-api/codex/%c0%ae%c0%ae/conversations",
  "/backend-api/codex/./../conversations",
  "/backend-api/codex//../../conversations",
  "/backend-api/./conversations",
  "/backend-api/%63onversations",
  "/backend-api//conversations",
  "//backend-api//conversations",
  "/BACKEND-API/CONVERSATIONS",
  "/%62ackend-api/conversations",
  "/conversations/chat/completions",
  "/conversations;/codex/responses",
  "/conversations?/../codex",
  "http://127.0.0.1/backend-api/conversations",
  "http://chatgpt.com/backend-api/conversations",
];

/** The path that the proxy reads from a request target. */
const pathOf = (target: string) => new URL(target, "http://127.0.0.1").pathname;
const escaped = (path: string) => (path.startsWith("//") ? path : pathOf(path));

describe("backend paths:", () => {
  for (const path of OF_CODEX)
    test(`${path} is allowed`, () => {
      expect(isAllowedPath(escaped(path), [])).toBe(true);
    });
  for (const path of [...CLOSED, ...DISGUISED])
    test(`${path} is refused`, () => {
      expect(isAllowedPath(escaped(path), [])).toBe(false);
    });

  for (const path of OF_CODEX)
    test(`${path} is not mistaken for an endpoint of another API`, () => {
      expect(unsupportedEndpoint(escaped(path))).toBeUndefined();
    });
  for (const [path, name] of UNSUPPORTED)
    test(`${path} is refused as ${name}, unless the settings allow it`, () => {
      expect(isAllowedPath(path, [])).toBe(false);
      expect(unsupportedEndpoint(path)).toBe(name);
      expect(isAllowedPath(path, ["*"])).toBe(true);
    });

  test("more are allowed by their first segments, and all of them by *", () => {
    const further = ["Conversations", "accounts/settings"];
    expect(isAllowedPath("/backend-api/conversations/1", further)).toBe(true);
    expect(isAllowedPath("/accounts/settings/x", further)).toBe(true);
    expect(isAllowedPath("/accounts/other", further)).toBe(false);
    expect(isAllowedPath("/backend-api/codex/..%2fmemories", further)).toBe(false);
    expect(isAllowedPath("/backend-api/codex/..%2fmemories", ["*"])).toBe(true);
  });

  test("none that begins with a key of the proxy is allowed, however it is spelled", () => {
    for (const path of [
      "/%7Eclb_x/codex",
      "/%257eclb_x/codex",
      "//~clb_x/codex",
      "/backend-api/~clb_x/codex",
    ])
      expect([path, isAllowedPath(path, ["*"])]).toEqual([path, false]);
  });
});

describe("refusals", () => {
  const gateAnd = () => {
    const clock = fakeClock();
    const logged: unknown[] = [];
    const events = {
      append: (event: string, fields?: unknown) => void logged.push([event, fields]),
      flush: () => {},
    };
    return { clock, logged, gate: createPathGate({ deps: { clock }, events, allowedPaths: () => [] }) };
  };

  test("are logged at most ten times a minute; the next line counts the others", () => {
    const { clock, logged, gate } = gateAnd();
    for (let count = 0; count < 1_000; count++)
      expect(gate("GET", "/backend-api/memories/x?y")?.status).toBe(403);
    expect(logged.length).toBe(10);
    expect(logged[0]).toEqual([
      "request.refused",
      { method: "GET", segment: "memories", unlogged: undefined },
    ]);
    clock.advance(60_000);
    gate("POST", "/memories");
    expect(logged.slice(10)).toEqual([
      ["request.refused", { method: "POST", segment: "memories", unlogged: 990 }],
    ]);
  });

  test("do not repeat keys, tokens or unreadable paths", () => {
    const { logged, gate } = gateAnd();
    const secret = "clb_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";
    for (const path of [
      `/${secret}/codex`,
      `/%7E${secret}/codex`,
      `/~${secret}`,
      "/codex/..%2f",
      `/${"a".repeat(33)}`,
    ])
      expect(gate("GET", path)?.message).toBe(
        "this path is not forwarded to the backend: Codex does not use it",
      );
    expect(gate("POST", `/v1/${secret}`)?.message).toBe("the Codex backend has no such endpoint below /v1");
    expect(logged.pop()).toEqual([
      "request.refused",
      { method: "POST", endpoint: "(other)", unlogged: undefined },
    ]);
    expect(logged.map((line) => (line as [string, { segment: string }])[1].segment)).toEqual(
      Array(5).fill("(other)"),
    );
  });
});

describe("a page that the proxy does not have", () => {
  const gate = createPathGate({
    deps: { clock: fakeClock() },
    events: { append: () => {}, flush: () => {} },
    allowedPaths: () => [],
  });
  for (const [method, path, message, next] of [
    ["GET", "/metrics", "codexlb has no page /metrics", "GET /status"],
    ["GET", "/status/x", "codexlb has no page below /status", "GET /status"],
    ["GET", "/favicon.ico", "codexlb has no page /favicon.ico", "GET /healthz"],
    ["POST", "/", "the proxy does not support POST /", "GET /healthz"],
    ["GET", "/admin", "the admin API has no page at this path", "docs/admin-api.md"],
    ["GET", "/oauth/token", "below /oauth the proxy supports only POST /oauth/token", "codexlb run"],
  ] as const)
    test(`${method} ${path} is refused without advice about proxy.allowed_paths`, () => {
      const refused = gate(method, path);
      expect(refused?.code).toBe("path_refused");
      expect(refused?.message).toContain(message);
      expect(refused?.next).toContain(next);
      expect(refused?.next).not.toContain("allowed_paths");
    });
  test("is not assumed for a path of the backend", () => {
    expect(gate("GET", "/backend-api/status")?.next).toContain('add "status" to proxy.allowed_paths');
  });
});

describe("the running proxy", () => {
  const raw = (pool: TestPool, target: string, method = "GET") =>
    rawExchange(
      pool.url,
      `${method} ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
    );
  const asked = (pool: TestPool) => pool.mock.requests.map(({ path }) => path);

  test("forwards no spelling of a refused path", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    await until("its own questions are asked", () => asked(pool).length >= 1);
    for (const target of [...CLOSED, ...DISGUISED]) {
      const answer = await raw(pool, target);
      expect([target, answer.slice(0, 12)]).toEqual([target, "HTTP/1.1 403"]);
      expect(answer).toContain('"code":"path_refused"');
    }
    expect(asked(pool).filter((path) => !/\/wham\/(?:usage|accounts\/check)$/.test(path))).toEqual([]);
    const refused = (await pool.stopAndReadEvents()).filter(({ event }) => event === "request.refused");
    expect(refused.length).toBe(10);
    expect(refused[0]?.fields).toEqual({ method: "GET", segment: "conversations" });
  });

  test("forwards allowed paths, also with the prefixes of runs and keys", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    const key = await remoteKeys(socketDoor(pool.layout.adminSocket)).add("laptop", "client");
    const prefixes = [
      "",
      runPrefix({ id: "0123456789abcdef", account: "alice" }),
      `/~${key}`,
      `/~${key}/@0123456789abcdef`,
    ];
    for (const prefix of prefixes) {
      const open = await raw(pool, `${prefix}/backend-api/ps/plugins/installed`);
      expect([prefix, open.slice(0, 12)]).toEqual([prefix, "HTTP/1.1 404"]); // the backend's own
      const closed = await raw(pool, `${prefix}/backend-api/memories`);
      expect([prefix, closed.slice(0, 12)]).toEqual([prefix, "HTTP/1.1 403"]);
    }
    for (const method of ["POST", "PUT", "PATCH", "DELETE", "HEAD"])
      await raw(pool, "/backend-api/ps/plugins/installed", method);
    const sent = pool.mock.requests.filter(({ path }) => path === "/backend-api/ps/plugins/installed");
    expect(sent.map(({ method }) => method)).toEqual([
      ...prefixes.map(() => "GET"),
      ...["POST", "PUT", "PATCH", "DELETE", "HEAD"],
    ]);
  });

  test("returns 404 for endpoints of other APIs under every prefix, and lists what is served", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    const key = await remoteKeys(socketDoor(pool.layout.adminSocket)).add("laptop", "client");
    for (const prefix of ["", "/@0123456789abcdef", `/~${key}`, `/~${key}/@0123456789abcdef`])
      for (const [path, name] of UNSUPPORTED) {
        const answer = await raw(pool, `${prefix}${path}`, "POST");
        expect([prefix + path, answer.slice(0, 12)]).toEqual([prefix + path, "HTTP/1.1 404"]);
        expect(JSON.parse(answer.slice(answer.indexOf("{")))).toEqual({
          error: {
            type: "codexlb_error",
            code: "unsupported_endpoint",
            message: `the Codex backend has no ${name}; use the Responses API: the proxy serves POST /v1/responses, GET /v1/models and the other paths that Codex uses`,
            next: "use the Responses API: the proxy serves POST /v1/responses, GET /v1/models and the other paths that Codex uses",
          },
        });
      }
    expect(asked(pool).filter((path) => !/\/wham\/(?:usage|accounts\/check)$/.test(path))).toEqual([]);
    const refused = (await pool.stopAndReadEvents()).filter(({ event }) => event === "request.refused");
    expect(refused[0]?.fields).toEqual({ method: "POST", endpoint: "/v1/messages" });
  });

  test("opens no WebSocket on a refused path", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    const answer = await rawExchange(
      pool.url,
      "GET /backend-api/conversations/responses HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    expect(answer).toStartWith("HTTP/1.1 403");
    expect(pool.mock.requests.filter(({ point }) => point === "upgrade")).toEqual([]);
  });

  test("names the setting that allows a path, and follows that setting when it changes", async () => {
    const clock = fakeClock();
    await using pool = await startPool({ clock, accounts: [{ alias: "alice" }] });
    const refused = await fetch(`${pool.url}/backend-api/memories/m1`);
    expect(await refused.json()).toEqual({
      error: {
        type: "codexlb_error",
        code: "path_refused",
        message:
          'paths below /memories are not forwarded to the backend: Codex does not use them; to allow them, add "memories" to proxy.allowed_paths in config.toml',
        next: 'to allow them, add "memories" to proxy.allowed_paths in config.toml',
      },
    });
    writeFileAtomic(pool.layout.config, '[proxy]\nallowed_paths = ["memories"]\n');
    clock.advance(1_100);
    await fetch(`${pool.url}/backend-api/memories/m1`);
    expect(asked(pool)).toContain("/backend-api/memories/m1");
    expect((await fetch(`${pool.url}/backend-api/conversations`)).status).toBe(403);
  });
});

test("in a chain every proxy applies its own settings, and the client gets a child's refusal", async () => {
  await using chain = startChain([{ alias: "alice" }]);
  const leaf = await chain.start({ name: "leaf", accounts: ["alice"] });
  const front = await chain.start({
    name: "front",
    children: [leaf.url],
    proxy: 'allowed_paths = ["memories"]',
  });
  await untilAccounts(front, ["alice"]);
  expect((await fetch(`${front.url}/backend-api/ps/plugins/installed`)).status).toBe(404);
  expect((await fetch(`${front.url}/backend-api/conversations`)).status).toBe(403);
  expect((await fetch(`${front.url}/v1/messages`, { method: "POST" })).status).toBe(404);
  const refused = await fetch(`${front.url}/backend-api/memories`);
  expect([refused.status, ((await refused.json()) as { error: { code: string } }).error.code]).toEqual([
    403,
    "path_refused",
  ]);
  expect(chain.mock.requests.map(({ path }) => path)).toContain("/backend-api/ps/plugins/installed");
  expect(chain.mock.requests.filter(({ path }) => path.includes("memories"))).toEqual([]);
  expect((await front.status()).child_proxies.map(({ healthy }) => healthy)).toEqual([true]);
});
