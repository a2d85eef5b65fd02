// Tests the end of everything that belongs to a removed key, and the limits of a client's key.

import { describe, expect, test } from "bun:test";
import { remoteKeys, remoteStub } from "../../src/admin/client.ts";
import { socketDoor } from "../../src/admin/door.ts";
import { createCredential } from "../../src/admin/proving.ts";
import type { KeyRole } from "../../src/auth/keys-file.ts";
import { runPrefix } from "../../src/core/run-tag.ts";
import { systemDeps } from "../../src/deps.ts";
import { startPool, type TestPool, until } from "../support/pool.ts";
import { rawExchange, rawHead } from "../support/raw.ts";
import { startUpstream } from "../support/upstream.ts";

const CONFIG = '[proxy]\nname = "p"\nclient_auth = true\n';
const deps = systemDeps();
const keysOf = (pool: TestPool) => remoteKeys(socketDoor(pool.layout.adminSocket));

/** A key, with its stub and its path key. */
async function keyed(pool: TestPool, name: string, role: KeyRole = "client") {
  const key = await keysOf(pool).add(name, role);
  const credential = createCredential({ ...deps, secret: key, origin: "given" });
  const { stub, pathKey } = await remoteStub({ url: pool.url, credential });
  return { key, stub: stub.tokens.access_token, refresh: stub.tokens.refresh_token, pathKey };
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
async function statusOf(url: string, init: RequestInit = {}): Promise<number> {
  const answer = await fetch(url, init);
  await answer.arrayBuffer();
  return answer.status;
}
const renewal = (pool: TestPool, refresh_token: string) =>
  fetch(`${pool.url}/oauth/token`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ grant_type: "refresh_token", refresh_token }),
  });

describe("removing a key", () => {
  test("ends its stubs, their renewal and its path key, and a new key with that name does not revive them", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }], config: CONFIG });
    const one = await keyed(pool, "laptop");
    const other = await keyed(pool, "desk");
    const opened = async ({ key, stub, refresh, pathKey }: typeof one) => [
      await statusOf(`${pool.url}/v1/models`, { headers: bearer(key) }),
      await statusOf(`${pool.url}/v1/models`, { headers: bearer(stub) }),
      await statusOf(`${pool.url}/~${pathKey}/backend-api/wham/usage`),
      (await renewal(pool, refresh)).status,
    ];
    expect(await opened(one)).toEqual([200, 200, 200, 200]);
    await keysOf(pool).remove("laptop");
    expect(await opened(one)).toEqual([401, 401, 401, 401]);
    await keysOf(pool).add("laptop", "client");
    expect(await opened(one)).toEqual([401, 401, 401, 401]);
    expect(await opened(other)).toEqual([200, 200, 200, 200]);
  });

  test("closes the sockets and streams that are open for it and its stubs, and no others", async () => {
    const gone: string[] = [];
    await using upstream = startUpstream((request) => {
      const session = request.headers.get("session-id") ?? "";
      request.signal.addEventListener("abort", () => gone.push(session));
      const head = 'event: response.created\ndata: {"type":"response.created","response":{"id":"r"}}\n\n';
      const delta =
        'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"hi"}\n\n';
      return new Response(new ReadableStream({ start: (controller) => controller.enqueue(head + delta) }), {
        headers: { "content-type": "text/event-stream" },
      });
    });
    await using pool = await startPool({
      accounts: [{ alias: "alice" }],
      config: CONFIG,
      upstream: upstream.baseUrl,
    });
    const one = await keyed(pool, "laptop");
    const other = await keyed(pool, "desk");
    const stream = async (token: string, session: string) => {
      const answer = await fetch(`${pool.url}/backend-api/codex/responses`, {
        method: "POST",
        headers: { ...bearer(token), "content-type": "application/json", "session-id": session },
        body: JSON.stringify({ input: [], stream: true }),
      });
      const reader = answer.body?.getReader();
      expect(new TextDecoder().decode((await reader?.read())?.value)).toContain("response.created");
      const toEnd = async (): Promise<"ended" | "cut"> => {
        try {
          for (;;) if ((await reader?.read())?.done !== false) return "ended";
        } catch {
          return "cut";
        }
      };
      return { ended: toEnd(), leave: () => reader?.cancel() };
    };
    const mine = [await stream(one.key, "by key"), await stream(one.stub, "by stub")];
    let isOtherOpen = true;
    const theirs = await stream(other.stub, "other");
    void theirs.ended.then(() => {
      isOtherOpen = false;
    });
    await keysOf(pool).remove("laptop");
    const endings = await Promise.all(mine.map(({ ended }) => ended));
    expect(endings).toEqual(["cut", "cut"]);
    await until("the backend's are closed, too", () => gone.length === 2);
    expect(gone.sort()).toEqual(["by key", "by stub"]);
    expect(isOtherOpen).toBe(true);
    await theirs.leave();
  });

  test("closes a WebSocket with 1008, idle or in a turn", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }], config: CONFIG });
    const one = await keyed(pool, "laptop");
    const other = await keyed(pool, "desk");
    const open = async (token: string) => {
      const socket = new WebSocket(`${pool.url.replace("http", "ws")}/backend-api/codex/responses`, {
        headers: bearer(token),
      });
      const closed = new Promise<number>((resolve) => {
        socket.addEventListener("close", ({ code }) => resolve(code));
      });
      await new Promise((resolve) => socket.addEventListener("open", resolve));
      return { socket, closed };
    };
    const mine = [await open(one.key), await open(one.stub)];
    const theirs = await open(other.stub);
    await keysOf(pool).remove("laptop");
    expect(await Promise.all(mine.map(({ closed }) => closed))).toEqual([1008, 1008]);
    expect(theirs.socket.readyState).toBe(WebSocket.OPEN);
    theirs.socket.close();
    await theirs.closed;
  });

  test("refuses the request that waits for its response", async () => {
    const asked = Promise.withResolvers<void>();
    await using upstream = startUpstream(() => {
      asked.resolve();
      return new Promise<Response>(() => {});
    });
    await using pool = await startPool({
      accounts: [{ alias: "alice" }],
      config: CONFIG,
      upstream: upstream.baseUrl,
    });
    const { key } = await keyed(pool, "laptop");
    const waiting = statusOf(`${pool.url}/backend-api/codex/responses`, {
      method: "POST",
      headers: { ...bearer(key), "content-type": "application/json" },
      body: JSON.stringify({ input: [], stream: true }),
    });
    await asked.promise;
    await keysOf(pool).remove("laptop");
    expect(await waiting).toBe(401);
  });
});

