// Tests the compiled executable, which drives a real Chromium through the simulated sign-in. The password and the TOTP
// secret are canaries: afterwards no file may contain them.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { systemDeps } from "../../src/deps.ts";
import { type MockBackend, startMock } from "../../src/mock/backend.ts";
import { MOCK_PASSWORD, MOCK_TOTP_SECRET } from "../../src/mock/sign-in.ts";
import { type Executable, executable, type Ran } from "../support/executable.ts";
import { gated } from "../support/gated.ts";
import { until } from "../support/pool.ts";

let tool: Executable;
let mock: MockBackend;
/** A valid secret of another account. */
const OTHER_SECRET = "GEZDGNBVGY3TQOJQ";
/** The parts of the processes that other programs could see while they ran. */
const seen = new Set<string>();

beforeAll(() => {
  tool = executable();
  mkdirSync(join(tool.directory, "tmp"));
  mock = startMock({
    accounts: [{ alias: "alice" }, { alias: "bob" }, { alias: "carol" }],
    clock: systemDeps().clock,
  });
});
afterAll(async () => {
  await mock.stop();
  tool[Symbol.dispose]();
});

/** Debian's directories, which contain the browser but no codex. */
const PROGRAMS = "/usr/bin:/bin";
const env = () => ({
  ...tool.env(),
  TMPDIR: join(tool.directory, "tmp"),
  CODEXLB_ISSUER: mock.origin,
  CODEXLB_TOKEN_URL: mock.tokenUrl,
  PATH: PROGRAMS,
});

/** All processes inherit an environment that names the test's own directory. */
function look(): void {
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name)))
    try {
      const [environ, cmdline] = ["environ", "cmdline"].map((file) =>
        readFileSync(join("/proc", pid, file), "utf8"),
      );
      if (Number(pid) === process.pid || !environ?.includes(tool.directory)) continue;
      seen.add(environ);
      seen.add(cmdline ?? "");
    } catch {
      // the process has exited, or belongs to another user
    }
}

function start(args: readonly string[], stdin = `${MOCK_PASSWORD}\n`, more: Record<string, string> = {}) {
  return Bun.spawn([tool.path, "login-with", ...args], {
    cwd: tool.directory,
    env: { ...env(), ...more },
    stdin: new Blob([stdin]),
    stdout: "pipe",
    stderr: "pipe",
  });
}

/** Starts a login with an input that stays open. */
function startOpen(args: readonly string[]) {
  return Bun.spawn([tool.path, "login-with", ...args], {
    cwd: tool.directory,
    env: env(),
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
  });
}

/** Whether a process has a handler for the signal. */
function hears(pid: number, signal: NodeJS.Signals): boolean {
  const mask = /SigCgt:\s*([0-9a-f]+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? "0";
  return ((BigInt(`0x${mask}`) >> BigInt(constants.signals[signal] - 1)) & 1n) === 1n;
}

/** The main process of the browser. */
function mainBrowser(): number {
  const [pid] = browsers().filter((one) => !readFileSync(`/proc/${one}/cmdline`, "utf8").includes("--type="));
  return Number(pid);
}

/** Resolves when the output contains `words`, to a function that waits for the rest. */
async function heard(child: ReturnType<typeof start>, words: string): Promise<() => Promise<string>> {
  const reader = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  let said = "";
  while (!said.includes(words)) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`it never said ${words}: ${said}`);
    said += value;
  }
  return async () => {
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return rest;
      rest += value;
    }
  };
}

function browsers(): string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      return (
        /^\d+$/.test(pid) &&
        /chrom/.test(readFileSync(`/proc/${pid}/cmdline`, "utf8")) &&
        readFileSync(`/proc/${pid}/environ`, "utf8").includes(tool.directory)
      );
    } catch {
      return false;
    }
  });
}

/** Expects no browser of this test, no profile, and only Codex's files in HOME. */
function expectNothingLeft(): void {
  expect(browsers()).toEqual([]);
  expect(readdirSync(join(tool.root, "logins"))).toEqual([]);
  expect(readdirSync(join(tool.directory, "home")).filter((name) => name !== ".codex")).toEqual([]);
  expect(readdirSync(join(tool.directory, "tmp"))).toEqual([]);
}

