import { describe, expect, test } from "bun:test";
import { codexAddresses, parseProxyUrl } from "../../src/codex/addresses.ts";
import { CodexlbError } from "../../src/errors.ts";

describe("the two base URLs for Codex", () => {
  const TABLE: [string, string, string][] = [
    [
      "http://127.0.0.1:8765",
      "http://127.0.0.1:8765/backend-api/codex",
      "http://localhost:8765/backend-api/",
    ],
    [
      "http://127.0.0.1:8765/",
      "http://127.0.0.1:8765/backend-api/codex",
      "http://localhost:8765/backend-api/",
    ],
    ["http://localhost:1", "http://localhost:1/backend-api/codex", "http://127.0.0.1:1/backend-api/"],
    ["http://:8765", "http://127.0.0.1:8765/backend-api/codex", "http://localhost:8765/backend-api/"],
    ["http://0.0.0.0:8765", "http://127.0.0.1:8765/backend-api/codex", "http://localhost:8765/backend-api/"],
    ["http://10.1.2.3:1", "http://10.1.2.3:1/backend-api/codex", "http://[::ffff:a01:203]:1/backend-api/"],
    ["http://edge.lan:1/p", "http://edge.lan:1/p/backend-api/codex", "http://edge.lan.:1/p/backend-api/"],
  ];
  for (const [url, openai, chatgpt] of TABLE)
    test(`of ${url} are the same address in two origins`, () => {
      const addresses = codexAddresses(url);
      expect(addresses).toMatchObject({ openai, chatgpt });
      expect(new URL(addresses.openai).origin).not.toBe(new URL(addresses.chatgpt).origin);
      expect(addresses.token).toBe(openai.replace("/backend-api/codex", "/oauth/token"));
    });

  test("contain the path key where Codex sends no credentials", () => {
    expect(codexAddresses("http://127.0.0.1:1", { pathKey: "KEY" })).toEqual({
      openai: "http://127.0.0.1:1/backend-api/codex",
      chatgpt: "http://localhost:1/~KEY/backend-api/",
      token: "http://127.0.0.1:1/oauth/token",
    });
  });

  // "localhost" is no second spelling of ::1: on many machines it is 127.0.0.1 alone.
  test("cannot be formed from an IPv6 address", () => {
    for (const url of ["http://[fd00::5]:1", "http://[::1]:1"])
      expect(() => codexAddresses(url)).toThrow("Codex cannot use a proxy at the IPv6 address");
  });
});

test("an invalid proxy URL is refused", () => {
  for (const text of ["", "127.0.0.1:8765", "ftp://x", "http://", "localhost"])
    expect(() => parseProxyUrl(text)).toThrow("is not a proxy URL");
});

test("the advice for a proxy URL without a scheme has the address that was typed", () => {
  const adviceFor = (text: string): unknown => {
    try {
      return parseProxyUrl(text).href;
    } catch (error) {
      return error instanceof CodexlbError ? error.next : error;
    }
  };
  const TABLE: [string, string][] = [
    ["127.0.0.1:19510", "http://127.0.0.1:19510"],
    [" lb.example/codex ", "http://lb.example/codex"],
    ["[fd00::5]:8765", "http://[fd00::5]:8765"],
    ["localhost", "http://localhost"],
    ["ftp://x", "http://127.0.0.1:8765"],
    ["127.0.0.1:99999", "http://127.0.0.1:8765"],
    ["", "http://127.0.0.1:8765"],
  ];
  for (const [text, advice] of TABLE) expect(adviceFor(text)).toBe(`write it as ${advice}`);
});
