// Random bytes from a client or a backend: the executable never responds with 500, keeps serving others, ends every
// request, and never mixes up two clients.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type HardenedProxy, sseOf, startHardened, TURN, TURN_EVENTS } from "../hardening/proxy.ts";
import { until } from "../support/pool.ts";
import { FUZZ_TIMEOUT_MS, tries } from "./budget.ts";

/** What the backend sends for alice's turns, by session. bob's turns are ordinary. */
const scripts = new Map<string, readonly Uint8Array[]>();
const ORDINARY = sseOf(TURN_EVENTS);

const backend = Bun.serve<undefined>({
  hostname: "127.0.0.1",
  port: 0,
  idleTimeout: 0,
  development: false,
  fetch: async (request, self) => {
    const { pathname } = new URL(request.url);
    if (pathname.includes("/wham/")) return new Response(null, { status: 404 });
    if (request.headers.get("upgrade") === "websocket")
      return self.upgrade(request, { data: undefined }) ? undefined : new Response(null, { status: 400 });
    await request.arrayBuffer();
    const script = scripts.get(request.headers.get("session-id") ?? "");
    const isAlice = request.headers.get("authorization") === "Bearer token-alice";
    const headers = { "content-type": "text/event-stream" };
    if (script === undefined || !isAlice) return new Response(ORDINARY, { headers });
    const parts = script.values();
    return new Response(
      new ReadableStream<Uint8Array>({
        pull: (controller) => {
          const { value, done } = parts.next();
          if (done) controller.close();
          else if (value.byteLength > 0) controller.enqueue(value);
          else controller.enqueue(new Uint8Array([10]));
        },
      }),
      { headers },
    );
  },
  websocket: {
    message: (socket, message) => {
      if (!String(message).includes("response.create")) return void socket.send(message);
      for (const event of TURN_EVENTS) socket.send(JSON.stringify(event));
    },
  },
});

let proxy: HardenedProxy;
beforeAll(async () => {
  proxy = await startHardened({
    upstream: `http://127.0.0.1:${backend.port}/backend-api`,
    // A short cooldown, so that alice stays in use, whatever her backend sends.
    config: "[proxy]\ncooldown_default_seconds = 1\n",
  });
});
afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await backend.stop(true);
});

const ping = async () => expect((await fetch(`${proxy.url()}/healthz`)).status).toBe(200);
const untilIdle = () => until("no request is under way", async () => (await proxy.inFlight()) === 0, 10_000);

/**
 * Sends `bytes` in pieces that end at `cuts`, and waits until another client is served. Resolves to the received text.
 * `handshake`, if given, is sent first, and the pieces follow its response.
 */
async function exchange(bytes: Uint8Array, cuts: readonly number[], handshake?: string): Promise<string> {
  const closed = Promise.withResolvers<void>();
  const answered = Promise.withResolvers<void>();
  let received = "";
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port: Number(new URL(proxy.url()).port),
    socket: {
      data: (_socket, data) => {
        received += data.toString("latin1");
        answered.resolve();
      },
      close: () => closed.resolve(),
      error: () => closed.resolve(),
    },
  });
  if (handshake !== undefined) {
    socket.write(handshake);
    await answered.promise;
  }
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  for (const [index, end] of places.slice(1).entries()) {
    socket.write(bytes.subarray(places[index], end));
    socket.flush();
    if (index % 2 === 1) await ping();
  }
  await ping();
  await ping();
  socket.terminate();
  await closed.promise;
  return received;
}

