// The messages of commands without a proxy: errors with their next steps, and the output of commands that need no pool.
// `make snapshots` updates the committed texts.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runCli } from "../support/cli.ts";
import { type TempDirectory, tempDirectory } from "../support/temp.ts";

let temp: TempDirectory;
beforeAll(() => {
  temp = tempDirectory();
  mkdirSync(join(temp.path, "home", ".codex"), { recursive: true });
  writeFileSync(join(temp.path, "home", ".codex", "config.toml"), 'model = "gpt"\n');
  writeFileSync(join(temp.path, "text"), "hello\n");
  for (const name of ["quiet", "wrong", "unknown"]) mkdirSync(join(temp.path, name), { mode: 0o700 });
  // No program can listen on this port.
  const proxy = '[proxy]\nname = "quiet"\nlisten = "127.0.0.1:1"\n';
  writeFileSync(join(temp.path, "quiet", "config.toml"), proxy, { mode: 0o600 });
  writeFileSync(join(temp.path, "wrong", "config.toml"), `${proxy}[policy]\nmode = "best"\n`, {
    mode: 0o600,
  });
  writeFileSync(join(temp.path, "unknown", "config.toml"), `${proxy}[policy]\nmodes = "sticky"\n`, {
    mode: 0o600,
  });
});
afterAll(() => temp[Symbol.dispose]());

const COMMANDS: readonly string[] = [
  // The command line.
  "stauts",
  "exec hello",
  "list",
  "account",
  "account pin",
  "account pin a b",
  "account show",
  "account set alice",
  "account set alice --outbound-proxy=",
  "account set alice --outbound-proxy ftp://x",
  "account list extra",
  "account unpin extra",
  "config chek",
  "explain --session a --modle x",
  "explain --session=",
  "key add",
  "key rm",
  "proxy log",
  "proxy bogus --listen 127.0.0.1:0",
  "proxy --listen",
  "proxy --listen nowhere",
  "proxy --max-attempts x",
  "proxy logs --tail x",
  "proxy logs --interval soon",
  "status --json --short",
  "status --watch",
  "status --watch --json",
  "status --watch --interval 1ms",
  "run --account= exec",
  "run --command --account alice",
  "run --native-home --codex-home x",
  "completions",
  "completions tcsh",
  "completions bash zsh",
  "version extra",
  "mock --port 70000",
  "mock --accounts a:b",
  "mock --accounts alice:x=1,alice",
  "mock --faults nowhere",
  "mock --faults text",
  "service install --target runit",
  "service install --target launchd --system",
  "service install --user nobody",
  "service install --binary text",
  "upgrade",
  // login-with, which stops before it starts a browser.
  "login-with",
  "login-with work",
  "login-with work --username you",
  "login-with work --username you@example.com",
  "login-with work --username you@example.com --password-stdin",
  "login-with work --username you@example.com --password-stdin --timeout 0",
  "login-with work --username you@example.com --password-stdin --headed --docker-bin podman",
  "login-with work --username you@example.com --password-stdin --docker-image=",
  "login-with ../x --username you@example.com --password-stdin",
  // A root without accounts and proxy.
  "account list",
  "account list --root missing",
  "account list --tree",
  "account show alice",
  "account pin alice",
  "account import",
  "account import --into proxy",
  "key list",
  "config check",
  "config check --root missing",
  "status",
  "explain",
  "proxy logs",
  "run --native-home exec",
  "run --auto-start exec",
  "setup --print",
  "unsetup",
  "doctor --codex-bin /nowhere/codex",
];

/** Runs a command on the root `name`. Words that differ between runs are replaced. */
async function runOn(name: string, words: string) {
  const ran = await runCli(words.split(" "), {
    cwd: temp.path,
    env: { CODEXLB_ROOT: join(temp.path, name), HTTPS_PROXY: "http://127.0.0.1:1" },
  });
  const stable = (text: string) => text.replaceAll(temp.path, "TEMP");
  return { code: ran.code, out: stable(ran.out), err: stable(ran.err) };
}

describe("a message", () => {
  for (const words of COMMANDS)
    test(`of codexlb ${words}`, async () => {
      expect(await runOn("quiet", words)).toMatchSnapshot();
    });

  for (const root of ["wrong", "unknown", "text"])
    for (const words of [
      "config check",
      "config path",
      "account list",
      "status",
      "doctor --codex-bin /nowhere/codex",
    ])
      test(`of codexlb ${words} on a root that is ${root}`, async () => {
        expect(await runOn(root, words)).toMatchSnapshot();
      });
});

describe("the text", () => {
  for (const shell of ["bash", "zsh", "fish", "powershell"])
    test(`of codexlb completions ${shell}`, async () => {
      expect((await runOn("quiet", `completions ${shell}`)).out).toMatchSnapshot();
    });

  test("of codexlb man", async () => {
    const { out } = await runOn("quiet", "man");
    expect(out.replace(/\d{4}-\d\d-\d\d/, "DATE")).toMatchSnapshot();
  });
});
