// One end of a connection stops reading: the proxy makes the other end wait or closes the connection, stays within its
// memory limit, and loses no forwarded data.

import { expect, test } from "bun:test";
import WebSocket from "ws";
import { until } from "../support/pool.ts";
import { eventStream, type HardenedProxy, startHardened, TURN } from "./proxy.ts";

const MEBIBYTE = 1024 * 1024;
const CREATE = '{"type":"response.create","input":[]}';

/** A backend on raw sockets, so that it can stop reading. `opened` gets each connection after its 101 response. */
async function socketBackend(opened: (socket: Bun.Socket<Peer>) => void) {
  const server = Bun.listen<Peer>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open: (socket) => {
        socket.data = { head: "", isOpen: false };
      },
      data: (socket, data) => {
        if (socket.data.isOpen) return;
        socket.data.head += data.toString("latin1");
        const key = /sec-websocket-key: (\S+)/i.exec(socket.data.head)?.[1];
        if (!socket.data.head.includes("\r\n\r\n")) return;
        if (key === undefined) {
          socket.end("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
          return;
        }
        const accept = new Bun.CryptoHasher("sha1")
          .update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
          .digest("base64");
        socket.write(
          `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${accept}\r\n\r\n`,
        );
        socket.data.isOpen = true;
        opened(socket);
      },
      drain: (socket) => socket.data.drained?.(),
    },
  });
  return {
    baseUrl: `http://127.0.0.1:${server.port}/backend-api`,
    [Symbol.asyncDispose]: async () => server.stop(true),
  };
}

interface Peer {
  head: string;
  isOpen: boolean;
  drained?: () => void;
}

/** A text frame from a server (RFC 6455, section 5.2). */
function frame(text: string): Uint8Array {
  const payload = Buffer.from(text);
  const head = Buffer.alloc(payload.length < 126 ? 2 : payload.length < 65_536 ? 4 : 10);
  head[0] = 0x81;
  if (payload.length < 126) head[1] = payload.length;
  else if (payload.length < 65_536) {
    head[1] = 126;
    head.writeUInt16BE(payload.length, 2);
  } else {
    head[1] = 127;
    head.writeBigUInt64BE(BigInt(payload.length), 2);
  }
  return Buffer.concat([head, payload]);
}

function connect(proxy: HardenedProxy): Promise<WebSocket> {
  const socket = new WebSocket(proxy.url().replace("http", "ws") + TURN);
  socket.on("error", () => {});
  return new Promise((resolve) => socket.once("open", () => resolve(socket)));
}

test("the connection of a backend that does not read is closed before unread data fills the memory", async () => {
  await using upstream = await socketBackend((socket) => void socket.pause());
  await using proxy = await startHardened({ upstream: upstream.baseUrl });
  await proxy.endures("frames for a backend that reads nothing", async () => {
    const sent = await Promise.all(Array.from({ length: 2 }, () => fillUp(proxy)));
    for (const bytes of sent) expect(bytes).toBeLessThan(256 * MEBIBYTE);
  });
  expect(await proxy.inFlight()).toBe(0);
}, 60_000);

test("many connections to a backend that does not read share one memory limit, and release the memory when they end", async () => {
  await using upstream = await socketBackend((socket) => void socket.pause());
  await using proxy = await startHardened({ upstream: upstream.baseUrl });
  await proxy.endures("thirty connections to a backend that reads nothing", async () => {
    const ends = await Promise.all(
      Array.from({ length: 30 }, async () => {
        const socket = await connect(proxy);
        const closed = new Promise<number>((resolve) => socket.once("close", resolve));
        const message = "x".repeat(64 * 1024);
        for (let count = 0; count < 256; count++) socket.send(message);
        return { socket, closed };
      }),
    );
    // The limit is below 480 MiB. The proxy closes some of the connections; the others keep their data.
    expect(await Promise.any(ends.map(({ closed }) => closed))).toBe(1013);
    for (const { socket } of ends) socket.terminate();
  });
  // The backend keeps its ends open, but the proxy no longer keeps data for them, so a new connection has room.
  await proxy.endures("one more connection", async () => {
    const socket = await connect(proxy);
    socket.send("x".repeat(15 * MEBIBYTE));
    await Bun.sleep(500);
    expect(socket.readyState).toBe(WebSocket.OPEN);
    socket.terminate();
  });
}, 60_000);

