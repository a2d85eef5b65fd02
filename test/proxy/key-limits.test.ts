// Limits of client keys, on both transports: what a client gets that exceeds one, and that they are enforced in parallel.

import { afterEach, describe, expect, test } from "bun:test";
import { copyFileSync } from "node:fs";
import WebSocket from "ws";
import { remoteKeys } from "../../src/admin/client.ts";
import { socketDoor } from "../../src/admin/door.ts";
import { setAdvisedFlags } from "../../src/advice.ts";
import type { KeyLimits } from "../../src/core/key-limits.ts";
import { startOfDay } from "../../src/core/local-days.ts";
import { runPrefix } from "../../src/core/run-tag.ts";
import { createSocketClient, createSseClient } from "../../src/mock/client.ts";
import { skippingClock } from "../support/clock.ts";
import { startPool, type TestPool, until } from "../support/pool.ts";

afterEach(() => setAdvisedFlags({}));

const CONFIG = '[proxy]\nname = "p"\nclient_auth = true\n[policy]\nmode = "sticky"\n';
const ALICE = [{ alias: "alice" }];
const start = (options: Partial<Parameters<typeof startPool>[0]> = {}) =>
  startPool({ accounts: ALICE, config: CONFIG, ...options });
const keysOf = (pool: TestPool) => remoteKeys(socketDoor(pool.layout.adminSocket));
const keyWith = (pool: TestPool, limits: KeyLimits, name = "laptop") =>
  keysOf(pool).add(name, "client", undefined, limits);
const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
const CODEX = { originator: "codex_exec" };

type Transport = "sse" | "websocket";

/** The response to a turn: of HTTP, or the first event of a turn on a WebSocket. */
interface Reply {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly notice: string | undefined;
  readonly body: string;
}

interface Client {
  turn(model?: string): Promise<Reply>;
  close(): void;
}

const PATH = "/backend-api/codex/responses";

