// Request heads that no HTTP library sends, and large ones. Each odd head gets a clean 4xx or 505, or is handled as a
// request for this proxy. None causes a 500, and none makes the proxy connect to a host that the client names.

import { describe, expect, test } from "bun:test";
import WebSocket from "ws";
import type { MockBackend } from "../../src/mock/backend.ts";
import { startChain, untilAccounts } from "../support/chain.ts";
import { startPool } from "../support/pool.ts";
import { rawExchange } from "../support/raw.ts";

const MODELS = "/backend-api/codex/models";
const END = "Host: localhost\r\nConnection: close\r\n\r\n";
const withHost = (host: string) => `GET ${MODELS} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;

interface Row {
  readonly what: string;
  readonly bytes: string;
  /** The status; "closed": the connection is closed without an answer. */
  readonly answer: number | "closed";
  readonly code?: string;
}

const ROWS: readonly Row[] = [
  ...[
    "",
    "localhost:99999",
    "[localhost]",
    "::1",
    "user@localhost",
    "localhost evil",
    "localhost/x",
    "localhost, evil.example",
    "evil.example, localhost",
    "l\u00f6cal",
    "1.2.3.4.5",
  ].map(
    (host): Row => ({ what: `Host: ${host}`, bytes: withHost(host), answer: 400, code: "invalid_request" }),
  ),
  ...["localhost", "LOCALHOST.", "localhost:", "[::1]:1", "127.0.0.1:65535"].map(
    (host): Row => ({ what: `Host: ${host}`, bytes: withHost(host), answer: 200 }),
  ),
  {
    what: "two hosts, the foreign one first",
    bytes: `GET ${MODELS} HTTP/1.1\r\nHost: evil.example\r\n${END}`,
    answer: 400,
    code: "invalid_request",
  },
  {
    what: "two hosts, the foreign one last",
    bytes: `GET ${MODELS} HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n`,
    answer: 400,
    code: "invalid_request",
  },
  { what: "no host", bytes: `GET ${MODELS} HTTP/1.1\r\nConnection: close\r\n\r\n`, answer: 400 },
  {
    what: "HTTP/1.0 without a host",
    bytes: `GET ${MODELS} HTTP/1.0\r\n\r\n`,
    answer: 421,
    code: "host_refused",
  },
  { what: "HTTP/1.0", bytes: `GET ${MODELS} HTTP/1.0\r\nHost: localhost\r\n\r\n`, answer: 200 },
  { what: "HTTP/2.0", bytes: `GET ${MODELS} HTTP/2.0\r\n${END}`, answer: 505 },
  {
    what: "CONNECT",
    bytes: `CONNECT evil.example:443 HTTP/1.1\r\n${END}`,
    answer: 405,
    code: "method_refused",
  },
  {
    what: "CONNECT in its own form",
    bytes: "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\nConnection: close\r\n\r\n",
    answer: 421,
    code: "host_refused",
  },
  {
    what: "CONNECT of a path",
    bytes: `CONNECT ${MODELS} HTTP/1.1\r\n${END}`,
    answer: 405,
    code: "method_refused",
  },
  { what: "TRACE", bytes: `TRACE ${MODELS} HTTP/1.1\r\n${END}`, answer: 405, code: "method_refused" },
  {
    what: "TRACE of a local path",
    bytes: `TRACE /healthz HTTP/1.1\r\n${END}`,
    answer: 405,
    code: "method_refused",
  },
  { what: "OPTIONS", bytes: `OPTIONS ${MODELS} HTTP/1.1\r\n${END}`, answer: 405, code: "method_refused" },
  { what: "OPTIONS *", bytes: `OPTIONS * HTTP/1.1\r\n${END}`, answer: 400 },
  { what: "PROPFIND", bytes: `PROPFIND ${MODELS} HTTP/1.1\r\n${END}`, answer: 405, code: "method_refused" },
  { what: "a method of one's own", bytes: `FOO ${MODELS} HTTP/1.1\r\n${END}`, answer: "closed" },
  { what: "a method in lower case", bytes: `get ${MODELS} HTTP/1.1\r\n${END}`, answer: "closed" },
  {
    what: "an absolute target, to a proxy to anywhere",
    bytes: `GET http://evil.example${MODELS} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n`,
    answer: 421,
    code: "host_refused",
  },
  {
    what: "an absolute target of a path that is open here",
    bytes: `GET http://evil.example${MODELS} HTTP/1.1\r\n${END}`,
    answer: 200,
  },
  {
    what: "an absolute target of a path that is closed here",
    bytes: `GET http://evil.example/backend-api/me HTTP/1.1\r\n${END}`,
    answer: 403,
    code: "path_refused",
  },
  { what: "a target without a slash", bytes: `GET backend-api/codex/models HTTP/1.1\r\n${END}`, answer: 400 },
  {
    what: "two framings",
    bytes: `POST ${MODELS} HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n${END}0\r\n\r\n`,
    answer: 400,
  },
  {
    what: "two lengths",
    bytes: `POST ${MODELS} HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n${END}abcd`,
    answer: 400,
  },
  {
    what: "an unknown coding",
    bytes: `POST ${MODELS} HTTP/1.1\r\nTransfer-Encoding: gzip\r\n${END}abc`,
    answer: 400,
  },
  { what: "a folded header", bytes: `GET ${MODELS} HTTP/1.1\r\nx-codex-a: a\r\n b\r\n${END}`, answer: 400 },
  {
    what: "a space before the colon",
    bytes: `GET ${MODELS} HTTP/1.1\r\nx-codex-a : a\r\n${END}`,
    answer: 400,
  },
  {
    what: "a control character in a value",
    bytes: `GET ${MODELS} HTTP/1.1\r\nx-codex-a: \u0001\r\n${END}`,
    answer: 400,
  },
];

