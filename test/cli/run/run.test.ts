// `codexlb run` with a program in place of Codex that sends the requests of Codex.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { remoteKeys } from "../../../src/admin/client.ts";
import { socketDoor } from "../../../src/admin/door.ts";
import { systemDeps } from "../../../src/deps.ts";
import { type MockBackend, startMock } from "../../../src/mock/backend.ts";
import { layoutOf } from "../../../src/state/layout.ts";
import { tryLock } from "../../../src/state/lock.ts";
import { type CliRan, runCli } from "../../support/cli.ts";
import { daemonAnswers } from "../../support/daemon-answers.ts";
import { enrol, limitBody, startPool, until } from "../../support/pool.ts";
import { type TempDirectory, tempDirectory } from "../../support/temp.ts";

const MAIN = join(import.meta.dir, "..", "..", "..", "src", "main.ts");

let temp: TempDirectory;
let mock: MockBackend;
beforeAll(() => {
  temp = tempDirectory();
  mock = startMock({ accounts: [{ alias: "alice" }, { alias: "bob" }], clock: systemDeps().clock });
});
afterAll(async () => {
  await mock.stop();
  temp[Symbol.dispose]();
});

const LIMIT = { status: 429, body: { error: limitBody(Math.floor(Date.now() / 1000) + 3_600) } };
let serial = 0;

/** Sends a turn to the address in its settings (not for `exec nothing`), and prints the account that answered. */
function askingCodex(): string {
  const source = join(temp.path, "codex.ts");
  const client = join(import.meta.dir, "..", "..", "..", "src", "mock", "client.ts");
  writeFileSync(
    source,
    `import { createSseClient } from ${JSON.stringify(client)};
const url = process.argv.join("\\n").match(/openai_base_url="(.*)\\/backend-api\\/codex"/)?.[1] ?? "";
if (!process.argv.includes("nothing")) console.log(await createSseClient(url, crypto.randomUUID()).turn("hi"));
console.log("home", process.env.CODEX_HOME ?? "-", "token", process.env.CODEX_REFRESH_TOKEN_URL_OVERRIDE ?? "-");
process.exitCode = Number(process.env.FAKE_CODE ?? 0);
`,
  );
  const path = join(temp.path, "codex");
  writeFileSync(path, `#!/bin/sh\nexec '${process.execPath}' '${source}' "$@"\n`, { mode: 0o755 });
  return path;
}

/** A root with two accounts and no proxy. */
function freshRoot(): { root: string; env: Record<string, string> } {
  const root = join(temp.path, `root-${++serial}`);
  const layout = layoutOf(root);
  for (const alias of ["alice", "bob"]) enrol(layout, alias, mock.authFile(alias));
  writeFileSync(
    layout.config,
    `[proxy]\nlisten = "127.0.0.1:0"\nupstream_base_url = "${mock.baseUrl}"\n[policy]\nmode = "sticky"\n[run]\ninherit_shell = false\n`,
  );
  return { root, env: { CODEXLB_ROOT: root, CODEXLB_TOKEN_URL: mock.tokenUrl } };
}

const run = (args: readonly string[], env: Record<string, string>): Promise<CliRan> =>
  runCli(["run", "--codex-bin", askingCodex(), ...args], { cwd: temp.path, env });