/** The statuses of the responses in `received`. */
const statusesIn = (received: string) =>
  [...received.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map(([, code]) => Number(code));

const cuts = fc.array(fc.nat(), { maxLength: 4 });
const latin = (text: string) => Buffer.from(text, "latin1");

describe("from a client:", () => {
  test(
    "request heads and framing",
    async () => {
      const token = fc.constantFrom(
        "GET",
        "POST",
        "PUT",
        "CONNECT",
        "TRACE",
        "get",
        "G T",
        "",
        "\u0000",
        "P".repeat(300),
      );
      const target = fc.oneof(
        fc.constantFrom(
          TURN,
          "/",
          "/status",
          "/healthz",
          "/admin/accounts",
          "/oauth/token",
          "/@abcdefgh/run",
          "/@abcdefgh:alice/backend-api/codex/responses",
          "/~key/backend-api/codex/models",
          "*",
          "http://evil.example/",
          "//",
          "/%",
          "/%00",
          "/..%2f..%2fstatus",
          "/backend-api/codex/responses?%ff=%",
          "",
          `/${"x".repeat(9_000)}`,
        ),
        fc.string({ unit: "binary-ascii", maxLength: 12 }),
      );
      const header = fc.oneof(
        fc.constantFrom(
          "host: 127.0.0.1",
          "host: 127.0.0.1",
          "host: localhost:99999",
          "host: [localhost]",
          "host:",
          "content-length: 5",
          "content-length: -1",
          "content-length: 5, 5",
          "content-length: 99999999999999999999",
          "transfer-encoding: chunked",
          "transfer-encoding: gzip, chunked",
          "connection: close",
          "connection: upgrade, x\u0000y",
          "upgrade: websocket",
          "sec-websocket-key: x",
          "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
          "sec-websocket-version: 13",
          "expect: 100-continue",
          "content-type: application/json",
          "content-encoding: zstd",
          "session-id: s",
          "x-codexlb-hops: a~b, , ~, %ff~1",
          "x-codexlb-attempts: 99999",
          "authorization: Bearer x",
          "sec-fetch-site: cross-site",
          "x-codexlb-target-proxy-name: %ff%00",
          " folded",
          ": none",
          "é: ÿ",
          `x: ${"y".repeat(3_000)}`,
        ),
        fc.string({ unit: "binary-ascii", maxLength: 30 }),
      );
      const body = fc.constantFrom(
        "",
        "hello",
        "5\r\nhello\r\n0\r\n\r\n",
        "zz\r\n",
        "5;x=y\r\nhel",
        "{}",
        "[".repeat(500),
      );
      // Most values are valid, so that the invalid ones get past the server's own parser.
      const valid = <T>(value: T, other: fc.Arbitrary<T>) =>
        fc.oneof({ weight: 4, arbitrary: fc.constant(value) }, { weight: 1, arbitrary: other });
      const request = fc
        .record({
          method: fc.oneof(fc.constantFrom("GET", "POST"), token),
          path: target,
          version: valid("HTTP/1.1", fc.constantFrom("HTTP/1.0", "HTTP/9", "")),
          host: valid("host: 127.0.0.1", header),
          lines: fc.array(header, { maxLength: 3 }),
          content: body,
        })
        .map(({ method, path, version, host, lines, content }) =>
          [`${method} ${path} ${version}`, host, ...lines, "", content].join("\r\n"),
        );
      const seen = new Set<number>();
      await fc.assert(
        fc.asyncProperty(
          fc.array(request, { minLength: 1, maxLength: 2 }),
          cuts,
          async (requests, places) => {
            const statuses = statusesIn(await exchange(latin(requests.join("")), places));
            expect(statuses).not.toContain(500);
            for (const status of statuses) seen.add(status);
            await ping();
          },
        ),
        tries(600),
      );
      // Some requests were valid; the server and the proxy refused others.
      for (const status of [200, 400, 403, 405]) expect(seen).toContain(status);
      await untilIdle();
    },
    FUZZ_TIMEOUT_MS,
  );

  test(
    "WebSocket frames and messages",
    async () => {
      const handshake = `GET ${TURN} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;
      const payload = fc.oneof(
        fc.constantFrom(
          '{"type":"response.create","input":[]}',
          '{"type":"response.create","previous_response_id":"r"}',
          '{"type":"response.create","generate":false}',
          '{"input":[],"type":"response.create"}',
          '{"type":"response.create"',
          '{"type":7}',
          "\u00ff\u00fe",
          "",
        ),
        fc.json().map((value) => value.slice(0, 100)),
        fc.string({ unit: "binary-ascii", maxLength: 120 }),
      );
      const frame = fc
        .record({
          first: fc.oneof(
            { weight: 3, arbitrary: fc.constant(0x81) },
            { weight: 1, arbitrary: fc.integer({ min: 0, max: 255 }) },
          ),
          isMasked: fc.oneof(
            { weight: 9, arbitrary: fc.constant(true) },
            { weight: 1, arbitrary: fc.constant(false) },
          ),
          payload,
          /** The difference between the frame's stated length and its true one. */
          lie: fc.oneof(
            { weight: 9, arbitrary: fc.constant(0) },
            { weight: 1, arbitrary: fc.integer({ min: -1, max: 3 }) },
          ),
        })
        .map(({ first, isMasked, payload: text, lie }) => {
          const bytes = latin(text).subarray(0, 125);
          const length = Math.max(0, bytes.length + lie) & 0x7f;
          const mask = [1, 2, 3, 4];
          const masked = bytes.map((byte, index) => byte ^ (mask[index % 4] ?? 0));
          return Buffer.from(
            isMasked ? [first, 0x80 | length, ...mask, ...masked] : [first, length, ...bytes],
          );
        });
      let completed = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(frame, { maxLength: 6 }), cuts, async (frames, places) => {
          const received = await exchange(Buffer.concat(frames), places, handshake);
          expect(statusesIn(received)[0]).toBe(101);
          if (received.includes("response.completed")) completed++;
          await ping();
        }),
        tries(300),
      );
      // Some of the messages were valid turns.
      expect(completed).toBeGreaterThan(0);
      await untilIdle();
    },
    FUZZ_TIMEOUT_MS,
  );
});

describe("from a backend:", () => {
  test(
    "event streams cut anywhere: each client gets its own bytes, or another account's turn",
    async () => {
      const event = fc.constantFrom(
        'event: response.created\ndata: {"type":"response.created"}\n\n',
        'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"MARK"}\n\n',
        'data: {"type":"response.output_text.delta","delta":"MARK"}\r\n\r\n',
        'event: response.completed\ndata: {"type":"response.completed","response":{"id":"MARK"}}\n\n',
        ": MARK\n\n",
        "data: MARK\n\n",
        "event: x\r\n\r\n",
        "\n\n\n",
        "é\ufffd MARK\n",
        'data: {"type":"response.failed","response":{"error":{"code":"server_error","message":"MARK"}}}\n\n',
      );
      const stream = fc.tuple(fc.array(event, { minLength: 1, maxLength: 8 }), cuts);
      let round = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(stream, { minLength: 4, maxLength: 8 }), async (streams) => {
          round++;
          await Promise.all(
            streams.map(async ([events, places], index) => {
              const mark = `mark-${round}-${index}.`;
              const bytes = Buffer.from(events.join("").replaceAll("MARK", mark));
              const ends = [
                0,
                ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b),
                bytes.length,
              ];
              scripts.set(
                mark,
                ends.slice(1).map((end, part) => bytes.subarray(ends[part], end)),
              );
              const response = await fetch(proxy.url() + TURN, {
                method: "POST",
                headers: { "session-id": mark },
                body: JSON.stringify({ prompt_cache_key: mark }),
              });
              // A cut-off response is as good as a complete one here: the text before the cut counts.
              const text = await textOf(response);
              scripts.delete(mark);
              expect(response.status).not.toBe(500);
              for (const [found] of text.matchAll(/mark-\d+-\d+\./g)) expect(found).toBe(mark);
            }),
          );
          await ping();
        }),
        tries(100),
      );
      await untilIdle();
    },
    FUZZ_TIMEOUT_MS,
  );
});

/** The text of a body up to its end, or up to the point where it breaks off. */
async function textOf(response: Response): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  try {
    for await (const chunk of response.body ?? []) text += decoder.decode(chunk, { stream: true });
  } catch {
    // The connection broke.
  }
  return text;
}