test("odd request heads get a proper response, and none is sent anywhere but to the backend", async () => {
  await using pool = await startPool({ accounts: [{ alias: "alice" }] });
  for (const { what, bytes, answer, code } of ROWS) {
    const before = modelsAsked();
    const text = await rawExchange(pool.url, bytes);
    const status = /^HTTP\/1\.1 (\d+)/.exec(text)?.[1];
    expect([what, status === undefined ? text || "closed" : Number(status)]).toEqual([what, answer]);
    if (code !== undefined)
      expect([what, JSON.parse(text.slice(text.indexOf("{"))).error.code]).toEqual([what, code]);
    if (answer === 405) expect(text.toLowerCase()).toContain("allow: get, head, post, put, patch, delete");
    expect([what, modelsAsked() - before]).toEqual([what, answer === 200 ? 1 : 0]);
  }
  expect(pool.warnings).toEqual([]);

  function modelsAsked(): number {
    return pool.mock.requests.filter(({ path }) => path === MODELS).length;
  }
});

describe("a request head", () => {
  const KIB = 1024;
  const TURNS = "/backend-api/codex/responses";
  const NAME = "x-codex-turn-metadata";

  /** The text of a head of `bytes` bytes with one large header. */
  function headOf(bytes: number, line: string, fields: readonly string[] = []): string {
    const rest = [`${line} HTTP/1.1`, "Host: localhost", "Connection: close", ...fields, `${NAME}: `].join(
      "\r\n",
    );
    return `${rest}${"a".repeat(bytes - rest.length - 4)}\r\n\r\n`;
  }

  /** Opens a WebSocket with a header of `bytes` bytes; resolves to the status of the handshake and its body. */
  function handshake(
    url: string,
    bytes: number,
  ): Promise<{ readonly status: number; readonly body: string }> {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(`${url.replace(/^http/, "ws")}${TURNS}`, {
        headers: { [NAME]: "a".repeat(bytes) },
      });
      socket.once("open", () => {
        socket.terminate();
        resolve({ status: 101, body: "" });
      });
      socket.once("unexpected-response", (_request, reply) => {
        let body = "";
        reply.on("data", (chunk: Buffer) => {
          body += chunk.toString();
        });
        reply.on("end", () => resolve({ status: reply.statusCode ?? 0, body }));
      });
      socket.once("error", reject);
    });
  }

  const lengths = (mock: MockBackend, point: string) =>
    mock.requests.filter((one) => one.point === point).map(({ headers }) => headers[NAME]?.length);

  test("of 64 KiB reaches the backend whole, over HTTP", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    const answer = await rawExchange(pool.url, headOf(64 * KIB, `GET ${MODELS}`));
    expect(answer).toStartWith("HTTP/1.1 200");
    expect(lengths(pool.mock, "models")[0]).toBeGreaterThan(63 * KIB);
  });

  test("of nearly 64 KiB reaches the backend whole, over WebSocket", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    expect(await handshake(pool.url, 63 * KIB)).toEqual({ status: 101, body: "" });
    expect(lengths(pool.mock, "upgrade")).toEqual([63 * KIB]);
  });

  test("of 64 KiB passes through a child proxy, over HTTP and WebSocket", async () => {
    await using chain = startChain([{ alias: "alice" }]);
    const leaf = await chain.start({ name: "leaf", accounts: ["alice"] });
    const front = await chain.start({ name: "front", children: [leaf.url] });
    await untilAccounts(front, ["alice"]);
    expect(await rawExchange(front.url, headOf(64 * KIB, `GET ${MODELS}`))).toStartWith("HTTP/1.1 200");
    expect(await handshake(front.url, 63 * KIB)).toEqual({ status: 101, body: "" });
    expect(lengths(chain.mock, "upgrade")).toEqual([63 * KIB]);
  });

  test("beyond 64 KiB gets 431 with a clear error over HTTP and WebSocket, and reaches no account", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    const answer = await rawExchange(pool.url, headOf(65 * KIB, `GET ${MODELS}`));
    expect(answer).toStartWith("HTTP/1.1 431");
    expect(JSON.parse(answer.slice(answer.indexOf("{")))).toEqual({
      error: {
        type: "codexlb_error",
        code: "head_too_large",
        message: "the request line and headers are larger than 64 KiB; shorten the headers or the URL",
        next: "shorten the headers or the URL",
      },
    });
    const { status, body } = await handshake(pool.url, 100 * KIB);
    expect([status, JSON.parse(body).error.code]).toEqual([431, "head_too_large"]);
    expect([...lengths(pool.mock, "models"), ...lengths(pool.mock, "upgrade")]).toEqual([]);
  });

  test("beyond 128 KiB gets 431 from Bun itself", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    expect(await rawExchange(pool.url, headOf(129 * KIB, `GET ${MODELS}`))).toStartWith("HTTP/1.1 431");
  });
});