describe("a proxy for the run", () => {
  test("starts if none is running, and ends with the run", async () => {
    const { root, env } = freshRoot();
    const ran = await run(["--auto-start", "exec", "hi"], { ...env, FAKE_CODE: "7" });
    expect(ran.code).toBe(7);
    expect(ran.err).toMatch(
      /^codexlb: no proxy is running; starting one for this run \(--auto-start=false: do not\)\ncodexlb: wrote proxy\.name = "proxy-[0-9a-f]{8}" into .*, because a proxy needs a name; you can change it\n$/,
    );
    expect(ran.out).toStartWith("Hello from alice\n");
    const { adminSocket, logs } = layoutOf(root);
    await until("the proxy has ended", async () => !(await daemonAnswers(adminSocket)), 20_000);
    expect(readdirSync(logs)).toContain("auto-start.log");
  });

  test("is shared by runs that start at the same time", async () => {
    const { env } = freshRoot();
    const all = await Promise.all([1, 2, 3].map(() => run(["--auto-start", "exec", "hi"], env)));
    expect(all.map(({ code }) => code)).toEqual([0, 0, 0]);
    expect(all.map(({ out }) => out.split("\n")[0])).toEqual(Array(3).fill("Hello from alice"));
  });

  test("does not start without accounts, for another proxy, or if it is switched off", async () => {
    const { root, env } = freshRoot();
    const empty = join(temp.path, "nothing");
    mkdirSync(empty);
    for (const flags of [["--auto-start"], []]) {
      const none = await run(["--root", empty, ...flags, "exec"], env);
      expect(none).toMatchObject({ code: 1, out: "" });
      expect(none.err).toStartWith("codexlb: there are no accounts yet\n");
    }
    for (const flags of [[], ["--auto-start=false"], ["--auto-start", "--proxy-url", "http://127.0.0.1:1"]]) {
      const ran = await run([...flags, "exec", "nothing"], env);
      expect([flags, ran.err.includes("starting one")]).toEqual([flags, false]);
    }
    // Codex would spend half a minute on reconnects.
    expect(await run(["exec"], env)).toEqual({
      code: 1,
      out: "",
      err: `codexlb: no proxy is running on ${root}\n  start one with: codexlb proxy start, or for this run: codexlb run --auto-start --codex-bin=${askingCodex()} exec\n`,
    });
    expect((await run(["--version", "nothing"], env)).code).toBe(0);
    expect((await run(["--proxy-url", "http://127.0.0.1:1", "exec"], env)).err).toStartWith(
      "codexlb: contacting the proxy at http://127.0.0.1:1: connection refused\n",
    );
    expect(await daemonAnswers(layoutOf(root).adminSocket)).toBe(false);
  });

  test.each([
    ["--proxy-url", ["--proxy-url", "http://127.0.0.1:1"], {}],
    ["CODEXLB_PROXY_URL", [], { CODEXLB_PROXY_URL: "http://127.0.0.1:1" }],
    ["proxy.proxy_url", [], {}],
  ] as const)("that %s names starts none on this machine, with a warning", async (name, flags, named) => {
    const { root, env } = freshRoot();
    if (name === "proxy.proxy_url")
      writeFileSync(layoutOf(root).config, '[proxy]\nproxy_url = "http://127.0.0.1:1"\n');
    const warning = `codexlb: warning: --auto-start is ignored, because ${name} names a proxy\n`;
    const ran = await run(["--auto-start", ...flags, "exec", "nothing"], { ...env, ...named });
    expect(ran.err).toContain(warning);
    const silent = await run([...flags, "exec", "nothing"], { ...env, ...named });
    expect(silent.err).not.toContain("--auto-start is ignored");
  });

  test("has its own exit code if another process owns the root", async () => {
    const { root } = freshRoot();
    const lock = tryLock(layoutOf(root).lock);
    const start = (...flags: string[]) => runCli(["proxy", "--root", root, ...flags], { cwd: temp.path });
    const error = `codexlb: another codexlb proxy runs on ${root}\n`;
    for (const [flags, code] of [
      [["--until-deserted"], 75],
      [[], 1],
    ] as const) {
      const ran = await start(...flags);
      expect([ran.code, ran.err.startsWith(error)]).toEqual([code, true]);
    }
    lock?.release();
  });

  test("reports why it does not start", async () => {
    const { root, env } = freshRoot();
    const taken = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("not a proxy") });
    const { port } = taken;
    writeFileSync(layoutOf(root).config, `[proxy]\nlisten = "127.0.0.1:${port}"\n`);
    const ran = await run(["--auto-start", "exec"], env);
    await taken.stop(true);
    expect(ran).toMatchObject({ code: 1, out: "" });
    expect(ran.err).toContain(
      `starting a proxy for this run: listening on 127.0.0.1:${port}: the address is in use`,
    );
  });
});

