import { describe, expect, test } from "bun:test";
import { outboundProxy, outboundProxyProblem, withoutPassword } from "../../src/network/outbound-proxy.ts";

const P = "http://proxy.corp:3128";
const URL_ = "wss://chatgpt.com/backend-api/codex/responses";

describe("the proxy on the way to the backend", () => {
  const TABLE: [string, string, Record<string, string>, string | undefined][] = [
    ["none by default", URL_, {}, undefined],
    ["HTTPS_PROXY for wss", URL_, { HTTPS_PROXY: P }, P],
    ["in lower case, which wins", URL_, { HTTPS_PROXY: "http://x:1", https_proxy: P }, P],
    ["without a scheme", URL_, { HTTPS_PROXY: "proxy.corp:3128" }, P],
    ["HTTP_PROXY is not for wss", URL_, { HTTP_PROXY: P }, undefined],
    ["ALL_PROXY for wss", URL_, { ALL_PROXY: P }, P],
    ["HTTPS_PROXY before ALL_PROXY", URL_, { all_proxy: "http://x:1", HTTPS_PROXY: P }, P],
    ["ALL_PROXY for ws", "ws://backend.lan/x", { ALL_PROXY: P }, P],
    ["a blank variable is none", URL_, { https_proxy: " ", HTTPS_PROXY: P }, P],
    ["HTTP_PROXY for ws", "ws://backend.lan/x", { HTTP_PROXY: P }, P],
    ["never for this machine", "ws://127.0.0.1:9000/x", { HTTP_PROXY: P }, undefined],
    ["NO_PROXY with the host", URL_, { HTTPS_PROXY: P, NO_PROXY: "a.example, chatgpt.com" }, undefined],
    [
      "NO_PROXY with the domain",
      "wss://gov.chatgpt.com/x",
      { HTTPS_PROXY: P, NO_PROXY: ".chatgpt.com" },
      undefined,
    ],
    ["NO_PROXY with another host that ends alike", URL_, { HTTPS_PROXY: P, NO_PROXY: "gpt.com" }, P],
    ["NO_PROXY with the port", URL_, { HTTPS_PROXY: P, NO_PROXY: "chatgpt.com:443" }, undefined],
    ["NO_PROXY with another port", URL_, { HTTPS_PROXY: P, NO_PROXY: "chatgpt.com:80" }, P],
    ["NO_PROXY for everything", URL_, { HTTPS_PROXY: P, no_proxy: "*" }, undefined],
  ];
  for (const [name, url, env, expected] of TABLE)
    test(name, () => {
      expect(outboundProxy(url, { setting: "", env })).toBe(expected as string);
    });
});

test.each([
  ["http://me:secret@proxy:1", "http://[redacted]@proxy:1"],
  // A password that is not encoded.
  ["http://me:se@cret@proxy:1", "http://[redacted]@proxy:1"],
  ["socks5://me:se/cret@proxy", "socks5://[redacted]@proxy"],
  ["http://proxy:1", "http://proxy:1"],
])("%s is shown as %s", (url, shown) => {
  expect(withoutPassword(url)).toBe(shown);
});

test.each([
  ["proxy.corp:3128", "proxy.corp:3128", "http://proxy.corp:3128"],
  ["10.0.0.9:3128/", "10.0.0.9:3128/", "http://10.0.0.9:3128"],
  ["[fd00::1]:3128", "[fd00::1]:3128", "http://[fd00::1]:3128"],
  ["me:se@cret@proxy:1", "[redacted]@proxy:1", "http://user:password@proxy:1"],
  ["me:secret@proxy", "[redacted]@proxy", "http://user:password@proxy.example:3128"],
  ["ftp://me:secret@proxy:1", "ftp://[redacted]@proxy:1", "http://user:password@proxy.example:3128"],
  ["http:/proxy:1", "http:/proxy:1", "http://user:password@proxy.example:3128"],
  ["proxy:port", "proxy:port", "http://user:password@proxy.example:3128"],
])("%s is refused as an outbound proxy with an example to follow", (text, shown, example) => {
  expect(outboundProxyProblem(text)).toBe(
    `"${shown}" is not the URL of an HTTP proxy; write it as ${example}`,
  );
});
