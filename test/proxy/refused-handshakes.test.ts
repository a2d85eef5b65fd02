// What is recorded and counted if codexlb refuses to open a WebSocket. The headers are those of Codex 0.171, which
// opens one before its first turn (`prewarm`), and one for each turn that has none.

import { expect, test } from "bun:test";
import WebSocket from "ws";
import { remoteUsage } from "../../src/admin/client.ts";
import { socketDoor } from "../../src/admin/door.ts";
import { limitBody, startPool, type TestPool } from "../support/pool.ts";
import { recordedTurns } from "../support/recorded-turns.ts";
import { samplesIn, scrape, sumOf } from "../support/scrape.ts";

const RESET_S = Math.floor(Date.now() / 1000) + 3_600;
const LIMIT = limitBody(RESET_S);

function metadataOf(kind: string): string {
  return JSON.stringify({
    session_id: "s1",
    turn_id: kind === "prewarm" ? "" : "t1",
    request_kind: kind,
    workspaces: { "/home/u/shop": {} },
  });
}

/** Opens a WebSocket; resolves to it, or to the status with which it was refused. */
function handshake(pool: TestPool, headers: Record<string, string>): Promise<WebSocket | number> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`${pool.url.replace("http", "ws")}/backend-api/codex/responses`, {
      headers,
    });
    socket.once("open", () => resolve(socket));
    socket.once("unexpected-response", (_request, reply) => {
      reply.resume();
      resolve(reply.statusCode ?? 0);
    });
    socket.once("error", reject);
  });
}

function codexHandshake(pool: TestPool, kind: string): Promise<WebSocket | number> {
  return handshake(pool, {
    "session-id": "s1",
    "x-codex-turn-metadata": metadataOf(kind),
    "x-codex-routing-hint": "model=gpt-6.2-sol",
    originator: "codex_exec",
  });
}

async function refusedWebSockets(pool: TestPool, reason: string): Promise<number> {
  const samples = samplesIn(await scrape(pool.url, pool.adminToken));
  return sumOf(samples, "codexlb_websocket_refusals_total", { reason });
}

async function refusedTurns(pool: TestPool, kind: string): Promise<number> {
  const samples = samplesIn(await scrape(pool.url, pool.adminToken));
  return sumOf(samples, "codexlb_turns_total", { outcome: "refused", transport: "websocket", kind });
}

async function totalOf(pool: TestPool) {
  const query = { sinceMs: 0, untilMs: 8.64e15, by: "day" } as const;
  return (await remoteUsage(socketDoor(pool.layout.adminSocket), query)).total;
}

test("a refused handshake is a refused turn, unless it only prepares a WebSocket", async () => {
  await using pool = await startPool({ accounts: [{ alias: "alice" }] });
  await pool.accounts.serve("alice", "disable");
  expect(await codexHandshake(pool, "prewarm")).toBe(400);
  expect(await totalOf(pool)).toMatchObject({ turns: 0, failed: 0 });
  expect(await codexHandshake(pool, "turn")).toBe(400);
  expect(await totalOf(pool)).toMatchObject({ turns: 1, failed: 1 });
  expect(await refusedWebSockets(pool, "no_account_available")).toBe(2);
  expect([await refusedTurns(pool, "prewarm"), await refusedTurns(pool, "turn")]).toEqual([1, 1]);
  const refused = { outcome: "refused", code: "no_account_available", transport: "websocket", session: "s1" };
  const known = { requested_model: "gpt-6.2-sol", project: "/home/u/shop", account: null, attempts: 0 };
  await pool.stopAndReadEvents();
  expect(recordedTurns(pool.layout.usage)).toMatchObject([
    { ...refused, ...known, kind: "prewarm" },
    { ...refused, ...known, kind: "turn" },
  ]);
});

test("an exhausted pool refuses the turn of a handshake with its limit", async () => {
  await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
  pool.mock.faults.add({ on: "upgrade", answer: { status: 429, body: { error: LIMIT } } });
  expect(await codexHandshake(pool, "compaction")).toBe(429);
  expect(await refusedWebSockets(pool, "usage_limit_reached")).toBe(1);
  await pool.stopAndReadEvents();
  expect(recordedTurns(pool.layout.usage)).toMatchObject([
    { kind: "compaction", outcome: "refused", code: "usage_limit_reached" },
  ]);
});

test("the handshake of a client that does not say what it is for is only counted", async () => {
  await using pool = await startPool({ accounts: [] });
  expect(await handshake(pool, { "session-id": "s1" })).toBe(400);
  expect(await refusedWebSockets(pool, "no_accounts")).toBe(1);
  await pool.stopAndReadEvents();
  expect(recordedTurns(pool.layout.usage)).toEqual([]);
});

test("a handshake after which Codex uses HTTP is counted, and its turn is recorded only over HTTP", async () => {
  await using pool = await startPool({ accounts: [{ alias: "alice" }] });
  pool.mock.faults.add({ on: "upgrade", answer: { status: 426 } });
  expect(await codexHandshake(pool, "turn")).toBe(426);
  expect(await refusedWebSockets(pool, "use_http")).toBe(1);
  await pool.stopAndReadEvents();
  expect(recordedTurns(pool.layout.usage)).toEqual([]);
});

test("a turn whose client had to reconnect and was then refused is one turn with the part before", async () => {
  await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
  const socket = await codexHandshake(pool, "turn");
  if (typeof socket === "number") throw new Error(`the handshake got ${socket}`);
  pool.mock.faults.add({
    on: "message",
    account: "alice",
    events: [{ type: "error", status: 429, error: LIMIT }],
  });
  const answered = new Promise<string>((resolve) =>
    socket.once("message", (data: Buffer) => resolve(data.toString())),
  );
  const client_metadata = { "x-codex-turn-metadata": metadataOf("turn") };
  socket.send(
    JSON.stringify({
      ...{ type: "response.create", model: "gpt-6.2-sol", previous_response_id: "r0", input: [] },
      client_metadata,
    }),
  );
  expect(await answered).toContain("websocket_connection_limit_reached");
  socket.terminate();
  for (const alias of ["alice", "bob"]) await pool.accounts.serve(alias, "disable");
  expect(await codexHandshake(pool, "turn")).toBe(400);
  expect(await totalOf(pool)).toMatchObject({ turns: 1, failed: 1 });
  await pool.stopAndReadEvents();
  const [moved, refused] = recordedTurns(pool.layout.usage);
  expect([moved?.outcome, refused?.outcome, refused?.attempts]).toEqual(["moved", "refused", 1]);
  expect(refused?.started_ms).toBe(moved?.started_ms ?? 0);
});