test("a run stays registered even if it is silent for long", async () => {
  await using pool = await startPool({ accounts: [{ alias: "alice" }] });
  const response = await fetch("http://localhost/admin/presence", { unix: pool.layout.adminSocket });
  let isOpen = true;
  const close = () => {
    isOpen = false;
  };
  void response.body?.pipeTo(new WritableStream()).then(close, close);
  // Bun's own timer cuts silent connections, so the test needs real time.
  const startedMs = Date.now();
  await until("more time has passed than Bun waits", () => Date.now() - startedMs > 13_500, 30_000);
  expect(isOpen).toBe(true);
}, 60_000);

describe("signals to a run without a terminal", () => {
  test.each(["SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"] as const)(
    "%s reaches codex, whose end it is",
    async (signal) => {
      const binary = join(temp.path, `codex-${signal}`);
      const name = signal.slice(3);
      writeFileSync(
        binary,
        `#!/bin/sh\ntrap 'echo got ${name}; exit 9' ${name}\necho ready\nwhile :; do sleep 0.05; done\n`,
        { mode: 0o755 },
      );
      const { root } = freshRoot();
      const child = Bun.spawn(
        [process.execPath, MAIN, "run", "--root", root, "--codex-bin", binary, "--version"],
        {
          env: { PATH: process.env.PATH ?? "", HOME: temp.path },
          stdin: "ignore",
          stdout: "pipe",
          stderr: "ignore",
        },
      );
      const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
      let output = "";
      while (!output.includes("ready")) output += (await reader.read()).value ?? "";
      child.kill(signal);
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        output += value;
      }
      expect(output).toContain(`got ${name}`);
      expect(await child.exited).toBe(9);
    },
  );
});