test("hundreds of thousands of tiny messages from a backend do not delay other requests, and arrive in order", async () => {
  const most = 300_000;
  await using upstream = await socketBackend((socket) => {
    const frames = Buffer.concat(Array.from({ length: most }, (_, index) => frame(String(index))));
    let sent = 0;
    socket.data.drained = () => {
      while (sent < frames.length) {
        const written = socket.write(frames.subarray(sent, sent + MEBIBYTE));
        if (written <= 0) return;
        sent += written;
      }
      // The close frame follows the messages, all of which must still arrive.
      socket.end(new Uint8Array([0x88, 0]));
    };
    socket.data.drained();
  });
  await using proxy = await startHardened({ upstream: upstream.baseUrl });
  await proxy.endures("300,000 messages of a few bytes", async () => {
    const socket = await connect(proxy);
    let next = 0;
    let isInOrder = true;
    socket.on("message", (data: Buffer) => {
      isInOrder &&= data.toString() === String(next++);
    });
    await new Promise((resolve) => socket.once("close", resolve));
    expect([next, isInOrder]).toEqual([most, true]);
  });
}, 60_000);

/** Sends until the proxy closes the connection. Resolves to the number of bytes sent. */
async function fillUp(proxy: HardenedProxy): Promise<number> {
  const socket = await connect(proxy);
  const message = "x".repeat(MEBIBYTE);
  let sent = 0;
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  const send = (): void => {
    if (socket.readyState !== WebSocket.OPEN || sent > 1024 * MEBIBYTE) return;
    // Data in this process's buffer does not count as sent.
    if (socket.bufferedAmount < MEBIBYTE) {
      sent += message.length;
      socket.send(message);
    }
    setImmediate(send);
  };
  send();
  await closed;
  return sent;
}

test("turns that queue behind a waiting turn are bounded, too", async () => {
  await using upstream = await socketBackend(() => {});
  await using proxy = await startHardened({ upstream: upstream.baseUrl });
  await proxy.endures("turns of 8 MiB without a response", async () => {
    const sockets = await Promise.all(Array.from({ length: 8 }, () => connect(proxy)));
    // Some turns wait for the backend. A turn that does not fit is refused with a time to retry.
    const refused = Promise.any(
      sockets.map(
        (socket) =>
          new Promise<string>((resolve) =>
            socket.once("message", (data: Buffer) => resolve(data.toString())),
          ),
      ),
    );
    const turn = `{"type":"response.create","input":["${"x".repeat(8 * MEBIBYTE)}"]}`;
    for (const socket of sockets) for (let count = 0; count < 2; count++) socket.send(turn);
    expect(JSON.parse(await refused)).toMatchObject({
      type: "error",
      status: 429,
      headers: { "retry-after": "2" },
    });
    for (const socket of sockets) socket.terminate();
  });
  await until("no request is under way", async () => (await proxy.inFlight()) === 0);
}, 60_000);

test("a client that reads nothing is disconnected, over both transports", async () => {
  const filler = "x".repeat(64 * 1024);
  const event = (text: string) => `{"type":"response.output_text.delta","delta":"${text}"}`;
  await using upstream = await socketBackend((socket) => {
    const chunk = frame(event(filler));
    const write = (): void => {
      while (socket.write(chunk) === chunk.byteLength);
    };
    socket.data.drained = write;
    write();
  });
  let isGone = false;
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    development: false,
    fetch: () =>
      eventStream(
        new ReadableStream<Uint8Array>({
          pull: (controller) => controller.enqueue(new TextEncoder().encode(`data: ${event(filler)}\n\n`)),
          cancel: () => {
            isGone = true;
          },
        }),
      ),
  });
  // Longer than the first status takes, which shows that the request is under way.
  const config = "[proxy]\nidle_timeout_seconds = 3\n";
  try {
    await using overSockets = await startHardened({ upstream: upstream.baseUrl, config });
    const socket = await connect(overSockets);
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.pause();
    socket.send(CREATE);
    await until("the request is under way", async () => (await overSockets.inFlight()) === 1);
    await until("the request has ended", async () => (await overSockets.inFlight()) === 0, 20_000);
    socket.resume();
    await closed;

    await using overHttp = await startHardened({
      upstream: `http://127.0.0.1:${server.port}/backend-api`,
      config,
    });
    const { hostname, port } = new URL(overHttp.url());
    const client = await Bun.connect({ hostname, port: Number(port), socket: { data: () => {} } });
    client.pause();
    client.write(`POST ${TURN} HTTP/1.1\r\nhost: ${hostname}\r\ncontent-length: 2\r\n\r\n{}`);
    await until("the request is under way", async () => (await overHttp.inFlight()) === 1);
    await until("the request has ended", async () => (await overHttp.inFlight()) === 0, 20_000);
    await until("the proxy has disconnected from the backend", () => isGone);
    client.terminate();
  } finally {
    await server.stop(true);
  }
}, 60_000);

