// Access control of the executable: web pages, paths that Codex does not use, and clients whose key was removed.

import { expect, test } from "bun:test";
import WebSocket from "ws";
import { until } from "../support/pool.ts";
import { rawExchange } from "../support/raw.ts";
import { startUpstream } from "../support/upstream.ts";
import { eventStream, sseOf, startHardened, TURN, TURN_EVENTS } from "./proxy.ts";

test("web pages and paths that Codex does not use reach no account, in any spelling", async () => {
  const reached: string[] = [];
  await using upstream = startUpstream((request) => {
    reached.push(new URL(request.url).pathname);
    return eventStream(sseOf(TURN_EVENTS));
  });
  await using proxy = await startHardened({ upstream: upstream.baseUrl });
  const { host } = new URL(proxy.url());
  const send = async (line: string, ...headers: string[]) => {
    const head = [`${line} HTTP/1.1`, `host: ${host}`, "connection: close", ...headers, "", ""];
    return Number(/^HTTP\/1\.1 (\d+)/.exec(await rawExchange(proxy.url(), head.join("\r\n")))?.[1] ?? 0);
  };
  for (const site of ["cross-site", "same-site", "odd"])
    for (const path of [TURN, "/status", "/healthz", "/backend-api/wham/usage"])
      expect([site, path, await send(`GET ${path}`, `sec-fetch-site: ${site}`)]).toEqual([site, path, 403]);
  for (const path of [
    "/backend-api/conversations",
    "/backend-api//conversations",
    "/backend-api/codex/../conversations",
    "/backend-api/codex/%2e%2e/conversations",
    "/backend-api/codex%2f..%2fconversations",
    "/backend-api/CONVERSATIONS",
    "/backend-api/memories",
    "/backend-api/accounts/delete",
    "/api/auth/session",
  ])
    expect([path, await send(`GET ${path}`)]).toEqual([path, 403]);
  for (const method of ["TRACE", "CONNECT", "OPTIONS"])
    expect([400, 405]).toContain(await send(`${method} ${TURN}`));
  for (const odd of ["localhost:99999", "[localhost]", "a b", "user@localhost"])
    expect([
      odd,
      (await rawExchange(proxy.url(), `GET / HTTP/1.1\r\nhost: ${odd}\r\nconnection: close\r\n\r\n`)).slice(
        9,
        12,
      ),
    ]).toEqual([odd, "400"]);
  expect(reached).toEqual([]);
  for (const site of ["none", "same-origin"])
    expect(await send("GET /backend-api/codex/models", `sec-fetch-site: ${site}`)).toBe(200);
  expect(reached.length).toBe(2);
}, 60_000);

test("removing a key immediately ends its streams, sockets and later requests", async () => {
  const delta = sseOf([{ type: "response.output_text.delta" }]);
  // The turns continue until the client disconnects.
  const upstream = Bun.serve<undefined>({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    development: false,
    fetch: (request, self) => {
      if (request.headers.get("upgrade") === "websocket")
        return self.upgrade(request, { data: undefined }) ? undefined : new Response(null);
      if (!request.url.endsWith("/responses")) return new Response(null, { status: 404 });
      const start = (controller: ReadableStreamDefaultController) =>
        controller.enqueue(new TextEncoder().encode(delta));
      return eventStream(new ReadableStream<Uint8Array>({ start }));
    },
    websocket: { message: () => {} },
  });
  try {
    await using proxy = await startHardened({
      upstream: `http://127.0.0.1:${upstream.port}/backend-api`,
      config: "[proxy]\nclient_auth = true\n",
    });
    const { tool } = proxy;
    const url = proxy.url();
    const key = /clb_\S+/.exec((await tool.run(["key", "add", "laptop"])).out)?.[0] ?? "";
    const byKey = { authorization: `Bearer ${key}` };
    const given = (await (await fetch(`${url}/admin/runtime-auth`, { headers: byKey })).json()) as {
      auth: { tokens: { access_token: string; refresh_token: string } };
      path_key: string;
    };
    const { access_token, refresh_token } = given.auth.tokens;
    const byStub = { authorization: `Bearer ${access_token}` };
    const byPath = `/~${given.path_key}`;

    /** Opens a turn. The inner promise settles when the response ends or is cut off. */
    const open = async (headers: Record<string, string>, path = "") => {
      const response = await fetch(url + path + TURN, { method: "POST", body: "{}", headers });
      expect(response.status).toBe(200);
      return { over: response.text().catch(() => "cut off") };
    };
    const turns = [await open(byKey), await open(byStub), await open({}, byPath)];
    const socket = new WebSocket(url.replace("http", "ws") + TURN, { headers: byKey });
    const code = new Promise<number>((resolve) => socket.once("close", resolve));
    await new Promise((resolve) => socket.once("open", resolve));

    expect((await tool.run(["key", "rm", "laptop"])).code).toBe(0);
    expect(await code).toBe(1008);
    await Promise.all(turns.map(({ over }) => over));
    const statusOf = async (headers: Record<string, string>, path = "") =>
      (await fetch(url + path + TURN, { method: "POST", body: "{}", headers })).status;
    expect([await statusOf(byKey), await statusOf(byStub), await statusOf({}, byPath)]).toEqual([
      401, 401, 401,
    ]);
    const renewal = { grant_type: "refresh_token", refresh_token };
    const renewed = await fetch(`${url}/oauth/token`, { method: "POST", body: JSON.stringify(renewal) });
    expect(renewed.status).toBe(401);
    await until("no request is under way", async () => {
      const { accounts } = JSON.parse((await tool.run(["status", "--json"])).out);
      return accounts.every(({ in_flight }: { in_flight: number }) => in_flight === 0);
    });
  } finally {
    await upstream.stop(true);
  }
}, 60_000);