async function post(
  pool: TestPool,
  headers: Record<string, string>,
  body: string,
  path = PATH,
): Promise<Reply> {
  const response = await fetch(`${pool.url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body,
  });
  return {
    status: response.status,
    retryAfter: response.headers.get("retry-after") ?? undefined,
    notice: response.headers.get("x-codex-promo-message") ?? undefined,
    body: await response.text(),
  };
}

async function open(pool: TestPool, headers: Record<string, string>): Promise<WebSocket> {
  const socket = new WebSocket(`${pool.url.replace("http", "ws")}${PATH}`, { headers });
  await new Promise((resolve, reject) => {
    socket.on("open", resolve);
    socket.on("error", reject);
  });
  return socket;
}

/** Sends `message` and resolves to the turn's last event. */
function lastEvent(socket: WebSocket, message: string): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const take = (data: WebSocket.RawData) => {
      const body = String(data);
      const event = JSON.parse(body) as { type: string; status?: number; headers?: Record<string, string> };
      if (event.type !== "error" && event.type !== "response.completed") return;
      socket.off("message", take);
      resolve({
        status: event.status ?? 200,
        retryAfter: event.headers?.["retry-after"],
        notice: event.headers?.["x-codex-promo-message"],
        body,
      });
    };
    socket.on("message", take);
    socket.on("close", (code) => reject(new Error(`closed with ${code}`)));
    socket.send(message);
  });
}

const CLIENTS: Record<
  Transport,
  (pool: TestPool, key: string, headers?: Record<string, string>) => Promise<Client>
> = {
  sse: async (pool, key, headers = {}) => ({
    turn: (model = "demo") =>
      post(pool, { ...bearer(key), ...headers }, JSON.stringify({ model, stream: true, input: [] })),
    close: () => {},
  }),
  websocket: async (pool, key, headers = {}) => {
    const socket = await open(pool, { ...bearer(key), ...headers });
    return {
      turn: (model = "demo") =>
        lastEvent(socket, JSON.stringify({ type: "response.create", model, input: [] })),
      close: () => socket.terminate(),
    };
  },
};

describe.each(["sse", "websocket"] as const)("over %s", (transport) => {
  const client = CLIENTS[transport];

  test("an expired key is refused in the middle of a session, so that Codex stops and shows it", async () => {
    const clock = skippingClock();
    await using pool = await start({ clock });
    const key = await keyWith(pool, { expiresMs: clock.now() + 60_000 });
    const codex = await client(pool, key, CODEX);
    expect((await codex.turn()).status).toBe(200);
    clock.skip(60_000);
    const refused = await codex.turn();
    expect(refused).toMatchObject({ status: 400, retryAfter: undefined });
    expect(refused.body).toContain("the key laptop expired on ");
    expect(refused.body).toContain("codexlb key set");
    codex.close();
    await keysOf(pool).set("laptop", { limits: { expiresMs: clock.now() + 60_000 } });
    const again = await client(pool, key, CODEX);
    expect((await again.turn()).status).toBe(200);
    again.close();
  });

  test("a turn too many within a minute gets the time after which it is let in", async () => {
    const clock = skippingClock();
    await using pool = await start({ clock });
    const codex = await client(pool, await keyWith(pool, { turnsPerMinute: 2 }), CODEX);
    for (const status of [200, 200, 429]) expect((await codex.turn()).status).toBe(status);
    const refused = await codex.turn();
    const seconds = Number(refused.retryAfter);
    expect(seconds).toBeWithin(55, 62);
    expect(refused.body).toContain("the key laptop has reached its limit of 2 turns per minute");
    expect(refused.body).not.toContain("usage_limit_reached");
    clock.skip(seconds * 1_000);
    expect((await codex.turn()).status).toBe(200);
    codex.close();
  });

  test("after the tokens of a day, Codex is shown a usage limit until the day of the proxy ends", async () => {
    const clock = skippingClock();
    await using pool = await start({ clock });
    const codex = await client(pool, await keyWith(pool, { tokensPerDay: 1 }), CODEX);
    expect((await codex.turn()).status).toBe(200);
    const refused = await codex.turn();
    const resetMs = startOfDay(clock.now(), 1);
    expect(refused).toMatchObject({
      status: 429,
      retryAfter: undefined,
      notice: "The key laptop has used its 1 tokens for today: ask the owner of the proxy for more",
    });
    expect(JSON.parse(refused.body)).toMatchObject({
      error: {
        type: "usage_limit_reached",
        code: "key_tokens_used",
        message: "the key laptop has used its 1 tokens for today",
        resets_at: Math.floor(resetMs / 1000),
      },
    });
    clock.skip(resetMs - clock.now());
    expect((await codex.turn()).status).toBe(200);
    codex.close();
  });

  test("a model that is not allowed is refused, and the refusal names the allowed ones", async () => {
    await using pool = await start();
    const codex = await client(pool, await keyWith(pool, { models: ["gpt-6*", "demo"] }), CODEX);
    expect((await codex.turn()).status).toBe(200);
    expect((await codex.turn("gpt-6.1")).status).toBe(200);
    const refused = await codex.turn("gpt-5");
    expect(refused).toMatchObject({ status: 400, retryAfter: undefined });
    expect(refused.body).toContain("the key laptop cannot use the model gpt-5; allowed: gpt-6*, demo");
    const point = transport === "sse" ? "sse" : "message";
    expect(pool.mock.requests.filter((request) => request.point === point)).toHaveLength(2);
    codex.close();
  });

  test("changed limits count for the next turn of a session, also if its key had none before", async () => {
    await using pool = await start();
    const key = await keysOf(pool).add("laptop", "client");
    const codex = await client(pool, key, CODEX);
    expect((await codex.turn()).status).toBe(200);
    await keysOf(pool).set("laptop", { limits: { models: ["gpt-6*"] } });
    expect((await codex.turn()).status).toBe(400);
    await keysOf(pool).set("laptop", { limits: { models: null } });
    expect((await codex.turn()).status).toBe(200);
    codex.close();
  });

  test("of many turns at once, no more than the limit are let in", async () => {
    await using pool = await start();
    const key = await keyWith(pool, { turnsPerMinute: 7 });
    const clients = await Promise.all(Array.from({ length: 20 }, () => client(pool, key)));
    const replies = await Promise.all(clients.map((one) => one.turn()));
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(7);
    expect(replies.filter(({ status }) => status === 429)).toHaveLength(13);
    for (const one of clients) one.close();
  });

  test("the tokens of a day are exceeded only by turns that were in flight", async () => {
    await using pool = await start();
    const key = await keyWith(pool, { tokensPerDay: 1 });
    pool.mock.faults.add({ on: "turn", gateAfter: 1 });
    const clients = await Promise.all(Array.from({ length: 5 }, () => client(pool, key)));
    const turns = clients.map((one) => one.turn());
    await until("all turns are in flight", () => pool.daemon.inFlight() >= 5);
    for (const _ of turns) pool.mock.faults.release();
    expect((await Promise.all(turns)).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    const late = await Promise.all(clients.map((one) => one.turn()));
    expect(late.map(({ status }) => status)).toEqual([429, 429, 429, 429, 429]);
    const [info] = await keysOf(pool).list();
    expect(info?.use?.tokensToday).toBeGreaterThan(5_000);
    for (const one of clients) one.close();
  });

  test("a refusal is in the log with its key, and a proxy in front gets its own kind of refusal", async () => {
    await using pool = await start();
    const codex = await client(pool, await keyWith(pool, { models: ["gpt-6*"] }));
    const refused = await codex.turn("gpt-5");
    expect(JSON.parse(refused.body)).toMatchObject({ error: { code: "model_not_allowed" } });
    codex.close();
    const logged = (await pool.stopAndReadEvents()).filter(({ event }) => event === "key.refused");
    expect(logged.map(({ fields }) => fields)).toEqual([
      { key: "laptop", limit: "model", model: "gpt-5", req_id: expect.any(Number) },
    ]);
  });
});

test("a client with a key learns no path of the proxy's machine", async () => {
  setAdvisedFlags({ root: "/private/root" });
  await using pool = await start();
  const limited = await keyWith(pool, { models: ["none-*"] });
  const tagged = await keysOf(pool).add("tagged", "client", { tags: ["nosuch"], only: true });
  const removed = "clb_unknown";
  const turn = JSON.stringify({ model: "demo", stream: true, input: [] });
  const refusals = await Promise.all([
    post(pool, { ...bearer(limited), ...CODEX }, turn),
    post(pool, bearer(tagged), turn),
    post(pool, bearer(removed), turn),
    ...["/status", "/metrics"].map(async (path) => {
      const response = await fetch(`${pool.url}${path}`, { headers: bearer(limited) });
      return { status: response.status, body: await response.text() };
    }),
  ]);
  expect(refusals.map(({ status }) => status)).toEqual([400, 400, 401, 401, 401]);
  for (const { body } of refusals) {
    expect(body).toContain("codexlb ");
    expect(body).not.toContain("/private/root");
  }
  const tags = { tags: ["nosuch"], only: true };
  const run = runPrefix({ id: "0123456789abcdef", account: undefined, tags });
  const ofOwner = await post(pool, bearer(pool.adminToken), turn, `${run}${PATH}`);
  expect(ofOwner.body).toContain("codexlb account set --root /private/root ALIAS --tag nosuch");
});

test("one key counts on both transports, and other keys are not affected", async () => {
  await using pool = await start();
  const key = await keyWith(pool, { turnsPerMinute: 2 });
  const [sse, socket] = [await CLIENTS.sse(pool, key), await CLIENTS.websocket(pool, key)];
  expect((await sse.turn()).status).toBe(200);
  expect((await socket.turn()).status).toBe(200);
  expect((await sse.turn()).status).toBe(429);
  expect((await socket.turn()).status).toBe(429);
  const other = await CLIENTS.sse(pool, await keyWith(pool, { turnsPerMinute: 2 }, "desk"));
  expect((await other.turn()).status).toBe(200);
  const free = await CLIENTS.sse(pool, await keysOf(pool).add("free", "client"));
  for (let turn = 0; turn < 5; turn++) expect((await free.turn()).status).toBe(200);
  socket.close();
});

test("a turn that is sent again because its account reached its limit counts once", async () => {
  await using pool = await start({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
  const key = await keyWith(pool, { turnsPerMinute: 3 });
  const codex = createSocketClient(pool.url, "s1", bearer(key));
  expect(await codex.turn("one")).toBe("Hello from alice");
  pool.mock.faults.add({
    on: "message",
    account: "alice",
    events: [
      { type: "error", status: 429, error: { type: "usage_limit_reached", resets_in_seconds: 3_600 } },
    ],
  });
  // The second turn refers to the first one, so the client is asked to reconnect and to send everything.
  expect(await codex.turn("two")).toBe("Hello from bob");
  expect((await keysOf(pool).list())[0]?.use?.turnsLastMinute).toBe(2);
  codex.close();
});

test("counts continue after a restart of the proxy", async () => {
  const clock = skippingClock();
  await using pool = await start({ clock });
  const key = await keyWith(pool, { turnsPerMinute: 1, tokensPerDay: 1_000_000 });
  await createSseClient(pool.url, "s1", bearer(key)).turn("hi");
  const [before] = await keysOf(pool).list();
  await pool.stopAndReadEvents();
  await using next = await startPool({
    accounts: ALICE,
    config: CONFIG,
    clock,
    prepare: ({ keys, keyUse }) => {
      for (const [to, from] of [
        [keys, pool.layout.keys],
        [keyUse, pool.layout.keyUse],
      ] as const)
        copyFileSync(from, to);
    },
  });
  const [after] = await keysOf(next).list();
  expect(after).toMatchObject({ use: { ...before?.use } });
  expect((await (await CLIENTS.sse(next, key)).turn()).status).toBe(429);
});

test.each([
  ["turns per minute", { turnsPerMinute: 1 }],
  ["tokens per day", { tokensPerDay: 1 }],
  ["models", { models: ["other"] }],
] as const)(
  "a proxy in front whose key has reached its limit uses another upstream: %s",
  async (_name, limits) => {
    await using child = await start({ accounts: ALICE });
    const key = await keysOf(child).add("front", "parent", undefined, { ...limits, models: ["demo"] });
    await using front = await startPool({
      accounts: [{ alias: "bob" }],
      config: `[proxy]\nname = "front"\nchild_proxy_urls = ["${child.url.replace("//", `//:${key}@`)}"]\n[policy]\nmode = "sticky"\n[accounts.bob]\npriority = -1\n`,
    });
    expect(await createSseClient(front.url, "s1").turn("one")).toBe("Hello from alice");
    await keysOf(child).set("front", { limits });
    expect(await createSseClient(front.url, "s1").turn("two")).toBe("Hello from bob");
    expect(await createSocketClient(front.url, "s2").turn("three")).toBe("Hello from bob");
  },
);