describe("a run", () => {
  test("can be pinned only to an account that exists", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
    const at = ["--root", pool.layout.root];
    expect((await run([...at, "--account", "bob", "exec"], {})).out).toStartWith("Hello from bob\n");
    expect((await run([...at, "exec"], {})).out).toStartWith("Hello from alice\n");
    expect((await run([...at, "--account", "bob", "exec"], {})).err).toBe("");
    await pool.accounts.serve("bob", "disable");
    const absent = await run([...at, "--account", "bob", "exec"], {});
    expect(absent.out).toStartWith("Hello from alice\n");
    expect(absent.err).toBe(
      `codexlb: warning: bob is out of service; other accounts serve until it is available again; for the reason, see: codexlb account show --root ${pool.layout.root} bob\ncodexlb: alice served 1 turn of this run, because bob is out of service\n`,
    );
    await pool.accounts.serve("bob", "enable");
    pool.mock.faults.add({ on: "turn", account: "bob", times: 1, answer: LIMIT });
    const limited = await run([...at, "--account", "bob", "exec"], {});
    expect(limited.out).toStartWith("Hello from alice\n");
    expect(limited.err).toBe(
      "codexlb: alice served 1 turn of this run, because bob has reached its usage limit\n",
    );
    const wrong = await run([...at, "--account", "carol", "exec"], {});
    expect(wrong).toMatchObject({ code: 1, out: "" });
    expect(wrong.err).toContain('this proxy has no account "carol"');
    const odd = await run([...at, "--account", "carol; bob", "exec"], {});
    expect(odd.err).toBe(`codexlb: this proxy has no account "carol; bob"\n  known accounts: alice, bob\n`);
    expect((await run([...at, "--account", "bobb", "exec"], {})).err).toBe(
      'codexlb: this proxy has no account "bobb"\n  did you mean bob?\n',
    );
    expect(await run([...at, "--account", "--wait=5m", "exec"], {})).toMatchObject({
      code: 2,
      out: "",
      err: expect.stringContaining("flag --account needs an alias before --wait=5m"),
    });
    const unreachable = await run(["--proxy-url", "http://127.0.0.1:1", "--account", "bob", "exec"], {});
    expect(unreachable).toMatchObject({ code: 1, out: "" });
    expect(unreachable.err).toContain("contacting the proxy at http://127.0.0.1:1: connection refused");
    const silent = ["--proxy-url", "http://127.0.0.1:1", "--account", "bob", "--version"];
    expect((await run(silent, {})).err).toContain(
      "no proxy answers at http://127.0.0.1:1, so the run cannot be pinned to bob",
    );
  });

  test("prefers or requires accounts with a tag", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
    const at = ["--root", pool.layout.root];
    await pool.accounts.set("bob", { options: { tags: ["work"] } });
    expect((await run([...at, "exec"], {})).out).toStartWith("Hello from alice\n");
    const tagged = await run([...at, "--tag", "Work", "--only", "exec"], {});
    expect(tagged.out).toStartWith("Hello from bob\n");
    expect(tagged.err).toBe("");
    const other = await run([...at, "--tag", "play", "exec"], {});
    expect(other.out).toStartWith("Hello from ");
    expect(other.err).toBe(
      `codexlb: warning: no account of this proxy has the tag play, so any account serves; tag one with: codexlb account set --root ${pool.layout.root} ALIAS --tag play\n`,
    );
    const none = await run([...at, "--tag", "play", "--only", "exec"], {});
    expect(none).toMatchObject({ code: 1, out: "" });
    expect(none.err).toContain("no account of this proxy has the tag play\n");
    for (const [words, why] of [
      [["--only"], "run: --only needs --tag"],
      [["--tag", "a b"], 'flag --tag: "a b" is not a tag'],
      [["--tag", "a", "--account", "bob"], "run: --account and --tag cannot be combined"],
      [["--tag", "a", "--command"], "run: --command and --tag cannot be combined"],
      [["--wait", "6h", "exec"], "write --wait=6h; to pass 6h on"],
      [["--wait", "off"], "write --wait=off; to pass off on"],
      [["--wait=-1m", "exec"], '"-1m" must be off, or a duration greater than 0 and at most 7d'],
      [["--wait=0", "exec"], '"0" must be off, or a duration'],
    ] as const) {
      const wrong = await run([...at, ...words], {});
      expect(wrong).toMatchObject({ code: 2, out: "" });
      expect(wrong.err).toContain(why);
    }
  });

  test.each([
    [["exec", "--acount", "bob"], "--acount was passed to Codex; did you mean codexlb run --account?"],
    [["--native-hme=true"], "--native-hme was passed to Codex; did you mean codexlb run --native-home?"],
    [
      ["exec", "-account", "bob"],
      "-account is a flag of codexlb run and must come before the arguments for Codex: codexlb run -account ...",
    ],
    [["exec", "--", "--account"], undefined],
    [["--profile", "x", "-m", "gpt"], undefined],
  ])("explains a misplaced flag in %p after a usage error of Codex", async (words, hint) => {
    const { env } = freshRoot();
    const at = ["--proxy-url", "http://127.0.0.1:1", ...words, "nothing", "--version"];
    const hints = async (code: string) =>
      (await run(at, { ...env, FAKE_CODE: code })).err
        .split("\n")
        .filter((line) => /passed to|flag of/.test(line));
    expect(await hints("2")).toEqual(hint === undefined ? [] : [`codexlb: ${hint}`]);
    expect(await hints("3")).toEqual([]);
  });

  test("works with a proxy that does not support tags", async () => {
    // Like the Go program, it forwards unknown paths to the backend.
    const seen: string[] = [];
    const { tokens } = JSON.parse(mock.authFile("alice"));
    const other = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: async (request) => {
        const { pathname } = new URL(request.url);
        if (pathname === "/") return Response.json({ ok: true, service: "codexlb-proxy" });
        seen.push(pathname);
        if (pathname.startsWith("/@")) return new Response("not found", { status: 404 });
        return fetch(`${mock.origin}${pathname}`, {
          method: request.method,
          ...(request.method === "POST" ? { body: await request.text() } : {}),
          headers: {
            "content-type": "application/json",
            authorization: `Bearer ${tokens.access_token}`,
            "chatgpt-account-id": tokens.account_id,
          },
        });
      },
    });
    const at = ["--root", freshRoot().root, "--proxy-url", `http://127.0.0.1:${other.port}`];
    const ran = await run([...at, "exec"], {});
    expect(ran.out).toStartWith("Hello from alice\n");
    expect(seen.at(-1)).toBe("/backend-api/codex/responses");
    const pinned = await run([...at, "--account", "bob", "exec"], {});
    expect(pinned).toMatchObject({ code: 1, out: "" });
    expect(pinned.err).toContain("cannot pin a single run");
    const tagged = await run([...at, "--tag", "work", "exec"], {});
    expect(tagged).toMatchObject({ code: 1, out: "" });
    expect(tagged.err).toContain("does not support account tags");
    await other.stop(true);
  });

  test("does not start if another program listens there", async () => {
    for (const [status, text] of [
      [404, "nope"],
      [200, "hello"],
      [200, '{"ok":true}'],
    ] as const) {
      const stranger = Bun.serve({
        port: 0,
        hostname: "127.0.0.1",
        fetch: () => new Response(text, { status }),
      });
      const url = `http://127.0.0.1:${stranger.port}`;
      const ran = await run(["--root", freshRoot().root, "--proxy-url", url, "exec"], {});
      expect(ran).toMatchObject({ code: 1, out: "" });
      expect(ran.err).toStartWith(`codexlb: the server at ${url} is not a codexlb proxy\n`);
      await stranger.stop(true);
    }
  });

  test("does not create a root whose name is wrong", async () => {
    const root = join(temp.path, "mistyped");
    for (const [flags, env, create] of [
      [["--root", root], {}, `codexlb account import --root ${root}`],
      [[], { CODEXLB_ROOT: root }, "codexlb account import"],
      // A client of a proxy elsewhere needs no accounts in its root.
      [["--root", root, "--proxy-url", "http://127.0.0.1:1"], {}, `mkdir -p -m 700 ${root}`],
      [[], { CODEXLB_ROOT: root, CODEXLB_PROXY_URL: "http://127.0.0.1:1" }, `mkdir -p -m 700 ${root}`],
    ] as const) {
      const ran = await run([...flags, "exec"], env);
      expect(ran).toMatchObject({ code: 1, out: "" });
      expect(ran.err).toStartWith(`codexlb: the root ${root} does not exist\n  check --root`);
      expect(ran.err).toContain(`or create it with: ${create}\n`);
    }
    expect(existsSync(root)).toBe(false);
  });

  test("requires a name for its pin", async () => {
    expect(await run(["--account=", "exec"], {})).toMatchObject({ code: 2, out: "" });
  });

  test("reports a file that is not a program", async () => {
    const { env } = freshRoot();
    const text = join(temp.path, "text");
    writeFileSync(text, "hello");
    const orphan = join(temp.path, "orphan");
    writeFileSync(orphan, "#!/nowhere/sh\n", { mode: 0o755 });
    for (const [binary, shell, code, words] of [
      [temp.path, "false", 1, `starting ${temp.path}: not an executable file, or permission denied`],
      [text, "false", 1, `starting ${text}: not an executable file, or permission denied`],
      [text, "true", 126, `${text} could not be run; install Codex`],
      [orphan, "false", 1, `starting ${orphan}: the interpreter in its first line does not exist`],
    ] as const) {
      writeFileSync(
        join(env.CODEXLB_ROOT ?? "", "config.toml"),
        `[proxy]\nlisten = "127.0.0.1:1"\n[run]\ninherit_shell = ${shell}\n`,
      );
      const ran = await runCli(["run", "--codex-bin", binary, "--version"], {
        cwd: temp.path,
        env: { ...env, SHELL: "/bin/sh" },
      });
      expect([binary, shell, ran.code]).toEqual([binary, shell, code]);
      expect(ran.err).toContain(words);
    }
  });

  test("exits with the number of a signal that ended Codex and that Bun ignores", async () => {
    const { env } = freshRoot();
    const dying = join(temp.path, "codex-piped");
    writeFileSync(dying, "#!/bin/sh\nkill -PIPE $$\nexit 3\n", { mode: 0o755 });
    const ran = await runCli(["run", "--codex-bin", dying, "--version"], { cwd: temp.path, env });
    expect(ran.code).toBe(141);
  });

  test("reports that it bypassed the proxy, and why", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    const at = ["--root", pool.layout.root];
    const report = async (args: readonly string[], env: Record<string, string> = {}) =>
      (await run([...at, ...args], env)).err.replace("codexlb: ", "").trimEnd();
    const nothing = `the proxy at ${pool.url} received no request from this run: `;
    expect(await report(["exec", "nothing"])).toStartWith(`${nothing}Codex bypassed the proxy`);
    expect(await report(["exec", "nothing"], { FAKE_CODE: "3" })).toBe(
      `${nothing}Codex ended with code 3 before it sent a request, for a reason that its own output names`,
    );
    expect(await report(["-c", "model_provider=ollama", "exec", "nothing"])).toBe(
      `${nothing}an argument makes Codex use another provider (model_provider=ollama)`,
    );
    expect(await report(["--oss", "exec", "nothing"])).toContain("--oss");
    // The message names the user's file, from which codexlb made its own.
    const config = join(temp.path, "home", ".codex", "config.toml");
    mkdirSync(join(temp.path, "home", ".codex"), { recursive: true });
    writeFileSync(config, 'model_provider = "azure"\n');
    expect(await report(["exec", "nothing"])).toBe(
      `${nothing}model_provider = "azure" in ${config} makes Codex use another provider`,
    );
    writeFileSync(config, "");
    writeFileSync(join(temp.path, "codex-killed"), "#!/bin/sh\nkill -KILL $$\n", { mode: 0o755 });
    const killed = await runCli(["run", ...at, "--codex-bin", join(temp.path, "codex-killed"), "exec"], {
      cwd: temp.path,
    });
    expect(killed.err).toContain(`${nothing}Codex ended by SIGKILL before it sent a request`);
    for (const args of [["nothing", "--help"], ["login", "nothing"], ["--version", "nothing"], ["exec"]])
      expect([args, await report(args)]).toEqual([args, ""]);
    // Notifications report it once.
    const bypasses = (await pool.stopAndReadEvents()).filter(({ event }) => event === "run.bypassed");
    expect(bypasses).toHaveLength(1);
  });

  test("reports after a failure that no account can serve, and when the first one is back", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
    const env = { CODEXLB_ROOT: pool.layout.root };
    for (const account of ["alice", "bob"]) pool.mock.faults.add({ on: "turn", account, answer: LIMIT });
    const limited = await run(["exec", "hi"], env);
    expect(limited.code).not.toBe(0);
    expect(limited.err).toMatch(
      /\ncodexlb: no account can serve: both accounts have reached a limit; the first is back (?:at|\w{3}) \d\d:\d\d \((?:alice|bob)\)\. See: codexlb status\n$/,
    );
    // A run that succeeds, and one that fails while an account can serve, report nothing.
    expect((await run(["exec", "nothing"], env)).err).not.toContain("no account can serve");
    await pool.accounts.serve("bob", "enable");
    expect((await run(["exec", "nothing"], { ...env, FAKE_CODE: "3" })).err).not.toContain("can serve");
  });

  test("reports that no account can serve to a run of a proxy that requires keys", async () => {
    await using pool = await startPool({
      accounts: [{ alias: "alice" }, { alias: "bob" }],
      config: "[proxy]\nclient_auth = true\n",
    });
    for (const alias of ["alice", "bob"]) await pool.accounts.serve(alias, "disable");
    const own = await run(["--root", pool.layout.root, "exec", "hi"], { FAKE_CODE: "3" });
    expect(own.err).toEndWith(
      `codexlb: no account can serve: both accounts are disabled by you. See: codexlb status --root ${pool.layout.root}\n`,
    );
    // A key that cannot read account status learns no details.
    const key = await remoteKeys(socketDoor(pool.layout.adminSocket)).add("laptop", "client");
    const remote = await run(["--proxy-url", pool.url, "exec", "hi"], {
      ...freshRoot().env,
      CODEXLB_CLIENT_KEY: key,
      FAKE_CODE: "3",
    });
    expect(remote.err).toEndWith(
      "codexlb: no account can serve this run; ask the administrator of the proxy\n",
    );
    await pool.accounts.serve("bob", "enable");
    const served = await run(["--root", pool.layout.root, "exec", "hi"], { FAKE_CODE: "3" });
    expect(served.err).not.toContain("can serve");
  });

  test("names the tag that a refused run requires, while other accounts can serve", async () => {
    await using pool = await startPool({
      accounts: [{ alias: "alice" }, { alias: "bob" }, { alias: "carol" }],
      config: '[accounts.alice]\ntags = ["work"]\n[accounts.bob]\ntags = ["work", "home"]\n',
    });
    for (const account of ["alice", "bob"]) pool.mock.faults.add({ on: "turn", account, answer: LIMIT });
    const at = ["--root", pool.layout.root];
    const limited = await run([...at, "--tag", "work,play", "--only", "exec", "hi"], {});
    expect(limited.code).not.toBe(0);
    expect(limited.err).toMatch(
      /\ncodexlb: no account with the tag work or play can serve: both accounts have reached a limit; the first is back (?:at|\w{3}) \d\d:\d\d \((?:alice|bob)\)\. See: codexlb status --root \S+\n$/,
    );
    const { err } = await run([...at, "--tag", "home", "--only", "exec", "hi"], {});
    expect(err).toContain(
      "codexlb: no account with the tag home can serve: the only account has reached a limit;",
    );
    // The tag is only preferred, so carol serves.
    expect((await run([...at, "--tag", "work", "exec", "hi"], { FAKE_CODE: "3" })).err).not.toContain(
      "can serve",
    );
    for (const alias of ["carol"]) await pool.accounts.serve(alias, "disable");
    const pinned = await run([...at, "--account", "alice", "exec", "hi"], {});
    expect(pinned.err).toContain(
      "codexlb: no account can serve: 2 of 3 accounts have reached a limit, 1 is disabled by you;",
    );
  });

  test("reports that its proxy has stopped", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    const stopped = join(temp.path, "stopped");
    writeFileSync(
      join(temp.path, "codex-long"),
      `#!/bin/sh\ntouch '${stopped}-wanted'\nwhile ! test -e '${stopped}'; do sleep 0.05; done\n`,
      { mode: 0o755 },
    );
    const running = runCli(
      ["run", "--root", pool.layout.root, "--codex-bin", join(temp.path, "codex-long"), "exec"],
      { cwd: temp.path },
    );
    await until("codex runs", () => existsSync(`${stopped}-wanted`), 20_000);
    await pool.daemon.stop("test");
    writeFileSync(stopped, "");
    expect((await running).err).toContain(`the proxy at ${pool.url} stopped during the run`);
  });

  test("cannot be printed with its own pin", async () => {
    const ran = await run(["--account", "bob", "--command"], {});
    expect(ran).toMatchObject({ code: 2, out: "" });
  });

  test("writes nothing into the user's own home, and lets Codex refresh its login", async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }] });
    const home = join(temp.path, "native");
    mkdirSync(home);
    writeFileSync(join(home, "auth.json"), mock.authFile("bob"));
    writeFileSync(join(home, "config.toml"), "# mine\n");
    const before = readdirSync(home).map((name) => [name, readFileSync(join(home, name), "utf8")]);
    const ran = await run(["--root", pool.layout.root, "--native-home", "exec"], { CODEX_HOME: home });
    expect(ran).toMatchObject({ code: 0, err: "" });
    expect(ran.out).toBe(`Hello from alice\nhome ${home} token -\n`);
    expect(readdirSync(home).map((name) => [name, readFileSync(join(home, name), "utf8")])).toEqual(before);
    expect(readdirSync(pool.layout.root).filter((name) => /runtime|home/.test(name))).toEqual([]);
    // Two programs refresh the same login, and one of them loses it.
    writeFileSync(join(home, "auth.json"), readFileSync(join(pool.layout.accounts, "alice", "auth.json")));
    const twin = await run(["--root", pool.layout.root, "--native-home", "exec"], { CODEX_HOME: home });
    expect(twin.err).toContain("is also that of account alice");
    const empty = await run(["--root", pool.layout.root, "--native-home", "exec"], {
      CODEX_HOME: join(temp.path, "no-home"),
    });
    expect(empty.err).toContain("has no readable login");
    const keyring = join(temp.path, "keyring-home");
    mkdirSync(keyring);
    writeFileSync(join(keyring, "config.toml"), 'cli_auth_credentials_store = "keyring"\n');
    const kept = await run(["--root", pool.layout.root, "--native-home", "exec"], { CODEX_HOME: keyring });
    expect(kept.err).toContain(`${keyring} keeps its login in the system keyring`);
    const both = await run(["--native-home", "--codex-home", home], {});
    expect(both).toMatchObject({ code: 2 });
  });
});
