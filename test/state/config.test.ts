import { describe, expect, test } from "bun:test";
import { lstatSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseConfig } from "../../src/state/config.ts";
import {
  configFrom,
  effectiveConfig,
  prepareConfigFile,
  shownSettings,
} from "../../src/state/config-source.ts";
import { newConfigText } from "../../src/state/config-text.ts";
import { layoutOf } from "../../src/state/layout.ts";
import { exposureProblem, SETTINGS, settingOf } from "../../src/state/settings.ts";
import { GO_CONFIG } from "../support/go-program.ts";
import { tempDirectory } from "../support/temp.ts";

const parse = (text: string) => parseConfig(text, "/r/config.toml");
const DEFAULTS = parse("").config;

describe("config.toml", () => {
  test("that is new has the defaults and explains every setting", () => {
    const text = newConfigText("proxy-x");
    const { config, lines, unknown } = parse(text);
    expect(config).toEqual({ ...DEFAULTS, proxy: { ...DEFAULTS.proxy, name: "proxy-x" } });
    expect(unknown).toEqual([]);
    expect([...lines.keys()]).toEqual(SETTINGS.map(({ key }) => key));
    for (const { key, description } of SETTINGS) {
      expect([key, description.length > 20]).toEqual([key, true]);
      expect(text).toContain(`# ${description}\n${key.split(".").at(-1)} = `);
    }
  });

  test("sets options of accounts, whose aliases may be in any case, with their lines", () => {
    const { config, lines, unknown } = parse(
      '[accounts.Alice]\npriority = 10\nfloor_daily = "20%"\nfloor_weekly = 12.5\ntags = ["Work", "work", " home "]\nnote = "the main one"\n[accounts.bob]\ntags = []\n',
    );
    expect(config.accounts).toEqual({
      alice: {
        priority: 10,
        floorDaily: 20,
        floorWeekly: 12.5,
        tags: ["work", "home"],
        note: "the main one",
      },
      bob: { tags: [] },
    });
    expect(unknown).toEqual([]);
    expect([...lines]).toEqual([
      ["accounts.alice.priority", 2],
      ["accounts.alice.floor_daily", 3],
      ["accounts.alice.floor_weekly", 4],
      ["accounts.alice.tags", 5],
      ["accounts.alice.note", 6],
      ["accounts.bob.tags", 8],
    ]);
    const shown = shownSettings(effectiveConfig({ config, lines, unknown, ignored: [] }, {}, {}));
    expect(shown.filter(({ key }) => key.startsWith("accounts.")).slice(0, 2)).toEqual([
      { key: "accounts.alice.priority", value: 10, source: "config.toml line 2" },
      { key: "accounts.alice.floor_daily", value: 20, source: "config.toml line 3" },
    ]);
  });

  test.each([
    ["priority = 1.5", "must be a whole number from -1000 to 1000"],
    ["priority = 9999", "must be a whole number from -1000 to 1000"],
    ['priority = "10"', "must be a number, without quotes"],
    ['floor_daily = "lots"', 'must be a percentage from 0 to 100, such as 20 or "20%"'],
    ["floor_weekly = 101", 'must be a percentage from 0 to 100, such as 20 or "20%"'],
    ["floor_weekly = true", 'must be a percentage from 0 to 100, such as 20 or "20%"'],
    ['tags = "work"', 'must be a list of texts, such as ["work"]'],
    ['tags = ["a b"]', '"a b" is not a tag'],
    ['note = "a\\nb"', "must be one line, without control characters"],
    ["floor = 10", "has an unknown option; the options are priority, floor_daily"],
  ])("refuses a wrong option of an account: %s", (line, why) => {
    expect(() => parse(`[accounts.alice]\n${line}\n`)).toThrow(why);
  });

  test("of the Go program is read completely", () => {
    const { config, unknown } = parse(GO_CONFIG);
    expect(config).toEqual({ ...DEFAULTS, proxy: { ...DEFAULTS.proxy, name: "proxy-0a1b2c3d" } });
    expect(unknown).toEqual([]);
  });

  test("with thousands of unknown keys lists some, counts the others, and is parsed quickly", () => {
    const COUNT = 16_000;
    const text = Array.from({ length: COUNT }, (_, index) => `unknown_${index} = ${index}\n`).join("");
    const startedMs = performance.now();
    const { unknown } = parse(text);
    expect(unknown.length).toBe(21);
    expect(unknown[0]).toBe("line 1: unknown_0 is not a setting and has no effect");
    expect(unknown[19]).toBe("line 20: unknown_19 is not a setting and has no effect");
    expect(unknown[20]).toBe("and 15980 more keys that are not settings");
    // Searching the whole text for every key took 46 s.
    expect(performance.now() - startedMs).toBeLessThan(10_000);
  });

  test.each([
    ["one long key", `${"x".repeat(60_000)} = 1\n`],
    ["one long path", `a${".a".repeat(30_000)} = 1\n`],
    ["keys below a long path", `[a${".a".repeat(15_000)}]\nk = 1\n`],
    ["a value that nests", `a = ${"[".repeat(30_000)}${"]".repeat(30_000)}\n`],
    ["a list of what is no text", `[proxy]\nallowed_hosts = [${"1,".repeat(30_000)}1]\n`],
  ])("that is one absurdity is answered with a message of a few lines: %s", (_what, text) => {
    let outcome: string;
    try {
      outcome = parse(text).unknown.join();
    } catch (error) {
      outcome = String(error);
    }
    expect(outcome.length).toBeGreaterThan(10);
    expect(outcome.length).toBeLessThan(4_000);
  });

  test("is normalized as in the Go program", () => {
    const { config } = parse(
      `[proxy]
      listen = "  "
      upstream_base_url = " https://x.example/backend-api// "
      child_proxy_urls = ["http://a/", "http://a", " ", "http://b"]
      max_attempts = 0
      cooldown_default_seconds = 0
      [policy]
      mode = " sticky "
      [policy.weights]
      daily = 0
      weekly = 0
      [commands]
      login = [" "]
      run = [" exec ", "", "--yolo"]`,
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

  test("keeps the defaults of missing keys, and zero where zero is a value", () => {
    expect(parse("[policy.weights]\ndaily = 10").config.policy.weights).toEqual({ daily: 10, weekly: 40 });
    expect(parse("[policy]\ndelta_percent = 0").config.policy.delta_percent).toBe(0);
    expect(parse("[proxy]\nretry_budget_percent = 0").config.proxy.retry_budget_percent).toBe(0);
    expect(parse('[policy]\nmode = " "').config.policy.mode).toBe("usage_balanced");
  });

  test("accepts keys in upper and lower case, the former key of proxy_url, and the line ends of Windows", () => {
    expect(parse('[Proxy]\nListen = "127.0.0.1:1"').config.proxy.listen).toBe("127.0.0.1:1");
    const legacy = parse('[run]\nproxy_url = "http://old:1"');
    expect(legacy.config.proxy.proxy_url).toBe("http://old:1");
    expect(legacy.lines.get("proxy.proxy_url")).toBe(2);
    // A present key counts, even if its value is empty.
    expect(parse('[proxy]\nproxy_url = ""\n[run]\nproxy_url = "http://old:1"').config.proxy.proxy_url).toBe(
      "",
    );
    expect(parse('[policy] # mine\r\nmode = "sticky" # mine\r\n').config.policy.mode).toBe("sticky");
  });

  const BAD: [string, string][] = [
    [
      '# mine\n[policy]\nmode = "fastest"',
      'line 3: policy.mode: "fastest" is not a policy; allowed: usage_balanced, sticky, round_robin',
    ],
    ["[policy]\nmode = 3", "line 2: policy.mode: must be a string in quotes"],
    ['[proxy]\nmax_attempts = "three"', "line 2: proxy.max_attempts: must be a number, without quotes"],
    ["[proxy]\nmax_attempts = 99999999999999999999", "line 2: proxy.max_attempts: the number is too large"],
    ["[policy]\ndelta_percent = nan", "line 2: policy.delta_percent: must be a finite number"],
    ['[proxy]\nname = "a\\nb"', "line 2: proxy.name: must be one line"],
    ['[proxy]\nproxy_url = "ftp://x"', 'line 2: proxy.proxy_url: "ftp://x" is not an http(s) URL'],
    ['[proxy]\nallowed_paths = ["/conversations"]', "line 2: proxy.allowed_paths: must be path segments"],
    ['[proxy]\nallowed_paths = ["a b"]', "line 2: proxy.allowed_paths: must be path segments"],
    ['[proxy]\nallowed_paths = "*"', "line 2: proxy.allowed_paths: must be a list of texts"],
    ['[proxy]\nallowed_hosts = ["bad host!"]', "line 2: proxy.allowed_hosts: must be names or addresses"],
    ['[commands]\nrun = ["a", 3]', "line 2: commands.run, entry 2: must be a string in quotes"],
    ["[proxy]\n\nmax_attempts = 2.5", "line 3: proxy.max_attempts: must be a whole number"],
    ["[proxy]\nlisten = 8765", "line 2: proxy.listen: must be a string in quotes"],
    ['[proxy]\nlisten = "8765"', 'line 2: proxy.listen: "8765" is not an address'],
    [
      '[proxy]\nchild_proxy_urls = [\n  "http://a", # fine\n  "b"\n]',
      'line 2: proxy.child_proxy_urls: "b" is not an http(s) URL',
    ],
    ['[proxy]\nupstream_base_url = "chatgpt.com"', 'line 2: proxy.upstream_base_url: "chatgpt.com" is not'],
    ['[run]\ninherit_shell = "yes"', "line 2: run.inherit_shell: must be true or false, without quotes"],
    ['[commands]\nlogin = "login"', "line 2: commands.login: must be a list of texts"],
    ["[policy.weights]\ndaily = true", "line 2: policy.weights.daily: must be a number, without quotes"],
    ["proxy = 3", "line 1: proxy: must be a table"],
    ["a = 1\n[proxy", "not valid TOML: line 2"],
    ["[proxy]\nname = 'a'\nname = 'b'", "not valid TOML: line 3"],
  ];
  for (const [text, message] of BAD)
    test(`${JSON.stringify(text)} is refused with the position and the reason`, () => {
      expect(() => parse(text)).toThrow(message);
      expect(() => parse(text)).toThrow("reading /r/config.toml");
    });

  test("an error about a value also names the keys that are not settings", () => {
    expect(() => parse('[policy]\nmode = "usage_balance"\n[proxy]\nlisen = 3')).toThrow(
      /line 2: policy\.mode: .*; line 4: proxy\.lisen is not a setting and has no effect; did you mean proxy\.listen\?$/,
    );
  });

  test.each([
    ["[proxy]\nmax_attempts = -3", "line 2: proxy.max_attempts: must not be negative"],
    ["[proxy]\nretry_budget_percent = -1", "line 2: proxy.retry_budget_percent: must not be negative"],
    ["[proxy]\ndrain_timeout_seconds = -1", "line 2: proxy.drain_timeout_seconds: must not be negative"],
    [
      '[proxy]\nwait_for_reset = "-1h"',
      'line 2: proxy.wait_for_reset: "-1h" must be "off", or a duration greater than 0 and at most 7d; write it as "6h" or "45m"',
    ],
    ['[proxy]\nwait_for_reset = "0"', '"0" must be "off", or a duration greater than 0'],
    ["[policy]\ndelta_percent = -1", "line 2: policy.delta_percent: must not be negative"],
    ["[policy]\ndelta_percent = 101", "line 2: policy.delta_percent: must be at most 100"],
    ["[policy.weights]\nweekly = -4", "line 2: policy.weights.weekly: must not be negative"],
  ])("%j is out of range, and refused", (text, message) => {
    expect(() => parse(text)).toThrow(message);
  });

  test("flags out of range are refused", () => {
    for (const flags of [{ maxAttempts: -1 }, { usageTimeoutMs: -5 }, { quotaCacheTtlMinutes: -1 }])
      expect(() => effectiveConfig(parse(""), flags, {})).toThrow(/^--[a-z-]+: must not be negative$/);
  });

  test("warns of values that count as another, and shows their sources as the default", () => {
    const parsed = parse(
      "[proxy]\nmax_attempts = 0\n[quota]\nrefresh_interval_minutes = 0\ncache_ttl_minutes = 30",
    );
    expect(parsed.ignored).toEqual([
      "line 2: proxy.max_attempts = 0 is replaced by 3",
      "line 4: quota.refresh_interval_minutes = 0 is replaced by 10",
    ]);
    expect([...parsed.lines.keys()]).toEqual(["quota.cache_ttl_minutes"]);
  });

  test("warns of unknown keys, with the line and a suggestion", () => {
    expect(parse('[proxy]\nlistne = "x"\n[polcy]\nmode = "x"\n[zzz.deep]\na = 1').unknown).toEqual([
      "line 2: proxy.listne is not a setting and has no effect; did you mean proxy.listen?",
      "line 3: polcy is not a setting and has no effect; did you mean policy?",
      "line 5: zzz is not a setting and has no effect",
    ]);
  });
});

describe("listening beyond this machine", () => {
  const config = (toml: string) => exposureProblem(parse(toml).config);
  test("requires client authentication or the user's permission", () => {
    for (const listen of ["0.0.0.0:8765", ":8765", "[::]:8765", "10.0.0.1:8765", "box.lan:8765"]) {
      expect(config(`[proxy]\nlisten = "${listen}"`)).toContain(listen);
      expect(config(`[proxy]\nlisten = "${listen}"\nclient_auth = true`)).toBeUndefined();
      expect(config(`[proxy]\nlisten = "${listen}"\nallow_unauthenticated = true`)).toBeUndefined();
    }
    for (const listen of ["127.0.0.1:1", "localhost:1", "[::1]:1"])
      expect(config(`[proxy]\nlisten = "${listen}"`)).toBeUndefined();
  });
});

describe("the settings in effect", () => {
  const file = parse('[proxy]\nname = "file"\nmax_attempts = 2\n[policy]\nmode = "sticky"');

  test("come from the default, the file, the environment and flags, later ones first, with their sources", () => {
    const env = { CODEXLB_PROXY_NAME: " edge ", CODEXLB_CHILD_PROXY_URLS: "http://a/, http://b\nhttp://a" };
    const flags = {
      listen: "127.0.0.1:1",
      upstream: "https://y/",
      maxAttempts: 7,
      usageTimeoutMs: 0,
      quotaCacheTtlMinutes: 0,
    };
    const shown = new Map(
      shownSettings(effectiveConfig(file, flags, env)).map(({ key, value, source }) => [
        key,
        [value, source],
      ]),
    );
    expect([...shown.keys()]).toEqual(SETTINGS.map(({ key }) => key));
    expect(Object.fromEntries(shown)).toMatchObject({
      "proxy.name": ["edge", "CODEXLB_PROXY_NAME"],
      "proxy.listen": ["127.0.0.1:1", "--listen"],
      "proxy.upstream_base_url": ["https://y", "--upstream"],
      "proxy.child_proxy_urls": [["http://a", "http://b"], "CODEXLB_CHILD_PROXY_URLS"],
      "proxy.max_attempts": [7, "--max-attempts"],
      "proxy.usage_timeout_ms": [30_000, "default"],
      "policy.mode": ["sticky", "config.toml line 5"],
      "quota.cache_ttl_minutes": [30, "default"],
    });
    expect(settingOf(effectiveConfig(file, {}, {}).config, "proxy.max_attempts")).toBe(2);
  });

  test("take the backend from CODEXLB_UPSTREAM, unless a flag names one", () => {
    const upstream = (flags: { upstream?: string }, env: Record<string, string>) => {
      const { config, sources } = effectiveConfig(
        parse('[proxy]\nupstream_base_url = "http://file"'),
        flags,
        env,
      );
      return [config.proxy.upstream_base_url, sources.get("proxy.upstream_base_url")];
    };
    const env = { CODEXLB_UPSTREAM: "http://env/" };
    expect(upstream({}, env)).toEqual(["http://env", "CODEXLB_UPSTREAM"]);
    expect(upstream({ upstream: "http://flag" }, env)).toEqual(["http://flag", "--upstream"]);
    // Compose passes an unset variable as an empty one.
    expect(upstream({}, { CODEXLB_UPSTREAM: "" })).toEqual(["http://file", "config.toml line 2"]);
  });

  test.each([
    ["no address", "", "0.0.0.0:8765", "CODEXLB_CONTAINER_LISTEN"],
    ["the default address", "127.0.0.1:8765", "0.0.0.0:8765", "CODEXLB_CONTAINER_LISTEN"],
    ["a loopback name", "localhost:9000", "0.0.0.0:8765", "CODEXLB_CONTAINER_LISTEN"],
    ["an address that other machines reach", "10.0.0.5:9000", "10.0.0.5:9000", "config.toml line 2"],
  ])(
    "replace %s in the file by CODEXLB_CONTAINER_LISTEN only if a published port cannot reach it",
    (...row) => {
      const [, written, listen, source] = row;
      const file = parse(`[proxy]\nlisten = ${JSON.stringify(written)}`);
      const env = { CODEXLB_CONTAINER_LISTEN: "0.0.0.0:8765" };
      const { config, sources } = effectiveConfig(file, {}, env);
      expect([config.proxy.listen, sources.get("proxy.listen")]).toEqual([listen, source]);
      expect(effectiveConfig(file, { listen: "127.0.0.1:1" }, env).config.proxy.listen).toBe("127.0.0.1:1");
    },
  );

  test("are checked whatever their source", () => {
    expect(() => effectiveConfig(file, {}, { CODEXLB_CONTAINER_LISTEN: "8765" })).toThrow(
      'CODEXLB_CONTAINER_LISTEN: "8765" is not an address',
    );
    expect(() => effectiveConfig(file, { listen: "nowhere" }, {})).toThrow(
      '--listen: "nowhere" is not an address',
    );
    expect(() => effectiveConfig(file, { upstream: "x" }, {})).toThrow(
      '--upstream: "x" is not an http(s) URL',
    );
    expect(() => effectiveConfig(file, {}, { CODEXLB_CHILD_PROXY_URLS: "x" })).toThrow(
      'CODEXLB_CHILD_PROXY_URLS: "x" is not an http(s) URL',
    );
  });

  test("are shown with the user's prices, and can be read back", () => {
    const priced = parse(
      '[prices."gpt-7"]\ninput = 3\noutput = 12\n[prices]\n"a.b c" = { input = 1, cached_input = 0, output = 2 }',
    );
    const shown = shownSettings(effectiveConfig(priced, {}, {}));
    expect(shown.slice(SETTINGS.length)).toEqual([
      { key: 'prices."gpt-7".input', value: 3, source: "config.toml line 2" },
      { key: 'prices."gpt-7".cached_input', value: 3, source: "default" },
      { key: 'prices."gpt-7".output', value: 12, source: "config.toml line 3" },
      ...["input", "cached_input", "output"].map((name, index) => ({
        key: `prices."a.b c".${name}`,
        value: [1, 0, 2][index],
        source: "config.toml line 5",
      })),
    ]);
    expect(configFrom(shown).prices).toEqual(priced.config.prices);
    const quoted = parse('[prices."odd \\" name"]\ninput = 1\noutput = 2');
    expect(configFrom(shownSettings(effectiveConfig(quoted, {}, {}))).prices).toEqual(quoted.config.prices);
    // Of a newer version, or damaged on the way.
    const odd = ["prices.x.input", 'prices."x".weight', 'prices."x', 'prices."x".input'];
    expect(configFrom(odd.map((key) => ({ key, value: 1 }))).prices).toEqual({});
  });

  test("are shown without the keys in URLs", () => {
    const secret = parse(
      '[proxy]\nproxy_url = "http://:clb_x@h:1"\nchild_proxy_urls = ["http://u:clb_y@h:2", "http://h:3"]',
    );
    const shown = JSON.stringify(shownSettings(effectiveConfig(secret, {}, {})));
    expect(shown).not.toContain("clb_");
    expect(shown).toContain('["http://[redacted]@h:2","http://h:3"]');
  });

  test("leave the file's own settings unchanged", () => {
    const before = structuredClone(file.config);
    effectiveConfig(file, { maxAttempts: 9 }, { CODEXLB_PROXY_NAME: "x" });
    expect(file.config).toEqual(before);
  });
});

describe("a proxy that starts", () => {
  function prepare(text: string | undefined) {
    const temp = tempDirectory();
    const layout = layoutOf(join(temp.path, "r"));
    const warnings: string[] = [];
    const reports: string[] = [];
    const deps = {
      random: (bytes: number) => new Uint8Array(bytes).fill(0xab),
      log: {
        info: (line: string) => void reports.push(line),
        warn: (line: string) => void warnings.push(line),
      },
    };
    if (text !== undefined) {
      prepareConfigFile(layout, deps); // makes the directory
      writeFileSync(layout.config, text);
    }
    const message = prepareConfigFile(layout, deps);
    return {
      message,
      written: readFileSync(layout.config, "utf8"),
      layout,
      warnings,
      reports,
      deps,
      [Symbol.dispose]: () => temp[Symbol.dispose](),
    };
  }

  test("creates the file once, with a new name, and only the owner can read it", () => {
    using made = prepare(undefined);
    expect(parse(made.message).config.proxy.name).toBe("proxy-abababab");
    expect(made.written).toBe(made.message);
    expect(statSync(made.layout.config).mode & 0o777).toBe(0o600);
    expect(prepareConfigFile(made.layout, { ...made.deps, random: () => new Uint8Array(4) })).toBe(
      made.message,
    );
  });

  test("adds a missing name and keeps every other byte", () => {
    using made = prepare(
      '# mine\n[proxy] # here\nlisten = "127.0.0.1:9"   # odd   spacing\n\n[mine]\nkept = 1\n',
    );
    expect(made.written).toBe(
      '# mine\n[proxy] # here\nname = "proxy-abababab"\nlisten = "127.0.0.1:9"   # odd   spacing\n\n[mine]\nkept = 1\n',
    );
    expect(made.message).toBe(made.written);
    const report = `wrote proxy.name = "proxy-abababab" into ${made.layout.config}, because a proxy needs a name; you can change it`;
    expect(made.reports).toEqual([report]);
    // The file has a name now.
    prepareConfigFile(made.layout, made.deps);
    expect(made.reports).toEqual([report]);
  });

  test("does not change a file that has a name, is blank, or is not valid", () => {
    for (const text of [GO_CONFIG, "", " \n\t\n"]) {
      using made = prepare(text);
      expect(made.written).toBe(text);
      expect(made.reports).toEqual([]);
      expect(made.warnings.length).toBe(text.trim() === "" ? 1 : 0);
    }
    using temp = tempDirectory();
    const layout = layoutOf(temp.path);
    writeFileSync(layout.config, "[proxy\n");
    const deps = { random: () => new Uint8Array(4), log: { info: () => {}, warn: () => {} } };
    expect(() => prepareConfigFile(layout, deps)).toThrow("not valid TOML");
    expect(readFileSync(layout.config, "utf8")).toBe("[proxy\n");
  });

  test("writes to the target of a link", () => {
    using temp = tempDirectory();
    const layout = layoutOf(temp.path);
    const kept = join(temp.path, "dotfiles.toml");
    writeFileSync(kept, "[proxy]\n");
    symlinkSync(kept, layout.config);
    prepareConfigFile(layout, { random: () => new Uint8Array(4), log: { info: () => {}, warn: () => {} } });
    expect(lstatSync(layout.config).isSymbolicLink()).toBe(true);
    expect(readFileSync(kept, "utf8")).toBe('[proxy]\nname = "proxy-00000000"\n');
  });
});