describe("an expired key", () => {
  test("opens nothing, and every answer says why", async () => {
    const clock = skippingClock();
    await using pool = await start({ clock });
    const key = await keyWith(pool, { expiresMs: clock.now() + 60_000 });
    const parent = await keysOf(pool).add("front", "parent", undefined, { expiresMs: clock.now() + 60_000 });
    const metrics = await keysOf(pool).add("prom", "metrics", undefined, { expiresMs: clock.now() + 60_000 });
    const asked = async (secret: string, path: string, headers: Record<string, string> = {}) => {
      const response = await fetch(`${pool.url}${path}`, { headers: { ...bearer(secret), ...headers } });
      return [response.status, (await response.text()).includes("expired on ")];
    };
    const all = async () => [
      await asked(key, "/backend-api/codex/models?client_version=0.171.0"),
      await asked(key, "/backend-api/wham/usage"),
      await asked(key, "/admin/runtime-auth"),
      await asked(parent, "/status"),
      await asked(metrics, "/metrics"),
    ];
    expect(await all()).toEqual(Array.from({ length: 5 }, () => [200, false]));
    clock.skip(60_000);
    expect(await all()).toEqual(Array.from({ length: 5 }, () => [401, true]));
    expect(await asked(key, "/backend-api/codex/models", CODEX)).toEqual([400, true]);
    // Without this response, Codex would not send the turn whose refusal it shows.
    const check = { "chatgpt-account-id": "x" };
    expect(await asked(key, "/backend-api/wham/accounts/check", check)).toEqual([200, false]);
    expect(await open(pool, bearer(key)).catch(String)).toContain("401");
  });
});

