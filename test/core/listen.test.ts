import { describe, expect, test } from "bun:test";
import { isLoopback, parseListen } from "../../src/core/listen.ts";

describe("listen addresses", () => {
  test("are read with and without a host", () => {
    expect(parseListen("127.0.0.1:8765")).toEqual({ host: "127.0.0.1", port: 8765 });
    expect(parseListen(":9000")).toEqual({ host: "0.0.0.0", port: 9000 });
    expect(parseListen("[::1]:1")).toEqual({ host: "::1", port: 1 });
    expect(parseListen(" lan.example:80 ")).toEqual({ host: "lan.example", port: 80 });
  });
  for (const text of [
    "",
    "8765",
    "127.0.0.1",
    "127.0.0.1:",
    "127.0.0.1:99999",
    "::1:80",
    "http://127.0.0.1:80",
    "a b:80",
  ])
    test(`${JSON.stringify(text)} is not an address`, () => {
      expect(parseListen(text)).toBeUndefined();
    });
  test("of this machine alone are distinguished from others", () => {
    for (const host of ["127.0.0.1", "127.9.9.9", "localhost", "LOCALHOST", "::1"])
      expect([host, isLoopback(host)]).toEqual([host, true]);
    for (const host of ["0.0.0.0", "::", "10.0.0.1", "127.0.0.1.example", ""])
      expect([host, isLoopback(host)]).toEqual([host, false]);
  });
});
