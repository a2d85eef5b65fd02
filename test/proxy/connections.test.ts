// Tests how long a client's connection may be silent in each phase. All tests wait at the same time, because Bun counts
// such limits in steps of four seconds.

import { describe, expect, test } from "bun:test";
import { connect } from "node:net";
import WebSocket from "ws";
import { createSseClient } from "../../src/mock/client.ts";
import { startPool, type TestPool, until } from "../support/pool.ts";

const HEAD = "HTTP/1.1\r\nHost: localhost\r\n";
const TURNS = "/backend-api/codex/responses";
const LIMITS = { bodySeconds: 8, keepAliveSeconds: 4 };
/** Longer than each of the limits. */
const LONG_MS = 9_000;
/** Several times longer, for waits that a busy machine may prolong. */
const PATIENT_MS = 30_000;
const BODY = JSON.stringify({ model: "m", input: [], stream: true });

const post = (more: string, body: string) => `POST ${TURNS} ${HEAD}${more}\r\n${body}`;

describe("a connection that", () => {
  const CUT: readonly { readonly what: string; readonly first: string; readonly drip?: string }[] = [
    { what: "sends nothing after an answer", first: `GET /healthz ${HEAD}\r\n` },
    { what: "drips a second head", first: `GET /healthz ${HEAD}\r\nGET /h`, drip: "h" },
    { what: "drips its first head", first: `GET /healthz ${HEAD}X: `, drip: "h" },
    { what: "stops half-way through a body", first: post("Content-Length: 100\r\n", "half") },
    { what: "drips a body", first: post("Content-Length: 100\r\n", "half"), drip: "a" },
    { what: "waits after 100 Continue", first: post("Content-Length: 9\r\nExpect: 100-continue\r\n", "") },
    {
      what: "drips tiny chunks",
      first: post("Transfer-Encoding: chunked\r\n", ""),
      drip: "1\r\na\r\n",
    },
    {
      what: "drips a chunk extension that never ends",
      first: post("Transfer-Encoding: chunked\r\n", "1;x="),
      drip: "a",
    },
    {
      what: "drips trailers that never end",
      first: post("Transfer-Encoding: chunked\r\n", "1\r\na\r\n0\r\nX: "),
      drip: "a",
    },
    {
      what: "drips the body of a token request",
      first: `POST /oauth/token ${HEAD}Content-Length: 99\r\n\r\n`,
      drip: "{",
    },
  ];

  test.concurrent("has something to send but is silent or drips is closed, without occupying an account", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }], limits: LIMITS });
    const cut = CUT.map(({ what, first, drip }) => ({ what, client: open(pool, first, drip) }));
    await Promise.all(cut.map(({ client }) => client.connected));
    expect((await pool.status()).accounts[0]?.in_flight).toBe(0);
    const closed = Promise.all(cut.map(({ client }) => client.closed));
    const missing = () => cut.filter(({ client }) => client.isOpen()).map(({ what }) => what);
    await until("all are cut", () => missing().length === 0, PATIENT_MS).catch(() => {});
    expect(missing()).toEqual([]);
    await closed;
    expect(pool.mock.requests.filter(({ path }) => path.endsWith("/responses"))).toEqual([]);
  }, 60_000);

  test.concurrent("waits for its response, or is a stream or a WebSocket, stays open until the response is over", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }], limits: LIMITS });
    pool.mock.faults.add({ on: "sse", times: 1, delayMs: LONG_MS });
    const awaiting = createSseClient(pool.url, "s").turn("hello");
    const kept = open(pool, post(`Content-Length: ${BODY.length}\r\n`, BODY));
    const presence = open(
      pool,
      `GET /admin/presence ${HEAD}Authorization: Bearer ${pool.adminToken}\r\n\r\n`,
    );
    const socket = new WebSocket(pool.url.replace("http", "ws") + TURNS);
    await new Promise((resolve) => socket.once("open", resolve));
    const chunk = "a".repeat(40_000);
    const upload = open(pool, post(`Content-Length: ${26 * chunk.length}\r\n`, ""), chunk, 26);
    expect(await awaiting).toBe("Hello from alice");
    expect(presence.isOpen()).toBe(true);
    expect(socket.readyState).toBe(WebSocket.OPEN);
    // At 80 kB/s the upload takes 13 s, without a pause.
    await until("the upload is answered", () => upload.received().startsWith("HTTP/1.1 "), PATIENT_MS);
    expect(kept.received()).toContain("response.completed");
    await until("the connection of a finished stream is cut", () => !kept.isOpen(), PATIENT_MS);
    socket.terminate();
    presence.close();
    upload.close();
  }, 60_000);
});

describe("requests that come in one packet", () => {
  test("get no response, and nothing is sent upstream, if the first one waits for an account", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    await createSseClient(pool.url, "s").turn("hello");
    const before = pool.mock.requests.length;
    const turn = post(`Content-Length: ${BODY.length}\r\n`, BODY);
    const read = `GET /backend-api/codex/models ${HEAD}\r\n`;
    const healthz = `GET /healthz ${HEAD}\r\n`;
    for (const packet of [turn + turn, turn + healthz, read + read, read + healthz]) {
      const client = open(pool, packet);
      await client.closed;
      expect(client.received()).toBe("");
    }
    // After a whole turn, anything sent before would have arrived.
    await createSseClient(pool.url, "s").turn("hello");
    expect(pool.mock.requests.slice(before).map(({ path }) => path)).toEqual([TURNS]);
    expect((await pool.status()).accounts[0]?.in_flight).toBe(0);
  });

  test("are answered in order if each is answered immediately", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    const client = open(pool, `GET /healthz ${HEAD}\r\n`.repeat(3));
    await until("all three are answered", () => client.received().split("HTTP/1.1 200").length === 4);
    client.close();
  });
});

// --- internal ---

interface RawClient {
  readonly connected: Promise<void>;
  readonly closed: Promise<void>;
  isOpen(): boolean;
  received(): string;
  close(): void;
}

/** Connects and sends `first`, then `drip` twice a second, `times` times. */
function open(pool: TestPool, first: string, drip?: string, times = Number.POSITIVE_INFINITY): RawClient {
  const socket = connect(Number(new URL(pool.url).port), "127.0.0.1");
  const connected = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  let isOpen = true;
  let received = "";
  let left = times;
  let dripping: ReturnType<typeof setInterval> | undefined;
  socket.on("connect", () => {
    socket.write(first);
    if (drip !== undefined)
      dripping = setInterval(() => {
        if (left-- > 0) socket.write(drip);
      }, 500);
    connected.resolve();
  });
  socket.on("data", (data) => {
    received += data.toString();
  });
  socket.on("error", () => {}); // "close" follows
  socket.on("close", () => {
    clearInterval(dripping);
    isOpen = false;
    closed.resolve();
  });
  return {
    connected: connected.promise,
    closed: closed.promise,
    isOpen: () => isOpen,
    received: () => received,
    close: () => socket.destroy(),
  };
}
