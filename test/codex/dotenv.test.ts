import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { proxyDotenv } from "../../src/codex/dotenv.ts";
import { tempDirectory } from "../support/temp.ts";

const HOSTS = ["127.0.0.1", "localhost"];
const PROXY = { HTTP_PROXY: "http://proxy" };

/** The variables that the warning names, and the hosts that it asks for. */
function warned(text: string | undefined, env: Record<string, string> = {}, hosts = HOSTS) {
  using temp = tempDirectory();
  if (text !== undefined) writeFileSync(join(temp.path, ".env"), text);
  const found = proxyDotenv(temp.path, hosts, env);
  return found && [found.names.join(), found.noProxy.join(), found.missing.join()];
}

describe("no warning about a .env", () => {
  const TABLE: [string, string | undefined, Record<string, string>?, string[]?][] = [
    ["that does not exist", undefined, PROXY],
    ["with a proxy and a NO_PROXY with the hosts", "HTTP_PROXY=http://p\nNO_PROXY=127.0.0.1,localhost\n"],
    ["with such a NO_PROXY only", "NO_PROXY=127.0.0.1,localhost\n", PROXY],
    ["with such a NO_PROXY in quotes", 'NO_PROXY="127.0.0.1, localhost" # mine\n', PROXY],
    ["with such a no_proxy", "export no_proxy = 'foo,LOCALHOST,127.0.0.1'\r\n", PROXY],
    ["with a NO_PROXY of subnet and domain", "NO_PROXY=127.0.0.0/8,.localhost", PROXY],
    ["that extends the NO_PROXY of codexlb", "NO_PROXY=$NO_PROXY,foo\nno_proxy=$no_proxy,foo", PROXY],
    ["with an empty proxy variable", "HTTP_PROXY=\nALL_PROXY=''\n"],
    ["that clears the proxy", "HTTP_PROXY=\nNO_PROXY=foo\n", PROXY],
    ["with a proxy and no NO_PROXY, where that of codexlb applies", "HTTP_PROXY=http://p\n"],
    ["without any proxy", "NO_PROXY=foo\n"],
    ["whose last NO_PROXY has the hosts", "NO_PROXY=foo\nNO_PROXY=localhost,127.0.0.1\n", PROXY],
    ["whose NO_PROXY is a comment", "# NO_PROXY=foo\n", PROXY],
    ["if no host of the codexlb proxy is private", "NO_PROXY=foo\n", PROXY, []],
  ];
  for (const [name, text, env, hosts] of TABLE)
    test(name, () => {
      expect(warned(text, env, hosts)).toBeUndefined();
    });
});

describe("a warning about a .env", () => {
  const TABLE: [string, string, Record<string, string>, string[]][] = [
    [
      "with a proxy and another NO_PROXY",
      "ALL_PROXY=http://p\nNO_PROXY=foo\n",
      {},
      ["ALL_PROXY,NO_PROXY", "NO_PROXY", "127.0.0.1,localhost"],
    ],
    // Measured: Codex 0.171 applies the star to names, and sends requests to 127.0.0.1 through the proxy.
    ["with a NO_PROXY of every name", "NO_PROXY=*\n", PROXY, ["NO_PROXY", "NO_PROXY", "127.0.0.1"]],
    [
      "with another NO_PROXY for a proxy of the environment",
      "NO_PROXY=foo\n",
      PROXY,
      ["NO_PROXY", "NO_PROXY", "127.0.0.1,localhost"],
    ],
    ["with an empty NO_PROXY", "NO_PROXY=\n", PROXY, ["NO_PROXY", "NO_PROXY", "127.0.0.1,localhost"]],
    [
      "whose NO_PROXY has one of the hosts",
      "NO_PROXY=localhost\n",
      PROXY,
      ["NO_PROXY", "NO_PROXY", "127.0.0.1"],
    ],
    [
      "whose NO_PROXY has hosts that end alike",
      "NO_PROXY=host,0.0.1,10.0.0.0/8\n",
      PROXY,
      ["NO_PROXY", "NO_PROXY", "127.0.0.1,localhost"],
    ],
    [
      "with the hosts in one of both variables",
      "NO_PROXY=localhost,127.0.0.1\nno_proxy=foo\nHTTPS_PROXY=\n",
      PROXY,
      ["no_proxy", "no_proxy", "127.0.0.1,localhost"],
    ],
  ];
  test.each(TABLE)("%s", (_, text, env, expected) => {
    expect(warned(text, env)).toEqual(expected);
  });
});
