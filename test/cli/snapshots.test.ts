// The help and the output of every command, in a pipe and on terminals of 80 and 160 columns. `make snapshots` updates
// the committed texts.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemDeps } from "../../src/deps.ts";
import { type MockBackend, startMock } from "../../src/mock/backend.ts";
import { runCli } from "../support/cli.ts";
import { startPool, type TestPool, until } from "../support/pool.ts";
import { type TempDirectory, tempDirectory } from "../support/temp.ts";

let temp: TempDirectory;
beforeAll(() => {
  temp = tempDirectory();
});
afterAll(() => temp[Symbol.dispose]());

const isColoured = (text: string) => text.includes("\u001b[");
const withoutEscapes = (text: string) => Bun.stripANSI(text);
const widest = (text: string) => Math.max(...text.split("\n").map((line) => Bun.stringWidth(line)));

/** The kinds of output. */
const WAYS = [
  { name: "a pipe", terminal: undefined, env: {} },
  { name: "80 columns", terminal: 80, env: {} },
  { name: "160 columns", terminal: 160, env: {} },
  { name: "80 columns, NO_COLOR", terminal: 80, env: { NO_COLOR: "1" } },
] as const;

async function inEveryWay(args: readonly string[], env: Record<string, string> = {}) {
  const ran = await Promise.all(
    WAYS.map(({ terminal, env: own }) =>
      runCli(args, {
        cwd: temp.path,
        env: { ...env, ...own },
        ...(terminal === undefined ? {} : { terminal }),
      }),
    ),
  );
  const [pipe, narrow, wide, plain] = ran;
  if (pipe === undefined || narrow === undefined || wide === undefined || plain === undefined)
    throw new Error("a kind of output is missing");
  return { pipe, narrow, wide, plain };
}

/** The sub-commands that a help text lists. */
function listed(help: string): string[] {
  const section = /\nCommands:\n((?: {2}.*\n)+)/.exec(help)?.[1] ?? "";
  return [...section.matchAll(/^ {2}(\S+)/gm)].map((match) => match[1] ?? "");
}

describe("help", () => {
  test("of every command", async () => {
    const seen: string[] = [];
    const look = async (path: readonly string[]): Promise<void> => {
      const { pipe, narrow, wide, plain } = await inEveryWay([...path, "--help"]);
      for (const ran of [pipe, narrow, wide, plain]) expect([path, ran.code]).toEqual([path, 0]);
      expect(pipe.err).toBe("");
      // Colours appear only on a terminal whose user wants them.
      expect([path, isColoured(narrow.out), isColoured(wide.out)]).toEqual([path, true, true]);
      expect([path, isColoured(pipe.out), isColoured(plain.out)]).toEqual([path, false, false]);
      expect(withoutEscapes(narrow.out)).toBe(plain.out);
      expect([path, widest(plain.out) <= 80]).toEqual([path, true]);
      for (const text of [pipe.out, plain.out, withoutEscapes(wide.out)])
        for (const line of text.split("\n")) expect(line).toBe(line.trimEnd());
      const name = ["codexlb", ...path].join(" ");
      expect(pipe.out).toMatchSnapshot(`${name}, a pipe`);
      expect(plain.out).toMatchSnapshot(`${name}, 80 columns`);
      expect(withoutEscapes(wide.out)).toMatchSnapshot(`${name}, 160 columns`);
      seen.push(name);
      for (const sub of listed(pipe.out)) await look([...path, sub]);
    };
    await look([]);
    expect(seen.length).toBeGreaterThan(20);
    expect(seen).toMatchSnapshot("every command");
  });
});

