// Tests the responses while all accounts are cooling down, and the state that survives a restart.

import { describe, expect, test } from "bun:test";
import WebSocket from "ws";
import { startDaemon } from "../../src/daemon/daemon.ts";
import { systemDeps } from "../../src/deps.ts";
import { createSseClient } from "../../src/mock/client.ts";
import { startPool, type TestPool } from "../support/pool.ts";
import { startUpstream } from "../support/upstream.ts";

const PATH = "/backend-api/codex/responses";
const post = (url: string, session = "s1") =>
  fetch(url + PATH, {
    method: "POST",
    headers: { "content-type": "application/json", "session-id": session },
    body: JSON.stringify({ model: "m", input: [{ role: "user", content: "hello" }] }),
  });
const asked = (pool: TestPool) => pool.mock.requests.filter(({ point }) => point === "sse").length;

describe("while the only account is cooling down, the client gets", () => {
  test("the backend's whole response, with a Retry-After", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    const body = { error: { code: "internal_server_error", message: "oh no", extra: 1 } };
    pool.mock.faults.add({ on: "sse", answer: { status: 500, body } });
    const answer = await post(pool.url);
    expect(answer.status).toBe(500);
    expect(await answer.json()).toEqual(body);
    expect(Number(answer.headers.get("retry-after"))).toBeGreaterThanOrEqual(2);
    expect(Number(answer.headers.get("retry-after"))).toBeLessThanOrEqual(5);
  });

  test("the backend's Retry-After, if there is one", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    pool.mock.faults.add({ on: "sse", answer: { status: 429, headers: { "retry-after": "17" }, body: {} } });
    expect((await post(pool.url)).headers.get("retry-after")).toBe("17");
  });

  test("the earliest time of the pool, whatever the last account returned", async () => {
    await using pool = await startPool({
      accounts: [{ alias: "alice" }, { alias: "bob" }, { alias: "carol" }],
    });
    for (const [account, seconds] of Object.entries({ alice: 40, bob: 3000, carol: 1500 })) {
      const answer = { status: 429, headers: { "retry-after": String(seconds) }, body: {} };
      pool.mock.faults.add({ on: "sse", account, answer });
    }
    expect((await post(pool.url)).headers.get("retry-after")).toBe("40");
  });

  for (const nonsense of ["0", "-5", "abc", "99999999999"])
    test(`a plausible time in place of ${nonsense}`, async () => {
      await using pool = await startPool({ accounts: [{ alias: "alice" }] });
      const answer = { status: 429, headers: { "retry-after": nonsense }, body: {} };
      pool.mock.faults.add({ on: "sse", answer });
      const seconds = Number((await post(pool.url)).headers.get("retry-after"));
      expect(seconds).toBeGreaterThanOrEqual(1);
      expect(seconds).toBeLessThanOrEqual(3_600);
    });

  test("a 403 without renewing its token each time", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    pool.mock.faults.add({ on: "sse", answer: { status: 403, body: {} } });
    for (let count = 0; count < 4; count++) expect((await post(pool.url)).status).toBe(403);
    expect(pool.mock.requests.filter(({ point }) => point === "token").length).toBe(1);
  });

  test("a 503, after which it tries again, in place of a stream that fails before output", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    const error = { code: "server_is_overloaded", message: "at capacity" };
    pool.mock.faults.add({ on: "sse", events: [{ type: "response.failed", response: { error } }] });
    const answer = await post(pool.url);
    expect(answer.status).toBe(503);
    expect(answer.headers.get("retry-after")).not.toBeNull();
    expect(await answer.json()).toEqual({
      error: { type: error.code, ...error, next: "send the request again" },
    });
  });

  test("one try of the account per request, not more", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
    pool.mock.faults.add({ on: "sse", answer: { status: 500, body: {} } });
    await post(pool.url);
    expect(asked(pool)).toBe(2);
    for (let count = 3; count < 6; count++) {
      await post(pool.url);
      expect(asked(pool)).toBe(count);
    }
  });

  test("over WebSocket, the error after which Codex waits", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    pool.mock.faults.add({
      on: "message",
      events: [{ type: "error", status: 500, error: { code: "server_error", message: "x" } }],
    });
    const socket = new WebSocket(pool.url.replace("http", "ws") + PATH);
    await new Promise((resolve) => socket.once("open", resolve));
    const failed = new Promise<Record<string, unknown>>((resolve) =>
      socket.once("message", (data: Buffer) => resolve(JSON.parse(data.toString()))),
    );
    socket.send(JSON.stringify({ type: "response.create", model: "m", input: [] }));
    expect(await failed).toMatchObject({
      type: "error",
      status: 429,
      error: { code: "rate_limit_exceeded" },
      headers: { "retry-after": expect.stringMatching(/^[2-5]$/) },
    });
    socket.terminate();
  });
});