test("an event larger than the largest image closes the connection", async () => {
  await using upstream = await socketBackend((socket) => {
    let left = frame(`{"type":"response.output_text.delta","delta":"${"x".repeat(33 * MEBIBYTE)}"}`);
    const write = (): void => {
      while (left.byteLength > 0) {
        const taken = socket.write(left);
        if (taken <= 0) return;
        left = left.subarray(taken);
      }
    };
    socket.data.drained = write;
    write();
  });
  await using proxy = await startHardened({ upstream: upstream.baseUrl });
  await proxy.endures("a message of 33 MiB from a backend", async () => {
    const socket = await connect(proxy);
    const ended = new Promise<string>((resolve) => {
      socket.on("close", () => resolve("closed"));
      socket.on("message", (data: Buffer) => {
        if (data.byteLength > MEBIBYTE) resolve("passed");
        else if (data.toString().includes('"error"')) resolve("an error");
      });
    });
    socket.send(CREATE);
    expect(await ended).not.toBe("passed");
    socket.terminate();
  });
}, 60_000);

test("a client that reads slowly makes the backend wait, stays connected, and gets every message in order", async () => {
  const MESSAGES = 3_000;
  const filler = "x".repeat(64 * 1024);
  let written = 0;
  await using upstream = await socketBackend((socket) => {
    const messages = (function* () {
      yield frame('{"type":"response.output_text.delta","delta":"begin"}');
      for (let index = 0; index < MESSAGES; index++)
        yield frame(`{"type":"response.output_text.delta","index":${index},"delta":"${filler}"}`);
      yield frame('{"type":"response.completed","response":{"id":"r"}}');
    })();
    let left: Uint8Array = new Uint8Array();
    const write = (): void => {
      for (;;) {
        if (left.byteLength === 0) {
          const next = messages.next();
          if (next.done) return;
          left = next.value;
        }
        const taken = socket.write(left);
        written += Math.max(0, taken);
        left = left.subarray(Math.max(0, taken));
        if (left.byteLength > 0) return;
      }
    };
    socket.data.drained = write;
    // The client asks for the turn immediately, so the proxy holds what the backend has written, within its limit.
    write();
  });
  await using proxy = await startHardened({ upstream: upstream.baseUrl });
  await proxy.endures("190 MiB for a client that pauses reading", async () => {
    const socket = await connect(proxy);
    const indexes: number[] = [];
    const completed = new Promise<void>((resolve, reject) => {
      socket.on("message", (data: Buffer) => {
        const text = data.subarray(0, 100).toString();
        const index = /"index":(\d+)/.exec(text)?.[1];
        if (index !== undefined) indexes.push(Number(index));
        if (text.includes("response.completed")) resolve();
      });
      socket.on("close", (code: number) => reject(new Error(`closed with ${code}`)));
    });
    socket.pause();
    socket.send(CREATE);
    // The backend stalls: it writes nothing while other clients get a hundred responses.
    for (let calm = 0, before = written; calm < 100; calm = before === written ? calm + 1 : 0) {
      before = written;
      await fetch(`${proxy.url()}/healthz`);
    }
    expect(written).toBeLessThan(64 * MEBIBYTE);
    socket.resume();
    await completed;
    expect(indexes.length).toBe(MESSAGES);
    expect(indexes.every((index, place) => index === place)).toBe(true);
    socket.terminate();
  });
}, 60_000);
