// Errors from the backend's gateways have the form `{"detail": "…"}`. The client sees that text over both transports.

import { describe, expect, test } from "bun:test";
import WebSocket from "ws";
import { startPool, type TestPool } from "../support/pool.ts";

const PATH = "/backend-api/codex/responses";
const DETAIL = "Your organization does not allow this.";
const REFUSAL = { status: 400, body: { detail: DETAIL } };

describe("a refusal with a detail", () => {
  test("reaches the client unchanged over HTTP", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    pool.mock.faults.add({ on: "sse", answer: REFUSAL });
    const response = await fetch(pool.url + PATH, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: "m", stream: true, input: [] }),
    });
    expect([response.status, await response.json()]).toEqual([400, { detail: DETAIL }]);
  });

  test("reaches the client unchanged over WebSocket", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    pool.mock.faults.add({ on: "message", answer: REFUSAL });
    expect(await turn(await open(pool))).toEqual({ type: "error", status: 400, detail: DETAIL });
  });

  test("of a handshake in the middle of a session reaches the client as the turn's error", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
    const socket = await open(pool);
    pool.mock.faults.add(
      { on: "message", account: "alice", answer: { status: 404, body: { detail: "Not Found" } } },
      { on: "upgrade", account: "bob", answer: { status: 404, body: { detail: DETAIL } } },
    );
    expect(await turn(socket)).toEqual({ type: "error", status: 404, detail: DETAIL });
  });

  test("of the first handshake is in the answer that sends the client to HTTP", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    pool.mock.faults.add({ on: "upgrade", answer: REFUSAL });
    const refused = await handshake(pool);
    if (refused instanceof WebSocket) throw new Error("the handshake was accepted");
    expect(refused.status).toBe(426);
    expect(refused.body).toContain(`refused the WebSocket handshake: 400: ${DETAIL}`);
  });
});

test("a refusal without JSON reaches the client over WebSocket as the error's message", async () => {
  await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
  const socket = await open(pool);
  pool.mock.faults.add(
    { on: "message", account: "alice", answer: { status: 404, body: { detail: "Not Found" } } },
    { on: "upgrade", account: "bob", answer: { status: 404, body: "no such place" } },
  );
  expect(await turn(socket)).toEqual({ type: "error", status: 404, error: { message: "no such place" } });
});

/** The open socket, or the response to the handshake. */
function handshake(pool: TestPool): Promise<WebSocket | { readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`${pool.url.replace(/^http/, "ws")}${PATH}`);
    socket.once("open", () => resolve(socket));
    socket.once("error", reject);
    socket.once("unexpected-response", (_request, reply) => {
      let body = "";
      reply.on("data", (chunk: Buffer) => {
        body += chunk.toString();
      });
      reply.on("end", () => resolve({ status: reply.statusCode ?? 0, body }));
    });
  });
}

async function open(pool: TestPool): Promise<WebSocket> {
  const socket = await handshake(pool);
  if (!(socket instanceof WebSocket)) throw new Error(`the handshake got ${socket.status}: ${socket.body}`);
  return socket;
}

/** Takes a turn; resolves to the first event, which must be an error. */
async function turn(socket: WebSocket): Promise<unknown> {
  const answered = new Promise<Buffer>((resolve) => socket.once("message", resolve));
  socket.send(JSON.stringify({ type: "response.create", model: "m", input: [] }));
  const event: unknown = JSON.parse((await answered).toString());
  socket.terminate();
  return event;
}
