// Tests a copy of the compiled executable, without the repository and node_modules.

import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { createSseClient } from "../../src/mock/client.ts";
import { executable } from "../support/executable.ts";
import { until } from "../support/pool.ts";

describe("the executable", () => {
  test("prints its version, commit, target and Bun version", async () => {
    using tool = executable();
    for (const flag of ["--version", "-v", "version"])
      expect((await tool.run([flag])).out).toMatch(
        /^codexlb \d+\.\d+\.\d+ \([0-9a-f]{12}(?:-dirty)?, [\w-]+, bun 1\.4\.5\)\n$/,
      );
  });

  test("contains every command", async () => {
    using tool = executable();
    for (const command of [
      "proxy",
      "account",
      "run",
      "status",
      "config",
      "key",
      "doctor",
      "completions",
      "man",
      "mock",
      "demo",
    ]) {
      const ran = await tool.run([command, "help"]);
      expect(ran.code).toBe(0);
      expect(ran.out).toContain(`codexlb ${command}`);
    }
  });

  test("prints the short status without loading the rest of the program", async () => {
    using tool = executable();
    mkdirSync(tool.root);
    const asked: string[] = [];
    const server = Bun.serve({
      unix: join(tool.root, "admin.sock"),
      fetch: (request) => {
        asked.push(new URL(request.url).pathname);
        return new Response("lb=quick\n");
      },
    });
    // The normal path would send more requests, and fail with this response.
    expect(await tool.run(["status", "--short"])).toEqual({ code: 0, out: "lb=quick\n", err: "" });
    expect(asked).toEqual(["/admin/short-status"]);
    await server.stop(true);
  });

  test("contains its completion scripts and its manual page", async () => {
    using tool = executable();
    expect((await tool.run(["completions", "bash"])).out).toContain("complete -F _codexlb codexlb");
    expect((await tool.run(["__complete", "bash", "0", "expl"])).out).toStartWith("words\nexplain\t");
    expect((await tool.run(["man"])).out).toMatch(/^\.TH "CODEXLB" 1 \d{4}-\d\d-\d\d "codexlb \d/);
  });

  test("is installed with its completion scripts and its manual page", async () => {
    using tool = executable();
    // Use the existing executable, so that it is not built again.
    const make = Bun.spawn(
      ["make", "-o", "dist/codexlb", "install", "PREFIX=/usr", `DESTDIR=${tool.directory}/installed`],
      { cwd: join(import.meta.dir, "..", ".."), stdin: "ignore", stdout: "ignore", stderr: "pipe" },
    );
    expect([await make.exited, await make.stderr.text()]).toEqual([0, ""]);
    const installed = readdirSync(join(tool.directory, "installed/usr"), {
      recursive: true,
      encoding: "utf8",
    });
    for (const [name, mode] of [
      ["bin/codexlb", 0o755],
      ["share/man/man1/codexlb.1", 0o644],
      ["share/bash-completion/completions/codexlb", 0o644],
      ["share/zsh/site-functions/_codexlb", 0o644],
      ["share/fish/vendor_completions.d/codexlb.fish", 0o644],
    ] as const) {
      expect(installed).toContain(name);
      expect(statSync(join(tool.directory, "installed/usr", name)).mode & 0o777).toBe(mode);
    }
  });

  test.each([
    ["a reader that goes away", '"$@" | head -1', 0],
    ["a signal", 'coproc "$@"; id=$!; read -r line <&"$COPROC"; kill -TERM $id; wait $id', 143],
  ])("shows it no further than %s, and leaves nothing behind", async (_what, script, code) => {
    using tool = executable();
    const shell = Bun.spawn(["bash", "-c", script, "bash", tool.path, "demo"], {
      env: tool.env({ TMPDIR: tool.directory }),
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const [out, err] = await Promise.all([shell.stdout.text(), shell.stderr.text()]);
    expect([await shell.exited, err]).toEqual([code, ""]);
    expect(out.split("\n").length).toBeLessThan(4);
    await until("its processes are gone", () => processesOf(tool.path).length === 0, 20_000);
    expect(readdirSync(tool.directory).filter((name) => name.startsWith("codexlb-demo-"))).toEqual([]);
  });

  test("shows codexlb's main job in its demo", async () => {
    using tool = executable();
    // Libraries read TEST and NODE_ENV, which must not suppress their output.
    const ran = await tool.run(["demo"], { TEST: "1", NODE_ENV: "test" });
    expect(ran.err).toBe("");
    expect(ran.code).toBe(0);
    expect(ran.out.trimEnd().split("\n").at(-1)).toContain("Six turns, two limits");
    expect(ran.out.match(/Hello from \w+/g)).toEqual([
      "Hello from alice",
      "Hello from alice",
      "Hello from bob",
      "Hello from bob",
      "Hello from bob",
      "Hello from carol",
    ]);
    // The demo leaves no files behind.
    expect(readdirSync(tool.directory).sort()).toEqual(["codexlb", "home"]);
    expect(readdirSync(join(tool.directory, "home"))).toEqual([]);
  });

  test("proxies, keeps its state private, writes everything on SIGTERM, and reads it at the next start", async () => {
    using tool = executable();
    await using mock = await tool.start([
      "mock",
      "--port",
      "0",
      "--accounts",
      "alice:5,bob:5",
      "--homes",
      join(tool.directory, "logins"),
    ]);
    const upstream = /on (http:\S+)/.exec(mock.firstLine)?.[1] ?? "";
    const token = { CODEXLB_TOKEN_URL: `${new URL(upstream).origin}/oauth/token` };
    for (const alias of ["alice", "bob"])
      expect(
        (await tool.run(["account", "import", "--from", join(tool.directory, "logins", alias), alias])).code,
      ).toBe(0);
    await using first = await tool.start(["proxy", "--listen", "127.0.0.1:0", "--upstream", upstream], token);
    const url = /listening on (http:\S+)/.exec(first.firstLine)?.[1] ?? "";
    expect(await createSseClient(url, "s").turn("hello")).toMatch(/^Hello from (?:alice|bob)$/);
    expect((await tool.run(["account", "pin", "bob"])).out).toBe("pinned account bob\n");
    for (const [name, mode] of [
      ["", 0o700],
      ["store.json", 0o600],
      ["config.toml", 0o600],
      ["admin.sock", 0o600],
      ["signing.key", 0o600],
      ["admin.token", 0o600],
      ["accounts/alice", 0o700],
      ["accounts/alice/auth.json", 0o600],
      ["logs/proxy.current.jsonl", 0o600],
    ] as const)
      expect([name, statSync(join(tool.root, name)).mode & 0o777]).toEqual([name, mode]);
    expect((await first.stop()).code).toBe(0);
    expect(existsSync(join(tool.root, "admin.sock"))).toBe(false);
    const store = JSON.parse(readFileSync(join(tool.root, "store.json"), "utf8"));
    expect(store.state).toMatchObject({ message_counter: 1, pinned_account_id: "openai:bob" });
    await using second = await tool.start(
      ["proxy", "--listen", "127.0.0.1:0", "--upstream", upstream],
      token,
    );
    const again = /listening on (http:\S+)/.exec(second.firstLine)?.[1] ?? "";
    expect(await createSseClient(again, "s2").turn("hello")).toBe("Hello from bob");
    const log = readFileSync(join(tool.root, "logs/proxy.current.jsonl"), "utf8");
    for (const secret of ["mock-refresh", "eyJ", "example.com", "hello"]) expect(log).not.toContain(secret);
    const events = log
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).event);
    for (const event of [
      "proxy.started",
      "request.received",
      "request.account_selected",
      "request.completed",
      "quota.refreshed",
      "proxy.stopping",
    ])
      expect(events).toContain(event);
  });

  test("ignores files in its current directory", async () => {
    using tool = executable();
    await Bun.write(join(tool.directory, ".env"), "CODEXLB_ROOT=/nowhere/at/all\n");
    await Bun.write(join(tool.directory, "bunfig.toml"), 'preload = ["./evil.ts"]\n');
    const ran = await tool.run(["account", "list"]);
    const warning = `codexlb: warning: the root ${tool.root} does not exist\n`;
    const next = "codexlb: add one with: codexlb account login ALIAS\n";
    expect(ran).toEqual({ code: 0, out: "no accounts\n", err: warning + next });
  });

  test("can replace a killed proxy immediately", async () => {
    using tool = executable();
    const child = Bun.spawn([tool.path, "proxy", "--listen", "127.0.0.1:0"], {
      env: tool.env(),
      stdin: "ignore",
      stdout: "pipe",
      stderr: "ignore",
    });
    await child.stdout.getReader().read();
    child.kill("SIGKILL");
    await child.exited;
    await using next = await tool.start(["proxy", "--listen", "127.0.0.1:0"]);
    expect(next.firstLine).toContain("listening on");
  });
});

/** The command lines of the processes that run `path`. Empty on systems other than Linux. */
function processesOf(path: string): string[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((id) => commandLineOf(id))
    .filter((line) => line.startsWith(path));
}

function commandLineOf(id: string): string {
  try {
    return readFileSync(`/proc/${id}/cmdline`, "utf8");
  } catch {
    return ""; // it has ended meanwhile
  }
}
