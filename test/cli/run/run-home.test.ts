// Which Codex home `codexlb run` prepares. A shell script in place of Codex prints it.

import { describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import TOML from "@iarna/toml";
import { readClaims } from "../../../src/auth/claims.ts";
import { type CliRan, runCli } from "../../support/cli.ts";
import { startPool, type TestPool } from "../../support/pool.ts";
import { type TempDirectory, tempDirectory } from "../../support/temp.ts";

interface Bench extends AsyncDisposable {
  readonly pool: TestPool;
  readonly root: string;
  /** `~/.codex`. */
  readonly standard: string;
  /** Runs `codexlb run` with `args`. */
  run(args?: readonly string[], env?: Record<string, string>): Promise<CliRan & { readonly home: string }>;
}

async function startBench(): Promise<Bench> {
  const temp: TempDirectory = tempDirectory();
  const pool = await startPool({ accounts: [{ alias: "alice" }] });
  const codex = join(temp.path, "codex");
  writeFileSync(codex, '#!/bin/sh\necho "home $CODEX_HOME"\nexit $FAKE_CODE\n', { mode: 0o755 });
  const standard = join(temp.path, "home", ".codex");
  mkdirSync(standard, { recursive: true });
  return {
    pool,
    root: pool.layout.root,
    standard,
    run: async (args = [], env = {}) => {
      const command = ["run", "--root", pool.layout.root, "--codex-bin", codex, ...args, "--version"];
      const ran = await runCli(command, { cwd: temp.path, env: { SHELL: "/bin/sh", ...env } });
      return { ...ran, home: /^home (.*)$/m.exec(ran.out)?.[1] ?? "" };
    },
    [Symbol.asyncDispose]: async () => {
      await pool[Symbol.asyncDispose]();
      temp[Symbol.dispose]();
    },
  };
}

const settings = (home: string): Record<string, unknown> => ({
  ...TOML.parse(readFileSync(join(home, "config.toml"), "utf8")),
});
const tokensIn = (home: string) =>
  JSON.parse(readFileSync(join(home, "auth.json"), "utf8")).tokens as Record<string, string>;

describe("the home of codexlb run", () => {
  test("is linked to ~/.codex, whose settings come before those of an account", async () => {
    await using bench = await startBench();
    writeFileSync(join(bench.pool.layout.accounts, "alice", "config.toml"), 'model = "theirs"\n');
    writeFileSync(join(bench.standard, "config.toml"), 'model = "mine"\n');
    writeFileSync(join(bench.standard, "AGENTS.md"), "mine");
    const ran = await bench.run();
    expect(ran).toMatchObject({ code: 0, err: "", home: join(bench.root, "codex-home") });
    expect(readlinkSync(join(ran.home, "AGENTS.md"))).toBe(join(bench.standard, "AGENTS.md"));
    expect(settings(ran.home)).toMatchObject({
      model: "mine",
      sqlite_home: bench.standard,
      features: { daemon_auto_start: false },
    });
    expect((await bench.run()).err).toBe("");
  });

  test("names the owner of the user's own threads, also after the login is gone, and none of its tokens", async () => {
    await using bench = await startBench();
    const own = join(bench.standard, "auth.json");
    writeFileSync(own, bench.pool.mock.authFile("alice"));
    const { home } = await bench.run();
    const { account_id, access_token, id_token, refresh_token } = tokensIn(home);
    expect(account_id).toBe(tokensIn(bench.standard).account_id ?? "none");
    expect(readClaims(id_token ?? "")).toMatchObject({
      chatgptAccountId: account_id,
      chatgptUserId: "user-alice",
      email: "proxy-only@codexlb.internal",
    });
    const tokens = Object.values(tokensIn(bench.standard)).filter((value) => value !== account_id);
    for (const token of tokens) expect([access_token, id_token, refresh_token]).not.toContain(token);
    writeFileSync(own, '{"OPENAI_API_KEY":"sk-1"}');
    await bench.run();
    expect(tokensIn(home).account_id).toBe(account_id ?? "none");
  });

  test("is another one for another CODEX_HOME, and the same one in a run within a run", async () => {
    await using bench = await startBench();
    const work = join(bench.root, "..", "work-home");
    mkdirSync(work);
    writeFileSync(join(work, "AGENTS.md"), "work");
    const { home } = await bench.run([], { CODEX_HOME: work });
    expect(home).toMatch(/codex-home-[0-9a-f]{12}$/);
    expect(realpathSync(join(home, "AGENTS.md"))).toBe(realpathSync(join(work, "AGENTS.md")));
    expect((await bench.run([], { CODEX_HOME: home })).home).toBe(home);
    const standard = (await bench.run()).home;
    expect((await bench.run([], { CODEX_HOME: standard })).home).toBe(standard);
    expect((await bench.run([], { CODEX_HOME: join(work, "missing") })).home).toBe(standard);
  });

  test("is ROOT/runtime with --isolated-home, without links", async () => {
    await using bench = await startBench();
    writeFileSync(join(bench.standard, "AGENTS.md"), "mine");
    const { home } = await bench.run(["--isolated-home"]);
    expect(home).toBe(join(bench.root, "runtime"));
    expect(readdirSync(home).sort()).toEqual([".codexlb-taken-over.toml", "auth.json", "config.toml"]);
    expect(readdirSync(bench.standard)).toEqual(["AGENTS.md"]);
    expect(tokensIn(home).account_id).toBe("proxy-only");
  });

  test("is ROOT/runtime, with a warning, if the user's home cannot be used", async () => {
    await using bench = await startBench();
    writeFileSync(join(bench.standard, "sessions"), "a file");
    const broken = join(bench.standard, "sessions");
    const ran = await bench.run([], { CODEX_HOME: broken });
    expect(ran.home).toBe(join(bench.root, "runtime"));
    expect(ran.err).toStartWith(`codexlb: warning: using the Codex home ${broken}: `);
    expect(ran.err).toContain(`this run uses the isolated home ${join(bench.root, "runtime")} instead`);
  });

  test("has the settings changed in earlier runs, and the user learns where their threads are, once", async () => {
    await using bench = await startBench();
    writeFileSync(join(bench.standard, "config.toml"), 'model = "mine"\n');
    const { home: isolated } = await bench.run(["--isolated-home"]);
    const path = join(isolated, "config.toml");
    writeFileSync(path, `${readFileSync(path, "utf8")}[mcp_servers.added]\ncommand = "a"\n`);
    mkdirSync(join(isolated, "sessions"));
    const ran = await bench.run();
    expect(ran.err).toBe(
      `codexlb: codexlb run now continues your own Codex home ${bench.standard}; threads of earlier runs are in ${isolated}: codexlb run --root ${dirname(isolated)} --isolated-home resume\n`,
    );
    expect(settings(ran.home)).toMatchObject({ model: "mine", mcp_servers: { added: { command: "a" } } });
    writeFileSync(join(bench.standard, "config.toml"), 'model = "other"\n');
    expect((await bench.run()).err).toBe("");
    expect(settings(ran.home)).toMatchObject({ model: "other", mcp_servers: { added: { command: "a" } } });
  });

  test("can contain threads that the background server of the user's Codex has open", async () => {
    await using bench = await startBench();
    const advice = "end that server with: codex app-server daemon stop\n";
    const failed = { FAKE_CODE: "1" };
    expect((await bench.run(["resume", "ID"], failed)).err).not.toContain(advice);
    mkdirSync(join(bench.standard, "app-server-control"));
    writeFileSync(join(bench.standard, "app-server-control", "app-server-control.sock"), "");
    expect((await bench.run(["resume", "ID"], failed)).err).toEndWith(advice);
    expect((await bench.run(["exec"], failed)).err).not.toContain(advice);
    expect((await bench.run(["resume", "ID"])).err).not.toContain(advice);
    expect((await bench.run(["--isolated-home", "resume", "ID"], failed)).err).not.toContain(advice);
  });

  test("can be chosen only once", async () => {
    await using bench = await startBench();
    const ran = await bench.run(["--isolated-home", "--codex-home", "x"]);
    expect([ran.code, ran.err.split("\n")[0]]).toEqual([
      2,
      "codexlb: run: --codex-home and --isolated-home cannot be combined",
    ]);
    expect(existsSync(join(bench.root, "codex-home"))).toBe(false);
  });
});