test("a stub is renewed with its refresh token, and stays tied to its key", async () => {
  await using pool = await startPool({ accounts: [{ alias: "alice" }], config: CONFIG });
  const { refresh } = await keyed(pool, "laptop");
  const { access_token } = (await (await renewal(pool, refresh)).json()) as { access_token: string };
  expect(await statusOf(`${pool.url}/v1/models`, { headers: bearer(access_token) })).toBe(200);
  await keysOf(pool).remove("laptop");
  expect(await statusOf(`${pool.url}/v1/models`, { headers: bearer(access_token) })).toBe(401);
});

test("the admin API returns when a key was last used", async () => {
  await using pool = await startPool({ accounts: [{ alias: "alice" }], config: CONFIG });
  await keysOf(pool).add("unused", "client");
  await keyed(pool, "laptop");
  const [unused, laptop] = await keysOf(pool).list();
  expect([unused?.name, unused?.lastUsedMs]).toEqual(["unused", undefined]);
  expect(Date.now() - (laptop?.lastUsedMs ?? 0)).toBeLessThan(180_000);
});

describe("a client's key", () => {
  test("cannot be used to find out which accounts exist, by any path", async () => {
    await using pool = await startPool({
      accounts: [{ alias: "alice" }, { alias: "bob" }],
      config: CONFIG,
    });
    const { key, stub, pathKey } = await keyed(pool, "laptop");
    const answers = async (path: string, headers: Record<string, string>, before = "") => {
      const of = async (account: string) => {
        const prefix = runPrefix({ id: "0123456789abcdef", account });
        const answer = await fetch(`${pool.url}${before}${prefix}${path}`, { headers });
        return [answer.status, (await answer.text()).replaceAll(account, "X")];
      };
      expect([path, await of("bob")]).toEqual([path, await of("carol")]);
      return (await of("bob"))[0];
    };
    for (const path of [
      "/run",
      "/v1/models",
      "/backend-api/wham/usage",
      "/healthz",
      "/",
      "/admin/x",
      "/logs",
    ]) {
      for (const headers of [{}, bearer(key), bearer(stub)]) expect(await answers(path, headers)).toBe(401);
      expect(await answers(path, {}, `/~${pathKey}`)).toBe(401);
    }
  });

  test("of role parent, the admin token and the root's own runs can choose one", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }], config: CONFIG });
    const { key, stub } = await keyed(pool, "front", "parent");
    const own = (await remoteStub(socketDoor(pool.layout.adminSocket))).stub.tokens.access_token;
    for (const token of [key, stub, pool.adminToken, own])
      for (const [account, status] of [
        ["alice", 200],
        ["carol", 404],
      ] as const) {
        const prefix = runPrefix({ id: "0123456789abcdef", account });
        expect(await statusOf(`${pool.url}${prefix}/run`, { headers: bearer(token) })).toBe(status);
      }
  });
});

