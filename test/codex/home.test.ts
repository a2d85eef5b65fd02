import { describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import TOML from "@iarna/toml";
import { readClaims } from "../../src/auth/claims.ts";
import { makeStub } from "../../src/auth/stub.ts";
import { prepareHome } from "../../src/codex/home.ts";
import { tempDirectory } from "../support/temp.ts";

const stubAt = (nowMs: number) => makeStub("pro", "k".repeat(32), nowMs);

describe("the home that run prepares", () => {
  test("contains a stub that Codex accepts and that is useless elsewhere", async () => {
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
      exp: 7 * 86_400,
      iat: 0,
      authTime: undefined,
      sub: "codexlb-proxy-only",
      email: "proxy-only@codexlb.internal",
      chatgptAccountId: "proxy-only",
      chatgptUserId: undefined,
      planType: "pro",
    });
  });

  test("gets the user's settings, keeps those that Codex wrote, and points at the proxy", async () => {
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
      isKept: true,
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

  test("keeps changes made in it, and follows changes in the user's home", () => {
    using temp = tempDirectory();
    const [source, home] = [join(temp.path, "s"), join(temp.path, "h")];
    mkdirSync(source);
    const theirs = (text: string) => writeFileSync(join(source, "config.toml"), text);
    const path = join(home, "config.toml");
    const settings = () => {
      prepareHome({ codexHome: home, configSources: [source], stub: stubAt(0), chatgptBaseUrl: "http://x/" });
      const { chatgpt_base_url: url, ...rest } = TOML.parse(readFileSync(path, "utf8"));
      expect(url).toBe("http://x/");
      return rest as unknown;
    };
    theirs('model = "a"\nold = 1\n[tui]\ntheme = "dark"\nbell = true\n[mcp_servers.gone]\ncommand = "g"\n');
    settings();
    // As `codex mcp add`, `codex mcp remove` and the menus do it.
    writeFileSync(
      path,
      readFileSync(path, "utf8")
        .replace('theme = "dark"', 'theme = "light"')
        .replace(/\[mcp_servers\.gone\]\ncommand = "g"/, '[mcp_servers.mine]\ncommand = "m"'),
    );
    const changed = { tui: { theme: "light", bell: true }, mcp_servers: { mine: { command: "m" } } };
    expect(settings()).toEqual({ model: "a", old: 1, ...changed });
    theirs(
      'model = "b"\nnew = 2\n[tui]\ntheme = "blue"\nbell = false\n[mcp_servers.gone]\ncommand = "g"\n[mcp_servers.more]\ncommand = "o"\n',
    );
    const followed = {
      model: "b",
      new: 2,
      tui: { theme: "light", bell: false },
      mcp_servers: { mine: { command: "m" }, more: { command: "o" } },
    };
    expect(settings()).toEqual(followed);
    expect(settings()).toEqual(followed);
  });

  test.each([
    ["auth.json", '{"OPENAI_API_KEY":"sk-1"}', "a login"],
    ["auth.json", '{"tokens":{"access_token":"e30.eyJzdWIiOiJtZSJ9.sig"}}', "a login"],
    ["config.toml", 'model = "mine"\n', "settings"],
  ])("is refused if it contains the user's own %s: %s", (name, text, what) => {
    using temp = tempDirectory();
    const path = join(temp.path, name);
    writeFileSync(path, text);
    expect(() =>
      prepareHome({ codexHome: temp.path, configSources: [], stub: stubAt(0), chatgptBaseUrl: "http://x/" }),
    ).toThrow(`${temp.path} contains ${what} that codexlb run would overwrite`);
    expect(readdirSync(temp.path)).toEqual([name]);
    expect(readFileSync(path, "utf8")).toBe(text);
  });

  test.each(["not json", "{}", '{"tokens":null}'])("replaces an unusable auth.json: %s", (text) => {
    using temp = tempDirectory();
    const path = join(temp.path, "auth.json");
    const prepare = (isKept: boolean) =>
      prepareHome({
        ...{ codexHome: temp.path, isKept, configSources: [] },
        ...{ stub: stubAt(0), chatgptBaseUrl: "http://x/" },
      });
    writeFileSync(path, text);
    writeFileSync(join(temp.path, "config.toml"), 'model = "kept"\n');
    expect(() => prepare(false)).toThrow("contains settings that codexlb run would overwrite");
    prepare(true);
    expect(JSON.parse(readFileSync(path, "utf8"))).toEqual(stubAt(0));
    // It is known from now on.
    prepare(false);
    expect(readFileSync(join(temp.path, "config.toml"), "utf8")).toContain('model = "kept"');
  });

  test("is not rewritten if nothing changed", async () => {
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

  test("stays unchanged if the settings cannot be read", async () => {
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

describe("the files beside config.toml", () => {
  const prepare = (source: string, home: string) =>
    prepareHome({
      ...{ codexHome: home, configSources: [source], stub: stubAt(0) },
      chatgptBaseUrl: "http://x/",
    });
  const homes = (path: string) => {
    const [source, home] = [join(path, "s"), join(path, "h")];
    mkdirSync(source);
    return { source, home };
  };
  const read = (path: string): unknown => ({ ...TOML.parse(readFileSync(path, "utf8")) });

  test("a profile's file is copied without base URLs, with its paths, and is removed when the user's is", () => {
    using temp = tempDirectory();
    const { source, home } = homes(temp.path);
    const own = join(source, "work.config.toml");
    const taken = join(home, "work.config.toml");
    writeFileSync(
      own,
      'model = "w"\nmodel_instructions_file = "w.md"\nopenai_base_url = "http://o/"\nchatgpt_base_url = "http://c/"\n',
    );
    prepare(source, home);
    expect(read(taken)).toEqual({ model: "w", model_instructions_file: join(source, "w.md") });
    writeFileSync(taken, readFileSync(taken, "utf8").replace('model = "w"', 'model = "chosen"'));
    prepare(source, home);
    expect(read(taken)).toEqual({ model: "chosen", model_instructions_file: join(source, "w.md") });
    rmSync(own);
    prepare(source, home);
    expect(read(taken)).toEqual({ model: "chosen" });
    writeFileSync(taken, "");
    prepare(source, home);
    expect(readdirSync(home).filter((name) => name.includes("work"))).toEqual([]);
  });

  test("a profile's file that the user wrote into the prepared home stays", () => {
    using temp = tempDirectory();
    const { source, home } = homes(temp.path);
    prepare(source, home);
    writeFileSync(join(home, "mine.config.toml"), 'model = "mine"\n');
    writeFileSync(join(source, "mine.config.toml"), 'model = "theirs"\n');
    prepare(source, home);
    expect(readFileSync(join(home, "mine.config.toml"), "utf8")).toBe('model = "mine"\n');
  });

  test("the user's themes are linked, and existing themes stay", () => {
    using temp = tempDirectory();
    const { source, home } = homes(temp.path);
    mkdirSync(join(source, "themes"));
    writeFileSync(join(source, "themes", "night.tmTheme"), "night");
    prepare(source, home);
    expect(readFileSync(join(home, "themes", "night.tmTheme"), "utf8")).toBe("night");
    rmSync(join(home, "themes"));
    mkdirSync(join(home, "themes"));
    prepare(source, home);
    expect(readdirSync(join(home, "themes"))).toEqual([]);
  });

  test("settings that would delete the stub are left out, and reported once", () => {
    using temp = tempDirectory();
    const { source, home } = homes(temp.path);
    writeFileSync(join(source, "config.toml"), 'forced_login_method = "api"\nmodel = "m"\n');
    expect(prepare(source, home)).toEqual([`forced_login_method in ${join(source, "config.toml")}`]);
    expect(read(join(home, "config.toml"))).toEqual({ model: "m", chatgpt_base_url: "http://x/" });
    expect(prepare(source, home)).toEqual([]);
    // The format of an earlier version.
    for (const name of ["config.toml", ".codexlb-taken-over.toml"])
      writeFileSync(join(home, name), readFileSync(join(source, "config.toml"), "utf8"));
    expect(prepare(source, home)).toHaveLength(1);
    expect(read(join(home, "config.toml"))).toEqual({ model: "m", chatgpt_base_url: "http://x/" });
  });
});
