import { describe, expect, test } from "bun:test";
import { type EngineAddress, engineAddress } from "../../src/network/engine-url.ts";

const tcp = (host: string, port: number, tls: boolean) => ({ kind: "tcp", host, port, tls }) as const;
const noLogin = { username: undefined, password: undefined, database: 0 };

describe("the URL of the engine", () => {
  test.each<[string, EngineAddress]>([
    ["redis://host", { at: tcp("host", 6379, false), ...noLogin }],
    ["redis://[::1]:7000/3", { at: tcp("::1", 7000, false), ...noLogin, database: 3 }],
    [
      "rediss://codexlb:p%40ss@engine.example:6380/0",
      { at: tcp("engine.example", 6380, true), ...noLogin, username: "codexlb", password: "p@ss" },
    ],
    ["redis://:secret@host", { at: tcp("host", 6379, false), ...noLogin, password: "secret" }],
    ["unix:///run/valkey.sock", { at: { kind: "unix", path: "/run/valkey.sock" }, ...noLogin }],
    ["unix:///run/a%20b.sock?db=2", { at: { kind: "unix", path: "/run/a b.sock" }, ...noLogin, database: 2 }],
    [
      "unix://codexlb:p%40ss@/run/valkey.sock",
      { at: { kind: "unix", path: "/run/valkey.sock" }, database: 0, username: "codexlb", password: "p@ss" },
    ],
  ])("%s names a server", (url, address) => {
    expect(engineAddress(url)).toEqual(address);
  });

  test.each([
    "",
    "host:6379",
    "http://host:6379",
    "redis://",
    "redis://host/one",
    "redis://host?password=secret",
    "redis://host#1",
    "unix://",
    "unix://host/run/valkey.sock",
    "unix:///run/valkey.sock?user=1",
    "redis://%zz@host",
  ])("%p is none", (url) => {
    expect(engineAddress(url)).toBeUndefined();
  });
});