function expectLastScreen({ err }: Ran): void {
  const logs = join(tool.root, "logs");
  expect(err).toContain(join(logs, "login-with.png"));
  expect(statSync(join(logs, "login-with.png")).mode & 0o777).toBe(0o600);
  expect(readFileSync(join(logs, "login-with.png")).subarray(1, 4).toString()).toBe("PNG");
  expect(readFileSync(join(logs, "login-with.txt"), "utf8")).toMatch(
    /^login_\w+: .+\nscreen: .+\ntitle: .+\nat http/,
  );
}

const inBrowser = gated(
  "login-with in a real browser",
  Bun.which("chromium", { PATH: PROGRAMS }) === null ? "there is no chromium" : undefined,
);
const hasDisplay = Bun.which("Xvfb") !== null;
if (!hasDisplay) console.log("skipped: login-with --headed (there is no Xvfb)");

/** A virtual display. */
async function startDisplay() {
  const child = Bun.spawn(["Xvfb", "-displayfd", "1", "-screen", "0", "1280x800x24", "-nolisten", "tcp"], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
  });
  const { value } = await child.stdout.pipeThrough(new TextDecoderStream()).getReader().read();
  return {
    name: `:${value?.trim()}`,
    [Symbol.asyncDispose]: async () => {
      child.kill();
      await child.exited;
    },
  };
}

async function loginWith(
  args: readonly string[],
  { stdin = `${MOCK_PASSWORD}\n`, more = {} as Record<string, string> } = {},
): Promise<Ran> {
  const child = start(args, stdin, more);
  const outputs = Promise.all([child.stdout.text(), child.stderr.text()]);
  const looking = setInterval(look, 50);
  const code = await child.exited;
  clearInterval(looking);
  const [out, err] = await outputs;
  return { code, out, err };
}

const scenario = (name: string) =>
  fetch(`${mock.origin}/__mock/sign-in`, { method: "POST", body: JSON.stringify({ scenario: name }) });
const ALICE = ["--username", "alice@example.com", "--password-stdin"];
const CAROL = ["--username", "carol@example.com", "--password-stdin"];
const hostAuth = () => JSON.parse(readFileSync(join(tool.directory, "home", ".codex", "auth.json"), "utf8"));