test("a key in a path is never logged, whatever its spelling", async () => {
  await using pool = await startPool({ accounts: [{ alias: "alice" }] });
  const KEY = `path-root-20000-${"Secret".repeat(7)}x`;
  const encoded = [...KEY].map((c) => `%${c.charCodeAt(0).toString(16)}`).join("");
  const twice = encoded.replaceAll("%", "%25");
  const spellings = [
    `/~${KEY}/v1/models`,
    `/%7E${KEY}/v1/models`,
    `/%7e${encoded}/v1/models`,
    `/%257E${twice}/v1/models`,
    `/%25252525252525257E${KEY}/v1/models`,
    `//~${KEY}/v1/models`,
    `/~/${KEY}/v1/models`,
    `/~~${KEY}/v1/models`,
    `/~${KEY}`,
    `/~${KEY}%2Fv1%2Fmodels`,
    `/@0123456789abcdef/~${KEY}/v1/models`,
    `/backend-api/~${KEY}/v1/models`,
  ];
  for (const path of spellings)
    await rawExchange(
      pool.url,
      `GET ${path} HTTP/1.1\r\nHost: ${new URL(pool.url).host}\r\nConnection: close\r\n\r\n`,
    );
  const events = await pool.stopAndReadEvents();
  // Only the first spelling is correct; the others are refused, and at most ten refusals a minute are logged.
  const logged = events.filter(({ event }) => event === "request.received" || event === "request.refused");
  expect(logged.length).toBe(11);
  const text = JSON.stringify(events);
  for (const part of ["Secret", encoded.slice(20, 40), twice.slice(40, 60)]) expect(text).not.toContain(part);
});

test("a key in the middle of a path that is forwarded is not logged either", async () => {
  await using pool = await startPool({ accounts: [{ alias: "alice" }] });
  const keys = [`path-root-20000-${"Secret".repeat(7)}x`, `clb_${"Secret".repeat(7)}`];
  for (const key of keys)
    for (const path of [
      `/backend-api/codex/${key}/x`,
      `/backend-api/codex/@${key}/x`,
      `/backend-api/codex/x%2f@${key}`,
      `/backend-api/codex/%${key.charCodeAt(0).toString(16)}${key.slice(1)}`,
      `/v1/alpha/${key}`,
    ])
      await (await fetch(pool.url + path)).arrayBuffer();
  const events = await pool.stopAndReadEvents();
  expect(events.filter(({ event }) => event === "request.received").length).toBe(10);
  expect(JSON.stringify(events)).not.toContain("Secret");
});

describe("a WebSocket handshake", () => {
  const WHOLE: Record<string, string> = {
    connection: "Upgrade",
    upgrade: "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
  };
  test.each([
    ["without a key", { "sec-websocket-key": undefined }, "GET"],
    ["with an empty key", { "sec-websocket-key": "" }, "GET"],
    ["with a key of the wrong length", { "sec-websocket-key": "dGhlIHNhbXBsZQ==" }, "GET"],
    ["with a key that is no base64", { "sec-websocket-key": "dGhlIHNhbXBsZSBub25j!Q==" }, "GET"],
    ["of another version", { "sec-websocket-version": "8" }, "GET"],
    ["without a version", { "sec-websocket-version": undefined }, "GET"],
    ["by POST", {}, "POST"],
  ] as const)("%s dials no account", async (_what, change, method) => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    const lines = Object.entries({ ...WHOLE, ...change }).flatMap(([name, value]) =>
      value === undefined ? [] : [`${name}: ${value}\r\n`],
    );
    const { host } = new URL(pool.url);
    const answer = await rawHead(
      pool.url,
      `${method} /backend-api/codex/responses HTTP/1.1\r\nHost: ${host}\r\n${lines.join("")}Content-Length: 0\r\n\r\n`,
    );
    expect(answer).toStartWith("HTTP/1.1 400 ");
    expect(pool.mock.requests.filter(({ point }) => point === "upgrade")).toEqual([]);
  });
});
