// Tests the benchmark's reader of HTTP responses.

import { expect, test } from "bun:test";
import { createResponseReader } from "../../scripts/bench/load/http-connection.ts";

const HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n";
const RESPONSES = {
  length: `${HEAD}Content-Length: 11\r\n\r\nhello world`,
  chunks: `${HEAD}Transfer-Encoding: chunked\r\n\r\n6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n`,
};

for (const [kind, text] of Object.entries(RESPONSES))
  test(`a body with ${kind} is complete at its last byte, however it is split`, () => {
    for (const size of [1, 2, 3, 7, text.length]) {
      let body = "";
      const reader = createResponseReader((data) => {
        body += data.toString();
      });
      for (let at = 0; at < text.length; at += size) {
        const response = reader.push(Buffer.from(text.slice(at, at + size)));
        const isLast = at + size >= text.length;
        expect([kind, size, at, response?.status]).toEqual([kind, size, at, isLast ? 200 : undefined]);
        if (isLast) expect([body, response?.bytes]).toEqual(["hello world", 11]);
      }
    }
  });

test("a response without a body is complete at the end of its head", () => {
  const response = createResponseReader().push(Buffer.from("HTTP/1.1 429 No\r\nContent-Length: 0\r\n\r\n"));
  expect(response).toMatchObject({ status: 429, bytes: 0 });
});
