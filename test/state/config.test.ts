import { describe, expect, test } from "bun:test";
import { newConfigText, parseConfig } from "../../src/state/config.ts";
import { readOrCreateConfig, withOverrides } from "../../src/state/config-source.ts";
import { layoutOf } from "../../src/state/layout.ts";
import { tempDirectory } from "../support/temp.ts";

const DEFAULTS = parseConfig("", "config.toml");

describe("config.toml", () => {
  test("made anew says the defaults", () => {
    const { proxy, ...rest } = parseConfig(newConfigText("proxy-x"), "config.toml");
    const { proxy: defaults, ...others } = DEFAULTS;
    expect(rest).toEqual(others);
    expect({ ...proxy, proxy_url: "" }).toEqual({ ...defaults, name: "proxy-x", proxy_url: "" });
  });

  test("is normalised as in the Go program", () => {
    const config = parseConfig(
      `[proxy]
      listen = "  "
      upstream_base_url = " https://x.example/backend-api// "
      child_proxy_urls = ["http://a/", "http://a", " ", "http://b"]
      max_attempts = 0
      cooldown_default_seconds = -4
      [policy]
      mode = " sticky "
      delta_percent = -1
      [policy.weights]
      daily = -5
      weekly = 0
      [commands]
      login = [" "]
      run = [" exec ", "", "--yolo"]
      [other]
      key = "kept"`,
      "config.toml",
    );
    expect(config.proxy).toMatchObject({
      listen: "127.0.0.1:8765",
      upstream_base_url: "https://x.example/backend-api",
      child_proxy_urls: ["http://a", "http://b"],
      max_attempts: 3,
      cooldown_default_seconds: 5,
    });
    expect(config.policy).toMatchObject({
      mode: "sticky",
      delta_percent: 10,
      weights: { daily: 60, weekly: 40 },
    });
    expect(config.commands).toMatchObject({ login: ["login"], run: ["exec", "--yolo"] });
  });

  const BAD: [string, string][] = [
    [
      '[policy]\nmode = "fastest"',
      'policy.mode: "fastest" is not a policy; allowed: usage_balanced, sticky, round_robin',
    ],
    ['[proxy]\nmax_attempts = "three"', "proxy.max_attempts:"],
    ["[proxy", "is not valid TOML"],
    ["[proxy]\nlisten = 8765", "proxy.listen:"],
  ];
  for (const [text, message] of BAD)
    test(`${JSON.stringify(text)} is refused with the key and the reason`, () => {
      expect(() => parseConfig(text, "/r/config.toml")).toThrow(message);
      expect(() => parseConfig(text, "/r/config.toml")).toThrow("/r/config.toml");
    });

  test("is made once, with a name of its own, and then left alone", () => {
    using temp = tempDirectory();
    const layout = layoutOf(`${temp.path}/r`);
    const random = (bytes: number) => new Uint8Array(bytes).fill(0xab);
    expect(readOrCreateConfig(layout, { random }).proxy.name).toBe("proxy-abababab");
    expect(readOrCreateConfig(layout, { random: () => new Uint8Array(4) }).proxy.name).toBe("proxy-abababab");
  });

  test("gives way to the environment, and both to flags; numbers of zero and less are no flags", () => {
    const env = { CODEXLB_PROXY_NAME: " edge ", CODEXLB_CHILD_PROXY_URLS: "http://a/, http://b\nhttp://a" };
    const flags = {
      listen: "127.0.0.1:1",
      upstream: "https://y/",
      maxAttempts: 7,
      usageTimeoutMs: 0,
      quotaCacheTtlMinutes: -1,
    };
    const config = withOverrides(DEFAULTS, flags, env);
    expect(config.proxy).toMatchObject({
      name: "edge",
      listen: "127.0.0.1:1",
      upstream_base_url: "https://y",
      child_proxy_urls: ["http://a", "http://b"],
      max_attempts: 7,
      usage_timeout_ms: 30_000,
    });
    expect(config.quota.cache_ttl_minutes).toBe(30);
  });
});