describe("a key with limits cannot pass a turn by them:", () => {
  test("a second model in the body, a hidden one, or none", async () => {
    await using pool = await start();
    const headers = { ...bearer(await keyWith(pool, { models: ["gpt-6*"] })), ...CODEX };
    for (const body of [
      '{"model":"gpt-6","stream":true,"input":[],"model":"gpt-5"}',
      '{"model":"gpt-6","stream":true,"input":[],"mod\\u0065l":"gpt-5"}',
      '{"stream":true,"input":[]}',
      '{"model":5,"stream":true,"input":[]}',
      '[{"model":"gpt-6"}]',
    ]) {
      const { status, body: text } = await post(pool, headers, body);
      expect([status, text]).toEqual([400, expect.stringContaining("does not name exactly one")]);
    }
    const socket = await open(pool, headers);
    const reply = await lastEvent(
      socket,
      '{"type":"response.create","model":"gpt-6","input":[],"model":"gpt-5"}',
    );
    expect(reply.body).toContain("does not name exactly one");
    socket.terminate();
  });

  test("a turn in a message with two types, or in a binary one", async () => {
    await using pool = await start();
    const key = await keyWith(pool, { turnsPerMinute: 5 });
    const turn = '{"type":"response.processed","type":"response.create","model":"demo","input":[]}';
    for (const message of [turn, Buffer.from('{"type":"response.create","model":"demo","input":[]}')]) {
      const socket = await open(pool, bearer(key));
      const closed = new Promise((resolve) => socket.on("close", resolve));
      socket.send(message);
      expect(await closed).toBe(1008);
    }
  });

  test("another spelling of the path", async () => {
    await using pool = await start();
    const key = await keyWith(pool, { turnsPerMinute: 5 });
    const free = await keysOf(pool).add("free", "client");
    const spellings = [
      "/backend-api/codex//responses",
      "/backend-api/codex/%72esponses",
      "/backend-api/codex/responses;x",
    ];
    for (const path of spellings) {
      const refused = await post(pool, bearer(key), "{}", path);
      expect([path, refused.status, refused.body]).toEqual([
        path,
        403,
        expect.stringContaining("path_refused"),
      ]);
      expect((await post(pool, bearer(free), "{}", path)).status).not.toBe(403);
    }
  });
});