test("a limit with an implausible reset counts as a limit, and the client gets a plausible reset", async () => {
  await using pool = await startPool({ accounts: [{ alias: "alice" }] });
  const error = { type: "usage_limit_reached", message: "x", resets_at: "soon" };
  pool.mock.faults.add({ on: "sse", times: 1, answer: { status: 429, body: { error } } });
  const { error: limit } = (await (await post(pool.url)).json()) as { error: Record<string, unknown> };
  expect(limit.type).toBe("usage_limit_reached");
  expect(Math.abs(Number(limit.resets_at) - Date.now() / 1000)).toBeLessThan(120);
});

test("a session of the apps server stays with the account that opened it", async () => {
  let asked: (string | null)[] = [];
  await using upstream = startUpstream((request) => {
    asked = [...asked, request.headers.get("chatgpt-account-id")];
    return Response.json({}, { headers: { "mcp-session-id": "m1" } });
  });
  await using pool = await startPool({
    accounts: [{ alias: "alice" }, { alias: "bob" }],
    upstream: upstream.baseUrl,
  });
  const call = async (headers: Record<string, string> = {}) =>
    (await fetch(`${pool.url}/backend-api/ps/mcp`, { method: "POST", headers, body: "{}" })).text();
  await call();
  await pool.accounts.pin("bob");
  await call();
  await pool.accounts.unpin();
  await call({ "mcp-session-id": "m1" });
  expect(asked).toEqual(["mock-alice", "mock-bob", "mock-bob"]);
});

test("an account that the user enables serves, whatever its figures were", async () => {
  await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
  const error = { type: "usage_limit_reached", message: "x", resets_in_seconds: 6_000 };
  pool.mock.faults.add({ on: "sse", account: "alice", times: 1, answer: { status: 429, body: { error } } });
  expect(await createSseClient(pool.url, "s1").turn("hello")).toBe("Hello from bob");
  await pool.accounts.pin("alice");
  expect(await createSseClient(pool.url, "s2").turn("hello")).toBe("Hello from bob");
  await pool.accounts.serve("alice", "enable");
  expect(await createSseClient(pool.url, "s3").turn("hello")).toBe("Hello from alice");
});

test("a request for a model that one account may not use goes to another, and no account cools down", async () => {
  await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
  const detail = "The 'gpt-x' model is not supported when using Codex with a ChatGPT account.";
  pool.mock.faults.add({ on: "sse", account: "alice", answer: { status: 400, body: { detail } } });
  expect(await createSseClient(pool.url, "s1").turn("hello")).toBe("Hello from bob");
  for (const { healthy } of (await pool.status()).accounts) expect(healthy).toBe(true);
});

test("a turn on a connection to an account other than the session's own does not move the session", async () => {
  await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
  const client = createSseClient(pool.url, "s1");
  expect(await client.turn("one")).toBe("Hello from alice");
  pool.mock.faults.add({
    on: "sse",
    account: "alice",
    times: 1,
    answer: { status: 503, headers: { "retry-after": "1" }, body: {} },
  });
  expect(await client.turn("two")).toBe("Hello from bob");
  await pool.accounts.serve("alice", "enable");
  expect(await client.turn("three")).toBe("Hello from alice");
});

test("sessions stay with their accounts after a restart", async () => {
  const config = '[policy]\nmode = "round_robin"\n';
  await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }], config });
  const owners = new Map<string, string>();
  for (const session of ["s1", "s2", "s3", "s4", "s5"])
    owners.set(session, await createSseClient(pool.url, session).turn("hello"));
  expect(new Set(owners.values()).size).toBe(2);
  await pool.stopAndReadEvents();
  const again = await startDaemon(
    pool.layout,
    { listen: "127.0.0.1:0", upstream: pool.mock.baseUrl },
    {
      ...systemDeps(),
      env: { CODEXLB_TOKEN_URL: pool.mock.tokenUrl },
      log: { info: () => {}, warn: () => {} },
    },
  );
  for (const [session, owner] of owners)
    expect(await createSseClient(again.url, session).turn("again")).toBe(owner);
  await again.stop("test");
});