describe("output", () => {
  let mock: MockBackend;
  let pool: TestPool;

  beforeAll(async () => {
    mock = startMock({ accounts: [{ alias: "alice" }, { alias: "bob" }], clock: systemDeps().clock });
    pool = await startPool({
      accounts: [{ alias: "alice", turns: 4 }, { alias: "bob" }, { alias: "carol" }],
      config: '[proxy]\nname = "edge"\n[policy]\nmode = "sticky"\n',
    });
    pool.mock.accounts.spend(pool.mock.accounts.byAlias("alice"), "demo");
    await until("figures are known", async () =>
      (await pool.status()).accounts.every(({ daily_left_pct }) => daily_left_pct >= 0),
    );
    await pool.accounts.pin("bob");
    await pool.accounts.serve("carol", "disable");
    for (const alias of ["alice", "bob"]) {
      mkdirSync(join(temp.path, alias));
      writeFileSync(join(temp.path, alias, "auth.json"), mock.authFile(alias));
    }
  });
  afterAll(async () => {
    await pool[Symbol.asyncDispose]();
    await mock.stop();
  });

  /** `text` with words in place of everything that differs between two runs. */
  const stable = (text: string) =>
    text
      .replaceAll(pool.layout.root, "ROOT")
      .replaceAll(temp.path, "TEMP")
      .replaceAll(pool.url, "PROXY")
      .replaceAll(pool.mock.origin, "BACKEND")
      .replaceAll(new URL(pool.url).host, "HOST:PORT")
      .replace(/localhost:\d+/g, "localhost:PORT")
      .replace(/process \d+/g, "process N")
      .replace(/valid for \d+ min/g, "valid for N min")
      .replace(/clb_[\w-]{43}/g, "clb_KEY")
      .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "TIME")
      .replace(/^\d\d:\d\d:\d\d/gm, "TIME")
      .replace(/(_at|_ms|AtMs|asOfMs|sinceMs)": ?\d+/g, '$1": N')
      .replace(/"(score|age_seconds|urgency)": ?[\d.]+/g, '"$1": N')
      .replace(/usage_api \d+s/g, "usage_api Ns")
      // The first forecast is made a second after the start.
      .replace(/,"forecast":(?:\[[^\]]*\]|\{[^}]*\})/g, "")
      .replace(/"(proxy_id|identity)": ?"\w+"/g, '"$1": "HASH"')
      .replace(/"(dead_login)": ?"\w+"/g, '"$1": "HASH"')
      .replace(/\d{4}-\d\d-\d\d/g, "DATE")
      // The width of the column depends on the port.
      .replace(/^.*(?:BACKEND| {2}FROM$| {2}default$| {2}config\.toml line).*$/gm, (line) =>
        line.replace(/ {2,}/g, "  "),
      );

  const COMMANDS: (readonly string[])[] = [
    ["status", "--proxy-url", "PROXY"],
    ["status", "--short", "--proxy-url", "PROXY"],
    ["explain"],
    ["explain", "--session", "s1", "--json"],
    ["account", "list"],
    ["account", "pin", "alice"],
    ["account", "unpin"],
    ["account", "drain", "alice"],
    ["account", "disable", "openai:alice"],
    ["account", "enable", "alice"],
    ["config", "show"],
    ["config", "check"],
    ["config", "path"],
    ["key", "list"],
    ["account", "list", "--json"],
    ["status", "--json", "--proxy-url", "PROXY"],
    ["proxy", "logs", "--offset", "0", "--limit", "2"],
    ["run", "--command", "exec", "hello"],
    ["doctor", "--codex-bin", "/nowhere/codex"],
    ["account", "pin", "dave"],
    ["config", "shw"],
  ];
  for (const args of COMMANDS)
    test(`codexlb ${args.join(" ")}`, async () => {
      const env = { CODEXLB_ROOT: pool.layout.root };
      // The four runs are simultaneous, so all of them must find what the first one would change.
      const [, change] = args;
      if (change === "unpin") await pool.accounts.unpin();
      if (change === "drain" || change === "disable" || change === "enable")
        await pool.accounts.serve("alice", change);
      const words = args.map((word) => (word === "PROXY" ? pool.url : word));
      const { pipe, narrow, wide, plain } = await inEveryWay(words, env);
      for (const ran of [narrow, wide, plain]) expect(ran.code).toBe(pipe.code);
      expect(isColoured(pipe.out + pipe.err + plain.out)).toBe(false);
      expect(stable(pipe.out)).toMatchSnapshot("standard output");
      expect(stable(pipe.err)).toMatchSnapshot("standard error");
      expect(stable(withoutEscapes(narrow.out))).toMatchSnapshot("80 columns");
      expect(stable(withoutEscapes(wide.out))).toMatchSnapshot("160 columns");
      expect(stable(withoutEscapes(narrow.out))).toBe(stable(plain.out));
    });

  test("codexlb key add, list and rm", async () => {
    const env = { CODEXLB_ROOT: pool.layout.root };
    const run = (...args: string[]) => runCli(["key", ...args], { cwd: temp.path, env });
    for (const args of [
      ["add", "ci"],
      ["add", "ci"],
      ["add", "front", "--role", "parent"],
      ["add", "--role", "parent", "front"],
      ["add", "--role", "boss", "x"],
      ["add", "team", "--tag", "work,home", "--only"],
      ["add", "guest", "--tag", "nosuch"],
      ["list"],
      ["list", "--json"],
      ["rm", "ci"],
      ["rm", "ci"],
      ["rm"],
      ["rm", "front"],
      ["rm", "team"],
    ]) {
      const { code, out, err } = await run(...args);
      expect({ code, out: stable(out), err: stable(err) }).toMatchSnapshot(args.join(" "));
    }
  });

  test("codexlb proxy, from its start to its end", async () => {
    const root = join(temp.path, "fresh");
    const child = Bun.spawn(
      [
        process.execPath,
        join(import.meta.dir, "..", "..", "src", "main.ts"),
        "proxy",
        "--listen",
        "127.0.0.1:0",
        "--root",
        root,
        "--upstream",
        pool.mock.baseUrl,
      ],
      {
        env: { PATH: process.env.PATH ?? "", HOME: temp.path },
        stdin: "ignore",
        stdout: "pipe",
        stderr: "pipe",
      },
    );
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const line = (await reader.read()).value ?? "";
    child.kill("SIGTERM");
    expect(await child.exited).toBe(0);
    expect(
      stable(line)
        .replaceAll(root, "FRESH")
        .replace(/127\.0\.0\.1:\d+/, "ADDRESS")
        .replace(/proxy-[0-9a-f]{8}/, "NAME"),
    ).toMatchSnapshot("standard output");
    expect(stable(await child.stderr.text())).toMatchSnapshot("standard error");
  });

  test("codexlb account import, rm and list on a root without a proxy", async () => {
    const run = (...args: string[]) =>
      runCli(["account", ...args], { cwd: temp.path, env: { CODEXLB_ROOT: join(temp.path, "quiet") } });
    for (const args of [
      ["list"],
      ["import", "--from", "alice", "work"],
      ["import", "--from", "alice", "again"],
      ["import", "--from", "bob", "work"],
      ["import", "--from", "nowhere"],
      ["import", "--into", "proxy", "--from", "bob"],
      ["import", "--into", "elsewhere", "--from", "bob"],
      ["list"],
      ["rm", "again"],
      ["rm", "again"],
      ["login"],
      ["login", "../x"],
      ["login", "--codex-bin", "/nowhere/codex", "carol"],
    ]) {
      const { code, out, err } = await run(...args);
      expect({ code, out: stable(out), err: stable(err) }).toMatchSnapshot(args.join(" "));
    }
  });
});
