// Request bodies that decompress to gigabytes, large bodies, and many at a time: the proxy keeps serving other clients
// and stays within its memory limit.

import { expect, test } from "bun:test";
import WebSocket from "ws";
import { startUpstream } from "../support/upstream.ts";
import { eventStream, type HardenedProxy, sseOf, startHardened, TURN, TURN_EVENTS } from "./proxy.ts";

const MEBIBYTE = 1024 * 1024;

/** A backend that reads every body and serves every turn. `lastBytes` returns the size of the last body. */
function backend(answerAfter?: Promise<void>) {
  let lastBytes = 0;
  const upstream = startUpstream(async (request) => {
    lastBytes = (await request.arrayBuffer()).byteLength;
    await answerAfter;
    return eventStream(sseOf(TURN_EVENTS));
  });
  return { ...upstream, lastBytes: () => lastBytes };
}

const post = (proxy: HardenedProxy, body: Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) =>
  fetch(proxy.url() + TURN, { method: "POST", body, headers }).then(async (response) => {
    await response.text();
    return response.status;
  });

const zstd = (text: string) => new Uint8Array(Bun.zstdCompressSync(text));
const gzip = (text: string) => new Uint8Array(Bun.gzipSync(text));

test("a body that decompresses to 127 MiB is forwarded unchanged, without decompressing it to find a session", async () => {
  await using upstream = backend();
  await using proxy = await startHardened({ upstream: upstream.baseUrl });
  const text = `{"input":${"[".repeat(127 * MEBIBYTE)}`;
  for (const [encoding, body] of [
    ["zstd", zstd(text)],
    ["gzip", gzip(text)],
  ] as const)
    await proxy.endures(`ten ${encoding} bodies of ${body.byteLength} bytes`, async () => {
      const statuses = await Promise.all(
        Array.from({ length: 10 }, () => post(proxy, body, { "content-encoding": encoding })),
      );
      expect(statuses).toEqual(Array.from({ length: 10 }, () => 200));
      expect(upstream.lastBytes()).toBe(body.byteLength);
    });
  expect(await proxy.inFlight()).toBe(0);
}, 120_000);

test("bodies of 19 MiB of brackets are searched without being parsed", async () => {
  await using upstream = backend();
  await using proxy = await startHardened({ upstream: upstream.baseUrl });
  const bodies = ["[", '{"a":', '"",', "[[],"].map((unit) => {
    const text = `{"x":[${unit.repeat(Math.floor((19 * MEBIBYTE) / unit.length))}`;
    return new TextEncoder().encode(text);
  });
  await proxy.endures("19 MiB of JSON, four times", async () => {
    for (const body of bodies) expect(await post(proxy, body)).toBe(200);
  });
}, 120_000);

test("bodies in chunks of one byte cost little more than other bodies", async () => {
  await using upstream = backend();
  await using proxy = await startHardened({ upstream: upstream.baseUrl });
  const megabyte = Buffer.from("1\r\n \r\n".repeat(1_000_000));
  await proxy.endures("two bodies of 1 MB in chunks of one byte", async () => {
    const statuses = await Promise.all([postRaw(proxy, megabyte), postRaw(proxy, megabyte)]);
    expect(statuses).toEqual([200, 200]);
    expect(upstream.lastBytes()).toBe(1_000_000);
  });
  expect(await proxy.inFlight()).toBe(0);
}, 120_000);

/** Sends `chunks`, already in chunked encoding, as one body. Resolves to the status. */
async function postRaw(proxy: HardenedProxy, chunks: Uint8Array): Promise<number> {
  const { hostname, port, host } = new URL(proxy.url());
  const answered = Promise.withResolvers<number>();
  const parts = [
    Buffer.from(`POST ${TURN} HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: chunked\r\n\r\n`),
    chunks,
    Buffer.from("0\r\n\r\n"),
  ];
  const pour = (socket: Bun.Socket) => {
    for (let part = parts[0]; part !== undefined; part = parts[0]) {
      const written = socket.write(part);
      if (written === part.byteLength) parts.shift();
      else {
        if (written > 0) parts[0] = part.subarray(written);
        return;
      }
    }
  };
  const socket = await Bun.connect({
    hostname,
    port: Number(port),
    socket: {
      open: pour,
      drain: pour,
      data: (_socket, data) => answered.resolve(Number(/^HTTP\S+ (\d+)/.exec(data.toString())?.[1])),
      close: () => answered.resolve(0),
      error: () => answered.resolve(0),
    },
  });
  const status = await answered.promise;
  socket.terminate();
  return status;
}