inBrowser.describe("login-with in a real browser", () => {
  test.each(["plain", "slow", "use_password"])("enrols the account: %s", async (name) => {
    await scenario(name);
    const ran = await loginWith(["work", ...ALICE]);
    expect(ran).toMatchObject({ code: 0 });
    expect(ran.out).toBe(
      `imported login credentials into ${join(tool.directory, "home", ".codex")} and registered account work\n`,
    );
    expect(ran.err).toContain("consent");
    expect(hostAuth().tokens.account_id).toBe("mock-alice");
    expect((await tool.run(["account", "list"])).out).toStartWith(
      "work\topenai:work\talice@example.com\tready",
    );
  });

  test("accepts flags before the alias, does not touch the host's home, and prints its steps as JSON", async () => {
    await scenario("plain");
    const before = hostAuth();
    const ran = await loginWith([
      "--username",
      "bob@example.com",
      "--password-stdin",
      "--no-host-home",
      "--json",
      "second",
    ]);
    expect(ran).toMatchObject({ code: 0, err: "" });
    const lines = ran.out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.map(({ step }) => step).filter(Boolean)).toEqual([
      "starting the browser",
      "opening the sign-in",
      "e-mail",
      "password",
      "consent",
      "logged in",
    ]);
    expect(lines.at(-1)).toMatchObject({ ok: true, total: 2 });
    expect(hostAuth()).toEqual(before);
  });

  test("enters a one-time password without output, beside a running proxy", async () => {
    await scenario("totp");
    await using proxy = await tool.start(
      ["proxy", "--listen", "127.0.0.1:0", "--upstream", mock.baseUrl],
      env(),
    );
    const ran = await loginWith(["third", ...CAROL, "--totp-stdin", "--quiet"], {
      stdin: `${MOCK_PASSWORD}\n${MOCK_TOTP_SECRET}\n`,
    });
    expect(ran).toMatchObject({ code: 0, err: "" });
    const url = /on (http:\S+)/.exec(proxy.firstLine)?.[1] ?? "";
    const status = (await (await fetch(`${url}/status`)).json()) as { accounts: { alias: string }[] };
    expect(status.accounts.map(({ alias }) => alias)).toContain("third");
  });

  test("refuses the login of an account other than the alias's, and changes nothing", async () => {
    await scenario("plain");
    const before = hostAuth();
    const args = ["second", ...ALICE, "--quiet"];
    const refused = await loginWith(args);
    expect(refused.code).toBe(1);
    expect(refused.err).toContain("--replace");
    expect(hostAuth()).toEqual(before);
    expect((await tool.run(["account", "list"])).out).toContain("second\topenai:second\tbob@example.com");
    expect((await loginWith([...args, "--replace", "--no-host-home"])).code).toBe(0);
    expect((await tool.run(["account", "list"])).out).toContain("second\topenai:second\talice@example.com");
  });

  test("keeps the host's existing login", async () => {
    await scenario("plain");
    const before = readFileSync(join(tool.directory, "home", ".codex", "auth.json"), "utf8");
    expect((await loginWith(["work", ...ALICE])).code).toBe(0);
    const home = join(tool.directory, "home", ".codex");
    const kept = readdirSync(home).filter((name) => name.startsWith("auth.json.before-"));
    expect(kept.map((name) => readFileSync(join(home, name), "utf8"))).toContain(before);
    const revoked = mock.requests.filter(({ path }) => path === "/oauth/revoke");
    expect(revoked).toEqual([]);
  });

  test.each([
    ["captcha", 10, "shows a CAPTCHA"],
    ["totp", 11, "requires a one-time password"],
    ["password_again", 14, "rejected this e-mail address or password"],
    ["email_code", 12, "requires a code that was sent by e-mail"],
    ["passkey", 13, "requires a passkey"],
    ["locked", 15, "the account is locked"],
    ["unexpected", 16, 'after the screen "e-mail" no known screen appeared'],
  ])("stops at %s with exit code %d", async (name, code, words) => {
    await scenario(name);
    const before = hostAuth();
    const ran = await loginWith(["other", ...ALICE, "--quiet"]);
    expect(ran.code).toBe(code);
    expect(ran.err).toContain(words);
    expect(ran.err.trim().split("\n").length).toBe(2);
    expect(hostAuth()).toEqual(before);
    expect(existsSync(join(tool.root, "accounts", "other"))).toBe(false);
    expectLastScreen(ran);
    expectNothingLeft();
  });

  test.each(["totp", "totp_again"])("stops at a one-time password that is not accepted: %s", async (name) => {
    await scenario(name);
    const ran = await loginWith(["other", ...ALICE, "--totp-stdin", "--quiet"], {
      stdin: `${MOCK_PASSWORD}\n${OTHER_SECRET}\n`,
    });
    expect(ran.code).toBe(11);
    expect(ran.err).toContain("rejected the one-time password");
    expect(ran.err).not.toContain("--totp-stdin");
  });

  test("prints every error as a line of JSON", async () => {
    await scenario("captcha");
    const usage = await loginWith(["--username", "alice", "--password-stdin", "--json", "other"]);
    expect(usage.code).toBe(2);
    expect(JSON.parse(usage.out)).toMatchObject({ ok: false, code: "usage" });
    const stop = await loginWith(["other", ...ALICE, "--json", "--quiet"]);
    expect(stop.code).toBe(10);
    expect(JSON.parse(stop.out)).toMatchObject({ ok: false, code: "login_captcha" });
  });

  test("refuses a login that another alias has; with --replace it warns", async () => {
    await scenario("plain");
    const refused = await loginWith(["fourth", ...ALICE, "--no-host-home"]);
    expect(refused.code).toBe(1);
    expect(refused.err).toContain("this login is already enrolled, as ");
    const ran = await loginWith(["fourth", ...ALICE, "--no-host-home", "--replace"]);
    expect(ran.code).toBe(0);
    expect(ran.err).toMatch(/fourth.*same ChatGPT account|same ChatGPT account.*fourth/s);
    await tool.run(["account", "rm", "fourth"]);
  });

  test("stops at a wrong password with exit code 14", async () => {
    await scenario("plain");
    const ran = await loginWith(["other", ...ALICE, "--quiet"], { stdin: "not it\n" });
    expect(ran.code).toBe(14);
    expect(ran.err).toContain("rejected this e-mail address or password");
  });

  test("ends with its browser at --timeout and on a signal", async () => {
    await scenario("unexpected");
    const late = await loginWith(["other", ...ALICE, "--quiet", "--timeout", "3s"]);
    expect(late.code).toBe(17);
    const child = start(["other", ...ALICE]);
    await heard(child, "e-mail");
    child.kill("SIGTERM");
    expect(await child.exited).toBe(143);
    expectNothingLeft();
  });

  test("reads only as much of its input as it needs, without waiting for the end", async () => {
    await scenario("captcha");
    const child = startOpen(["other", ...ALICE, "--quiet"]);
    child.stdin.write(`${MOCK_PASSWORD}\n`);
    await child.stdin.flush();
    expect(await child.exited).toBe(10);
  });

  test.each([
    [["--timeout", "1s"], undefined, 17],
    [[], "SIGTERM", 143],
    [[], "SIGINT", 130],
  ] as const)("while it waits for its input %p %s ends it with %d", async (flags, signal, code) => {
    const child = startOpen(["other", ...ALICE, ...flags]);
    if (signal !== undefined) {
      await until("it hears signals", () => hears(child.pid, signal));
      child.kill(signal);
    }
    expect(await child.exited).toBe(code);
  });

  test("asks on a terminal, and does not show the user's input", async () => {
    await scenario("captcha");
    let shown = "";
    const terminal = new Bun.Terminal({
      cols: 100,
      rows: 30,
      data: (_terminal, data) => {
        shown += new TextDecoder().decode(data);
      },
    });
    const child = Bun.spawn([tool.path, "login-with", "other", ...ALICE], {
      cwd: tool.directory,
      env: { ...env(), TERM: "xterm" },
      terminal,
    });
    await until("it asks", () => shown.includes("Password of alice@example.com: "));
    terminal.write(`oops\u0015${MOCK_PASSWORD}x\u007f\r`);
    expect(await child.exited).toBe(10);
    terminal.close();
    expect(shown).not.toContain("mock");
    expect(shown).not.toContain("oops");
    expect(shown).toContain("shows a CAPTCHA");
  });

  test("reports an unreachable sign-in, a closed browser, and the error of codex", async () => {
    const away = await loginWith(["other", ...ALICE, "--quiet"], {
      more: { CODEXLB_ISSUER: "http://127.0.0.1:1" },
    });
    expect(away.code).toBe(1);
    expect(away.err).toStartWith("codexlb: opening the sign-in at http://127.0.0.1:1 failed: ERR_");
    await scenario("unexpected");
    const child = start(["other", ...ALICE]);
    const rest = await heard(child, "e-mail");
    process.kill(mainBrowser(), "SIGKILL");
    expect(await rest()).toContain("the browser was closed before the login finished");
    expect(await child.exited).toBe(1);
    const codex = join(tool.directory, "codex-broken");
    writeFileSync(codex, "#!/bin/sh\necho 'error: config.toml is broken' >&2\nexit 1\n", { mode: 0o755 });
    const broken = await loginWith(["other", ...ALICE, "--quiet", "--codex-bin", codex]);
    expect(broken.code).toBe(1);
    expect(broken.err).toContain(
      "exited before it printed the address of the sign-in: error: config.toml is broken",
    );
    writeFileSync(codex, "#!/bin/sh\nexec sleep 600\n", { mode: 0o755 });
    const hung = await loginWith(["other", ...ALICE, "--quiet", "--codex-bin", codex, "--timeout", "4s"]);
    expect(hung.code).toBe(17);
    expectNothingLeft();
  });

  test("leaves no browser and no file when it is killed", async () => {
    await scenario("unexpected");
    const child = start(["other", ...ALICE]);
    await heard(child, "e-mail");
    child.kill("SIGKILL");
    await child.exited;
    const left = () => readdirSync(join(tool.root, "logins")).length;
    await until("it has left nothing", () => browsers().length === 0 && left() === 0, 20_000);
    expectNothingLeft();
  });

  test.skipIf(!hasDisplay)("with --headed waits for the user, and continues afterwards", async () => {
    await scenario("captcha_solved");
    await using display = await startDisplay();
    const ran = await loginWith(["work", ...ALICE, "--headed"], { more: { DISPLAY: display.name } });
    expect({ code: ran.code, err: ran.err }).toMatchObject({ code: 0 });
    expect(ran.err).toContain("the sign-in shows a CAPTCHA: please complete this step in the browser window");
    expect(ran.err).toContain("consent");
    expectNothingLeft();
  });

  test("checks its arguments before it starts anything", async () => {
    await scenario("captcha");
    const none = await loginWith(["work", ...ALICE], { more: { PATH: "/nowhere" } });
    const hasOne = ["/snap/bin/chromium", "/opt/google/chrome/chrome", "/usr/lib/chromium/chromium"].some(
      existsSync,
    );
    if (!hasOne) expect(none).toMatchObject({ code: 18 });
    for (const [args, words] of [
      [["work", "--password-stdin"], "--username is required"],
      [["work", "--username", "a@b.c"], "exactly one of --password or --password-stdin"],
      [["work", ...ALICE, "--password", "x"], "exactly one of --password or --password-stdin"],
      [["work", ...ALICE, "more"], "login-with takes one alias"],
      [[...ALICE], "login-with needs an alias"],
      [["work", "--username", "alice", "--password-stdin"], '"alice" is not an e-mail address'],
      [["work", ...ALICE, "--timeout", "0"], "--timeout must be greater than 0"],
      [["work", ...ALICE, "--docker-network", ""], "--docker-network is empty"],
      [["work", ...ALICE, "--browser", "x", "--docker-image", "y"], "--docker-image and --browser cannot be"],
      [
        ["work", ...ALICE, "--no-host-home", "--codex-home", "y"],
        "--no-host-home and --codex-home cannot be",
      ],
    ] as const) {
      const ran = await loginWith(args);
      expect([args, ran.code]).toEqual([args, 2]);
      expect(ran.err).toContain(words);
    }
    for (const [args, code, words] of [
      [["--browser", "/nowhere/chrome"], 18, "no browser found at /nowhere/chrome"],
      [["--browser", tool.directory], 18, `${tool.directory} is not an executable file`],
      [["--browser", "/bin/true"], 18, "/bin/true did not start as a Chromium-based browser"],
      [["--headed"], 18, "--headed requires a display"],
      [["--codex-bin", "/nowhere/codex"], 1, "/nowhere/codex"],
      [["--codex-home", join(tool.path, "home")], 1, "writing the login to"],
      [["--codex-home", join(tool.root, "accounts", "second")], 1, "codexlb uses this directory itself"],
    ] as const) {
      const ran = await loginWith(["work", ...ALICE, ...args, "--quiet"]);
      expect([args, ran.code]).toEqual([args, code]);
      expect(ran.err).toContain(words);
      expect(ran.err.trim().split("\n").length).toBe(2);
    }
    const alias = await loginWith(["../x", ...ALICE]);
    expect(alias.code).toBe(2);
    expect(alias.err).toContain("invalid alias");
    expectNothingLeft();
    expect(await loginWith(["work", ...ALICE], { stdin: "\n" })).toMatchObject({ code: 2 });
  });
});