describe("the models that Codex lists", () => {
  const MODELS = "/backend-api/codex/models";
  const slugsOf = async (response: Response) =>
    ((await response.json()) as { models: { slug: string }[] }).models.map(({ slug }) => slug);

  test("are those that the key allows, under a version of their own that turns name, too", async () => {
    const models = { models: ["a", "b", "ab"].map((slug) => ({ slug, display_name: slug })) };
    await using pool = await start({ accounts: [{ alias: "alice", models }] });
    const ask = (key: string, query = "?client_version=0.171.0") =>
      fetch(`${pool.url}${MODELS}${query}`, { headers: bearer(key) });
    const free = await keysOf(pool).add("free", "client");
    const all = await ask(free);
    expect(await slugsOf(all)).toEqual(["a", "b", "ab"]);
    const key = await keyWith(pool, { models: ["a*"] });
    const allowed = await ask(key);
    const version = allowed.headers.get("etag");
    expect(await slugsOf(allowed)).toEqual(["a", "ab"]);
    expect(version).not.toBe(all.headers.get("etag"));
    const unchanged = await fetch(`${pool.url}${MODELS}?client_version=0.171.0`, {
      headers: { ...bearer(key), "if-none-match": version ?? "" },
    });
    expect(unchanged.status).toBe(304);
    // Without a version of Codex, one account gets the request.
    expect(await slugsOf(await ask(key, ""))).toEqual(["a", "ab"]);
    const turn = await fetch(`${pool.url}${PATH}`, {
      method: "POST",
      headers: { ...bearer(key), version: "0.171.0", "content-type": "application/json" },
      body: JSON.stringify({ model: "a", stream: true, input: [] }),
    });
    await turn.text();
    expect(turn.headers.get("x-models-etag")).toBe(version);
    expect(await slugsOf(await ask(free))).toEqual(["a", "b", "ab"]);
  });
});