test("seventeen concurrent bodies of 100 MiB wait in turn, small bodies overtake them, and each is served or refused with a retry", async () => {
  const release = Promise.withResolvers<void>();
  await using upstream = backend(release.promise);
  await using proxy = await startHardened({ upstream: upstream.baseUrl });
  const large = new Uint8Array(100 * MEBIBYTE).fill(0x20);
  await proxy.endures("seventeen bodies of 100 MiB", async () => {
    const turns = Array.from({ length: 17 }, () => post(proxy, large));
    // Small turns do not wait behind the large ones.
    const small = Array.from({ length: 20 }, () => post(proxy, new Uint8Array(50_000).fill(0x20)));
    release.resolve();
    expect(await Promise.all(small)).toEqual(small.map(() => 200));
    const statuses = await Promise.all(turns);
    expect(statuses.filter((status) => status !== 200 && status !== 503)).toEqual([]);
    expect(statuses).toContain(200);
  });
  expect(await proxy.inFlight()).toBe(0);
}, 120_000);

test("a body of more than 128 MiB is refused with an explanation, with a length and in chunks", async () => {
  await using upstream = backend();
  await using proxy = await startHardened({ upstream: upstream.baseUrl });
  const url = proxy.url() + TURN;
  const refused = { code: "body_too_large", next: expect.stringContaining("compact the session") };
  const withLength = await responseToHead(proxy, 200 * MEBIBYTE);
  expect(withLength).toStartWith("HTTP/1.1 413 ");
  expect(JSON.parse(withLength.split("\r\n\r\n")[1] ?? "")).toMatchObject({ error: refused });
  const part = new Uint8Array(MEBIBYTE).fill(0x20);
  let sent = 0;
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => (sent++ < 130 ? controller.enqueue(part) : controller.close()),
  });
  const inChunks = await fetch(url, { method: "POST", body });
  expect(inChunks.status).toBe(413);
  expect(await inChunks.json()).toMatchObject({ error: refused });
  expect(await proxy.inFlight()).toBe(0);
}, 120_000);

/** The whole response to the head of a request that announces `bytes`, of which none are sent. */
async function responseToHead(proxy: HardenedProxy, bytes: number): Promise<string> {
  const { hostname, port, host } = new URL(proxy.url());
  const closed = Promise.withResolvers<void>();
  let response = "";
  const socket = await Bun.connect({
    hostname,
    port: Number(port),
    socket: {
      data: (_socket, data) => {
        response += data.toString();
      },
      close: () => closed.resolve(),
      error: () => closed.resolve(),
    },
  });
  socket.write(`POST ${TURN} HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${bytes}\r\n\r\n`);
  await closed.promise;
  return response;
}

test("a message larger than the backend's limit is refused as the backend refuses it, and a hostile message blocks no other client", async () => {
  await using upstream = socketBackend();
  await using proxy = await startHardened({ upstream: upstream.baseUrl });
  const closeCode = (message: string) =>
    new Promise<number>((resolve) => {
      const socket = new WebSocket(proxy.url().replace("http", "ws") + TURN);
      socket.on("open", () => socket.send(message));
      socket.on("message", () => socket.close(4000));
      socket.on("close", (code) => resolve(code));
      socket.on("error", () => {});
    });
  await proxy.endures("messages of 15 to 60 MiB", async () => {
    expect(await closeCode("x".repeat(60 * MEBIBYTE))).toBe(1009);
    const brackets = "[".repeat(15 * MEBIBYTE);
    // The message is invalid JSON with its type at the end, so it is not a turn and is forwarded unchanged.
    expect(await closeCode(`{"input":${brackets}`)).toBe(4000);
    const items = `[${"[],".repeat(5 * MEBIBYTE)}0]`;
    expect(await closeCode(`{"input":${items},"type":"response.create"}`)).toBe(4000);
  });
  expect(await proxy.inFlight()).toBe(0);
}, 120_000);

/** A backend that responds to every WebSocket message with a complete turn. */
function socketBackend() {
  const server = Bun.serve<undefined>({
    hostname: "127.0.0.1",
    port: 0,
    development: false,
    fetch: (request, self) =>
      self.upgrade(request, { data: undefined }) ? undefined : new Response(null, { status: 404 }),
    websocket: {
      maxPayloadLength: 64 * MEBIBYTE,
      message: (socket) => {
        for (const event of TURN_EVENTS) socket.send(JSON.stringify(event));
      },
    },
  });
  return {
    baseUrl: `http://127.0.0.1:${server.port}/backend-api`,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}
