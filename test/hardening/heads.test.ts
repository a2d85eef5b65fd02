// Large request heads, sent to the executable: it forwards heads of up to 64 KiB, and many at once cost little time
// and memory.

import { expect, test } from "bun:test";
import WebSocket from "ws";
import { systemDeps } from "../../src/deps.ts";
import { startMock } from "../../src/mock/backend.ts";
import { rawExchange } from "../support/raw.ts";
import { startHardened, TURN, writeLogin } from "./proxy.ts";

const NAME = "x-codex-turn-metadata";
const MODELS = "/backend-api/codex/models";
const KIB = 1024;

/** The text of a request with one header of `bytes` bytes. */
function requestOf(bytes: number): string {
  return `GET ${MODELS} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${NAME}: ${"a".repeat(bytes)}\r\n\r\n`;
}

/** Opens a WebSocket with a header of `bytes` bytes; resolves to the status of the handshake. */
function handshake(url: string, bytes: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`${url.replace(/^http/, "ws")}${TURN}`, {
      headers: { [NAME]: "a".repeat(bytes) },
    });
    socket.once("open", () => {
      socket.terminate();
      resolve(101);
    });
    socket.once("unexpected-response", (_request, reply) => resolve(reply.statusCode ?? 0));
    socket.once("error", reject);
  });
}

test("the executable forwards heads of 63 KiB over both transports, and refuses 65 KiB with a JSON error", async () => {
  const mock = startMock({ accounts: [{ alias: "alice" }], clock: systemDeps().clock });
  await using proxy = await startHardened({
    upstream: mock.baseUrl,
    aliases: ["alice"],
    tokenUrl: mock.tokenUrl,
    prepare: (tool) => writeLogin(tool, "alice", JSON.parse(mock.authFile("alice")).tokens),
  });
  try {
    expect(await rawExchange(proxy.url(), requestOf(63 * KIB))).toStartWith("HTTP/1.1 200");
    expect(await handshake(proxy.url(), 63 * KIB)).toBe(101);
    const passed = mock.requests.filter(({ headers }) => headers[NAME]?.length === 63 * KIB);
    expect(passed.map(({ point }) => point)).toEqual(["models", "upgrade"]);
    const refused = await rawExchange(proxy.url(), requestOf(65 * KIB));
    expect(refused).toStartWith("HTTP/1.1 431");
    expect(refused).toContain('"code":"head_too_large"');
    expect(await handshake(proxy.url(), 65 * KIB)).toBe(431);
  } finally {
    await mock.stop();
  }
});

test("500 heads of 120 KiB at once are refused without slowing down other clients or filling the memory", async () => {
  await using proxy = await startHardened({ upstream: "http://127.0.0.1:9/backend-api" });
  await proxy.endures("500 heads of 120 KiB", async () => {
    const answers = await Promise.all(
      Array.from({ length: 500 }, () => rawExchange(proxy.url(), requestOf(120 * KIB))),
    );
    const kinds = answers.map((answer) => answer.slice(0, "HTTP/1.1 431".length));
    expect([...new Set(kinds)]).toEqual(["HTTP/1.1 431"]);
  });
});
