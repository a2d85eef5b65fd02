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
import { remoteKeys } from "../../../src/admin/client.ts";
import { socketDoor } from "../../../src/admin/door.ts";
import { readClaims } from "../../../src/auth/claims.ts";
import { keyIdOf } from "../../../src/auth/proof.ts";
import { hashOf, readSecret } from "../../../src/auth/secrets.ts";
import { grantOfStub } from "../../../src/auth/stub.ts";
import { type CliRan, runCli } from "../../support/cli.ts";
import { startPool, type TestPool, until } from "../../support/pool.ts";
import { type TempDirectory, tempDirectory } from "../../support/temp.ts";

interface Bench extends AsyncDisposable {
  readonly pool: TestPool;
  readonly root: string;
  /** `~/.codex`. */
  readonly standard: string;
  /** Runs `codexlb run` with `args`. */
  run(args?: readonly string[], env?: Record<string, string>): Promise<CliRan & { readonly home: string }>;
}

async function startBench(config?: string): Promise<Bench> {
  const temp: TempDirectory = tempDirectory();
  const pool = await startPool({
    accounts: [{ alias: "alice" }],
    ...(config === undefined ? {} : { config }),
  });
  const codex = join(temp.path, "codex");
  // With a GATE it reads its credentials only once something is written to this pipe.
  writeFileSync(
    codex,
    '#!/bin/sh\nif [ -n "$GATE" ]; then : > "$GATE.started"; read -r _ < "$GATE"; fi\necho "home $CODEX_HOME"\ncat "$CODEX_HOME/auth.json"\nexit $FAKE_CODE\n',
    { mode: 0o755 },
  );
  const standard = join(temp.path, "home", ".codex");
  mkdirSync(standard, { recursive: true });
  return {
    pool,
    root: pool.layout.root,
    standard,
    run: async (args = [], env = {}) => {
      const { CODEXLB_ROOT: root = pool.layout.root } = env;
      const command = ["run", "--root", root, "--codex-bin", codex, ...args, "--version"];
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

  test("is another one for each client key, so that a run keeps its credentials while others start", async () => {
    await using bench = await startBench("[proxy]\nclient_auth = true\n");
    const { pool, root } = bench;
    const keyOps = remoteKeys(socketDoor(pool.layout.adminSocket));
    const keys = [await keyOps.add("first", "client"), await keyOps.add("second", "client")];
    const elsewhere = join(root, "..", "elsewhere");
    mkdirSync(elsewhere, { mode: 0o700 });
    const base = { CODEXLB_ROOT: elsewhere, CODEXLB_PROXY_URL: pool.url };
    const gate = join(elsewhere, "gate");
    expect(Bun.spawnSync(["mkfifo", gate]).exitCode).toBe(0);
    const first = bench.run([], { ...base, CODEXLB_CLIENT_KEY: keys[0] ?? "", GATE: gate });
    await until("the first Codex has started", () => existsSync(`${gate}.started`), 20_000);
    const second = await bench.run([], { ...base, CODEXLB_CLIENT_KEY: keys[1] ?? "" });
    const unkeyed = await bench.run([], { ...base, CODEXLB_ADMIN_TOKEN: pool.adminToken });
    writeFileSync(gate, "go\n");
    const runs = [await first, second, unkeyed];
    const signingKey = readSecret(pool.layout.signingKey) ?? "";
    const grants = runs.map(({ out }) =>
      grantOfStub(/"access_token": "([^"]*)"/.exec(out)?.[1] ?? "", signingKey, Date.now()),
    );
    expect(grants).toEqual([...keys, pool.adminToken].map((secret) => keyIdOf(hashOf(secret))));
    const [home = "", , standard] = runs.map((ran) => ran.home);
    expect(standard).toBe(join(elsewhere, "codex-home"));
    expect(home).toMatch(/elsewhere\/codex-home-key-[0-9a-f]{12}$/);
    expect(readlinkSync(join(home, "sessions"))).toBe(join(bench.standard, "sessions"));
    expect((await bench.run([], { ...base, CODEXLB_CLIENT_KEY: keys[0] ?? "" })).home).toBe(home);
  });

  test("of a proxy that requires keys is prepared for a given key, and not for a key that was removed", async () => {
    await using bench = await startBench("[proxy]\nclient_auth = true\n");
    const { pool, root } = bench;
    const keyOps = remoteKeys(socketDoor(pool.layout.adminSocket));
    const key = await keyOps.add("mine", "client");
    const given = await bench.run([], { CODEXLB_CLIENT_KEY: key });
    const signingKey = readSecret(pool.layout.signingKey) ?? "";
    const token = /"access_token": "([^"]*)"/.exec(given.out)?.[1] ?? "";
    expect(grantOfStub(token, signingKey, Date.now())).toBe(keyIdOf(hashOf(key)));
    await keyOps.remove("mine");
    const homes = readdirSync(root).filter((name) => name.startsWith("codex-home"));
    for (const secret of [key, "bad"])
      for (const at of [[], ["--proxy-url", pool.url]]) {
        const { code, out, err } = await bench.run(at, { CODEXLB_CLIENT_KEY: secret });
        expect({ code, out }).toEqual({ code: 1, out: "" });
        expect(err).toBe(
          `codexlb: the proxy at ${pool.url} requires a key, and CODEXLB_CLIENT_KEY cannot be used: it is not a key of this proxy\n  unset CODEXLB_CLIENT_KEY, because runs on this root need no key, or create a key with: codexlb key add --root ${root} NAME\n`,
        );
      }
    expect(readdirSync(root).filter((name) => name.startsWith("codex-home"))).toEqual(homes);
    expect((await bench.run()).code).toBe(0);
  });

  test("has for a new client key the settings and the thread owner of runs without a key", async () => {
    await using bench = await startBench();
    const own = join(bench.standard, "auth.json");
    writeFileSync(own, bench.pool.mock.authFile("alice"));
    const { home } = await bench.run();
    const owner = tokensIn(home).account_id ?? "none";
    const path = join(home, "config.toml");
    writeFileSync(path, `${readFileSync(path, "utf8")}[mcp_servers.added]\ncommand = "a"\n`);
    writeFileSync(own, '{"OPENAI_API_KEY":"sk-1"}');
    const keyed = (await bench.run([], { CODEXLB_CLIENT_KEY: "clb_any" })).home;
    expect(keyed).not.toBe(home);
    expect(settings(keyed)).toMatchObject({ mcp_servers: { added: { command: "a" } } });
    expect(tokensIn(keyed).account_id).toBe(owner);
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
