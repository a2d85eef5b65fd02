import { describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import TOML from "@iarna/toml";
import { readClaims } from "../../src/auth/claims.ts";
import { makeStub } from "../../src/auth/stub.ts";
import { prepareHome } from "../../src/codex/home.ts";
import { tempDirectory } from "../support/temp.ts";

const stubAt = (nowMs: number) => makeStub("pro", "k".repeat(32), nowMs);

describe("the home that run prepares", () => {
  test("holds a stub that Codex accepts and nobody else has a use for", async () => {
    using temp = tempDirectory();
    prepareHome({
      codexHome: join(temp.path, "h"),
      configSources: [],
      stub: await stubAt(0),
      chatgptBaseUrl: "http://x/",
    });
    const path = join(temp.path, "h", "auth.json");
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const { tokens, auth_mode } = JSON.parse(readFileSync(path, "utf8"));
    expect(auth_mode).toBe("chatgpt");
    expect(tokens.account_id).toBe("proxy-only");
    expect(readClaims(tokens.access_token)).toEqual({
      exp: 4_102_444_800,
      sub: "codexlb-proxy-only",
      email: "proxy-only@codexlb.internal",
      chatgptAccountId: "proxy-only",
      chatgptUserId: undefined,
      planType: "pro",
    });
  });

  test("takes over the user's settings, keeps what Codex wrote itself, and points at the proxy", async () => {
    using temp = tempDirectory();
    const [source, home] = [join(temp.path, "s"), join(temp.path, "h")];
    for (const path of [source, home]) mkdirSync(path);
    writeFileSync(
      join(source, "config.toml"),
      'model = "theirs"\napproval_policy = "never"\nchatgpt_base_url = "https://chatgpt.com/backend-api/"\n',
    );
    writeFileSync(
      join(home, "config.toml"),
      'model = "chosen"\nold = 1\n[projects."/p"]\ntrust_level = "trusted"\n',
    );
    const options = {
      codexHome: home,
      configSources: [join(temp.path, "none"), source],
      stub: await stubAt(0),
      chatgptBaseUrl: "http://localhost:1/backend-api/",
    };
    prepareHome(options);
    expect(TOML.parse(readFileSync(join(home, "config.toml"), "utf8")) as unknown).toEqual({
      model: "chosen",
      approval_policy: "never",
      projects: { "/p": { trust_level: "trusted" } },
      chatgpt_base_url: "http://localhost:1/backend-api/",
    });
  });

  test("is not written again when nothing changed", async () => {
    using temp = tempDirectory();
    const write = async (nowMs: number) =>
      prepareHome({
        codexHome: temp.path,
        configSources: [],
        stub: await stubAt(nowMs),
        chatgptBaseUrl: "http://x/",
      });
    await write(0);
    const inodes = () => ["auth.json", "config.toml"].map((name) => statSync(join(temp.path, name)).ino);
    const before = inodes();
    await write(99_000);
    expect(inodes()).toEqual(before);
  });

  test("is not touched when the settings cannot be read", async () => {
    using temp = tempDirectory();
    writeFileSync(join(temp.path, "config.toml"), "[half");
    const options = {
      codexHome: join(temp.path, "h"),
      configSources: [temp.path],
      stub: await stubAt(0),
      chatgptBaseUrl: "x",
    };
    expect(() => prepareHome(options)).toThrow(`reading ${temp.path}/config.toml`);
  });
});
