import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import WebSocket from "ws";
import { createSseClient } from "../../src/mock/client.ts";
import { outcome } from "../support/outcome.ts";
import { startPool, type TestPool, until } from "../support/pool.ts";

const PATH = "/backend-api/codex/responses";
const TURN = JSON.stringify({ type: "response.create", model: "m", input: [] });

test("a proxy that shuts down closes idle sockets immediately, lets turns finish, and accepts nothing new", async () => {
  await using pool = await startPool({ accounts: [{ alias: "alice" }] });
  pool.mock.faults.add({ on: "sse", times: 1, delayMs: 200 });
  pool.mock.faults.add({ on: "message", times: 1, delayMs: 200 });
  const idle = await open(pool);
  const busy = await open(pool);
  const idleClosed = new Promise<number>((resolve) => idle.on("close", resolve));
  const busyClosed = new Promise<number>((resolve) => busy.on("close", resolve));
  const completed = new Promise<boolean>((resolve) =>
    busy.on("message", (data: Buffer) => {
      if (data.toString().includes("response.completed")) resolve(true);
    }),
  );
  busy.send(TURN);
  const turn = createSseClient(pool.url, "s1").turn("hello");
  const under = (point: string) => pool.mock.requests.some((one) => one.point === point);
  await until("both turns are under way", () => under("sse") && under("message"));
  const stopped = pool.daemon.stop("test");
  expect(await idleClosed).toBe(1001);
  expect(await turn).toBe("Hello from alice");
  expect(await completed).toBe(true);
  expect(await busyClosed).toBe(1001);
  await stopped;
  expect(await outcome(fetch(`${pool.url}/healthz`))).toThrow();
});

test("a proxy that shuts down closes a socket whose handshake has not ended", async () => {
  await using pool = await startPool({
    accounts: [{ alias: "alice" }],
    // Longer than the test is allowed to take.
    config: "[proxy]\ndrain_timeout_seconds = 3600\n",
  });
  pool.mock.faults.add({ on: "upgrade", times: 1, delayMs: 200 });
  const opening = new WebSocket(pool.url.replace("http", "ws") + PATH);
  const closed = new Promise<number>((resolve) => opening.on("close", resolve));
  await until("the handshake has reached the backend", () =>
    pool.mock.requests.some(({ point }) => point === "upgrade"),
  );
  const stopped = pool.daemon.stop("test");
  expect(await closed).toBe(1001);
  await stopped;
});

test("a proxy that works alone and shuts down waits for the answer of the token endpoint, and keeps the login", async () => {
  await using pool = await startPool({
    accounts: [{ alias: "alice", expiresInSeconds: 60 }],
    // Shorter than the answer takes.
    config: "[proxy]\ndrain_timeout_seconds = 0\n",
    prepare: (_layout, mock) => mock.faults.add({ on: "token", times: 1, delayMs: 500 }),
  });
  await until("the refresh token is sent", () => pool.mock.requests.some(({ point }) => point === "token"));
  await pool.daemon.stop("test");
  const login = readFileSync(join(pool.layout.accounts, "alice", "auth.json"), "utf8");
  const { refresh_token: token } = JSON.parse(login).tokens;
  expect(pool.mock.accounts.isLive(token)).toBe(true);
  expect(pool.mock.requests.filter(({ point }) => point === "token")).toHaveLength(1);
});

function open(pool: TestPool): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(pool.url.replace("http", "ws") + PATH);
    socket.once("open", () => resolve(socket));
    socket.once("error", reject);
  });
}