describe("login-with in a container", () => {
  /** Replaces docker: records its arguments and runs the image's entry point on this machine. */
  function fakeDocker(): { readonly path: string; calls(): string[][] } {
    const path = join(tool.directory, "docker");
    const record = join(tool.directory, "docker.jsonl");
    writeFileSync(
      path,
      `#!/bin/sh
for word in "$@"; do printf '%s\\t' "$word" >> '${record}'; done
echo >> '${record}'
test "$1" = run || exit 0
test -n "$FAKE_DOCKER_FAILS" && { echo 'docker: no such image' >&2; exit 125; }
while test "$1" != the-image; do shift; done
shift
exec '${tool.path}' login-with "$@"
`,
    );
    chmodSync(path, 0o755);
    return {
      path,
      calls: () =>
        readFileSync(record, "utf8")
          .split("\n")
          .filter((line) => line !== "")
          .map((line) => line.split("\t").slice(0, -1)),
    };
  }

  test("passes the password on standard input, reads the login from standard output, and mounts nothing", async () => {
    await scenario("totp");
    const docker = fakeDocker();
    const ran = await loginWith(
      [
        "work",
        ...ALICE,
        "--totp-stdin",
        "--docker-bin",
        docker.path,
        "--docker-image",
        "the-image",
        "--docker-network",
        "vpn_net",
      ],
      { stdin: `${MOCK_PASSWORD}\n${MOCK_TOTP_SECRET}\n` },
    );
    expect(ran).toMatchObject({ code: 0 });
    expect(ran.out).toContain("registered account work\n");
    expect(ran.err).toContain("consent");
    const [call, ...others] = docker.calls();
    expect(others).toEqual([]);
    const name = call?.[7] ?? "";
    expect(name).toMatch(/^codexlb-login-[0-9a-f]{12}$/);
    expect(call).toEqual([
      "run",
      "--rm",
      "--init",
      "--interactive",
      "--log-driver",
      "none",
      "--name",
      name,
      "--network",
      "vpn_net",
      "the-image",
      "--username",
      "alice@example.com",
      "--password-stdin",
      "--totp-stdin",
      "--timeout",
      "540s",
      "--export",
      "login",
    ]);
  });

  test("gives up in the container when the caller is gone", async () => {
    await scenario("unexpected");
    const child = startOpen(["--username", "alice@example.com", "--password-stdin", "--export", "login"]);
    child.stdin.write(`${MOCK_PASSWORD}\n`);
    await child.stdin.flush();
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    let said = "";
    while (!said.includes('"e-mail"')) said += (await reader.read()).value ?? "";
    await child.stdin.end();
    expect(await child.exited).toBe(130);
    expectNothingLeft();
  });

  test("stops as it does without a container, and ends a container that takes too long by its name", async () => {
    await scenario("captcha");
    const docker = fakeDocker();
    const args = ["work", ...ALICE, "--quiet", "--docker-bin", docker.path, "--docker-image", "the-image"];
    const stopped = await loginWith(args);
    expect(stopped.code).toBe(10);
    expect(stopped.err.trim().split("\n").length).toBe(2);
    expect(stopped.err).not.toContain("--headed");
    expectLastScreen(stopped);
    await scenario("unexpected");
    const late = await loginWith([...args, "--timeout", "2s"]);
    expect(late.code).toBe(17);
    const none = await loginWith(["work", ...ALICE, "--docker-bin", "/nowhere/docker"]);
    expect(none).toMatchObject({ code: 1 });
    expect(none.err).toContain("no such program");
    const broken = await loginWith(args, { more: { FAKE_DOCKER_FAILS: "1" } });
    expect(broken.code).toBe(1);
    expect(broken.err).toStartWith("docker: no such image\n");
    expect(broken.err).toContain("could not run the image the-image");
  });

  test("uses an image that is a target of the Dockerfile, with a browser and this program as its entry point", () => {
    const dockerfile = readFileSync(join(import.meta.dir, "..", "..", "Dockerfile"), "utf8");
    const target = /FROM \S+ AS login\n([\s\S]*?)(?=\nFROM )/.exec(dockerfile)?.[1] ?? "";
    expect(target).toContain("chromium");
    expect(target).toContain("ca-certificates");
    expect(dockerfile).toContain("--out /out/usr/local/bin/codexlb");
    expect(target).toContain("COPY --from=build /out/ /");
    expect(target).toContain('ENTRYPOINT ["codexlb", "login-with"]');
  });
});

inBrowser.test("no file contains the password or the TOTP secret afterwards", () => {
  const places: string[] = [];
  const walk = (directory: string): void => {
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (entry.isDirectory()) walk(path);
      else if (entry.isFile() && path !== tool.path && holds(readFileSync(path, "latin1"))) places.push(path);
    }
  };
  walk(tool.directory);
  expect(places).toEqual([]);
  expect(seen.size).toBeGreaterThan(10);
  expect([...seen].filter(holds)).toEqual([]);
});

function holds(text: string): boolean {
  return text.includes(MOCK_PASSWORD) || text.includes(MOCK_TOTP_SECRET);
}
