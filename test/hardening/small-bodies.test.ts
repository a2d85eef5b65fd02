// Endless bodies on paths that expect small ones: the executable refuses them immediately, and they neither block the
// proxy nor fill its memory.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Executable, executable, type RunningProcess } from "../support/executable.ts";

const MEGABYTE = 1024 * 1024;
const SENT_BYTES = 100 * MEGABYTE;

let tool: Executable;
let proxy: RunningProcess;
let url = "";
let token = "";
beforeAll(async () => {
  tool = executable();
  mkdirSync(tool.root, { recursive: true, mode: 0o700 });
  proxy = await tool.start(["proxy", "--root", tool.root, "--listen", "127.0.0.1:0"]);
  url = /listening on (\S+)/.exec(proxy.firstLine)?.[1] ?? "";
  token = readFileSync(join(tool.root, "admin.token"), "utf8").trim();
});
afterAll(async () => {
  await proxy.stop();
  tool[Symbol.dispose]();
});

type Framing = "content-length" | "chunked" | "both";

/** Sends a body of 100 MB of `[`, and resolves to the status of the response. */
async function flood(path: string, framing: Framing, authorization: string): Promise<number> {
  const { hostname, port, host } = new URL(url);
  const part = Buffer.alloc(64 * 1024, "[");
  const framed =
    framing === "content-length"
      ? part
      : Buffer.concat([Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from("\r\n")]);
  const answered = Promise.withResolvers<string>();
  let sent = 0;
  let left: Uint8Array = new Uint8Array();
  let isOver = false;
  const pour = (socket: Bun.Socket) => {
    while (!isOver && sent < SENT_BYTES) {
      const bytes = left.length > 0 ? left : framed;
      const written = socket.write(bytes);
      if (written < 0) return;
      sent += written;
      left = bytes.subarray(written);
      if (left.length > 0) return;
    }
  };
  const socket = await Bun.connect({
    hostname,
    port: Number(port),
    socket: {
      data: (_socket, data) => {
        isOver = true;
        answered.resolve(data.toString());
      },
      drain: pour,
      close: () => answered.resolve(""),
      error: () => answered.resolve(""),
    },
  });
  socket.write(
    [
      `POST ${path} HTTP/1.1`,
      `Host: ${host}`,
      "Content-Type: application/json",
      ...(authorization === "" ? [] : [`Authorization: ${authorization}`]),
      ...(framing === "chunked" ? [] : [`Content-Length: ${SENT_BYTES}`]),
      ...(framing === "content-length" ? [] : ["Transfer-Encoding: chunked"]),
      "\r\n",
    ].join("\r\n"),
  );
  pour(socket);
  const head = await answered.promise;
  socket.end();
  return Number(/^HTTP\/1.1 (\d+)/.exec(head)?.[1] ?? 0);
}

/** The longest response time of `/healthz` while `work` runs, ms. */
async function longestAnswerDuring(work: Promise<unknown>): Promise<number> {
  let isOver = false;
  void work.finally(() => {
    isOver = true;
  });
  let longestMs = 0;
  do {
    const askedMs = performance.now();
    await (await fetch(`${url}/healthz`)).text();
    longestMs = Math.max(longestMs, performance.now() - askedMs);
  } while (!isOver);
  return longestMs;
}

const CASES: readonly (readonly [string, Framing, "nothing" | "the token", number])[] = [
  ["/oauth/token", "content-length", "nothing", 413],
  ["/oauth/token", "chunked", "nothing", 413],
  ["/@0123456789abcdef/oauth/token", "chunked", "nothing", 413],
  ["/admin/challenge", "content-length", "nothing", 413],
  ["/admin/challenge", "chunked", "nothing", 413],
  ["/admin/account/import", "content-length", "nothing", 401],
  ["/admin/account/import", "chunked", "nothing", 401],
  ["/admin/account/import", "content-length", "the token", 413],
  ["/admin/account/import", "chunked", "the token", 413],
  ["/admin/account/unpin", "chunked", "the token", 413],
];

test.each(CASES)("100 MB to %s by %s with %s as credential: %p", async (path, framing, shown, status) => {
  const work = flood(path, framing, shown === "nothing" ? "" : `Bearer ${token}`);
  const longestMs = await longestAnswerDuring(work);
  // The response comes immediately. The proxy reads and drops what the client still sends; the kernel decides how long.
  expect(await work).toBe(status);
  expect(longestMs).toBeLessThan(2_000);
});

test("a request with both a length and chunks is invalid", async () => {
  expect(await flood("/oauth/token", "both", "")).toBe(400);
});

test("the requests above do not fill the memory", () => {
  const [, peakKiB] = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${proxy.pid}/status`, "utf8")) ?? [];
  expect(Number(peakKiB) / 1024).toBeLessThan(256);
});
