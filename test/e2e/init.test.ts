// `codexlb init` of the executable without a terminal: `--yes` for scripts.

import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemDeps } from "../../src/deps.ts";
import { type MockBackend, startMock } from "../../src/mock/backend.ts";
import { type Executable, executable, type Ran } from "../support/executable.ts";
import { fakeManagers } from "../support/fake-managers.ts";
import { turnCodex } from "../support/turn-codex.ts";

let mock: MockBackend;
let tool: Executable;
let home: string;
beforeAll(() => {
  mock = startMock({ accounts: [{ alias: "alice" }], clock: systemDeps().clock });
});
afterAll(() => mock.stop());
beforeEach(() => {
  tool = executable();
  home = join(tool.directory, "home");
});
afterEach(async () => {
  await tool.run(["proxy", "stop"]);
  tool[Symbol.dispose]();
});

const init = (args: readonly string[], more: Record<string, string> = {}): Promise<Ran> =>
  tool.run(["init", ...args], {
    PATH: `${tool.directory}:${process.env.PATH ?? ""}`,
    SHELL: "/bin/bash",
    CODEXLB_UPSTREAM: mock.baseUrl,
    CODEXLB_TOKEN_URL: mock.tokenUrl,
    CODEXLB_CONTAINER_LISTEN: "127.0.0.1:0",
    ...more,
  });

function ownLogin(): void {
  mkdirSync(join(home, ".codex"));
  writeFileSync(join(home, ".codex", "auth.json"), mock.authFile("alice"));
}

test("--yes enrols the user's login, starts the proxy, runs a turn, and edits no profile", async () => {
  turnCodex(tool.directory);
  ownLogin();
  const ran = await init(["--yes"]);
  expect([ran.code, ran.err]).toEqual([0, expect.not.stringContaining("warning")]);
  expect(ran.out).toContain(`1/6 Codex\n  ok Codex 0.171.0 (${tool.directory}/codex)\n`);
  expect(ran.out).toContain("imported account alice (total=1)\n");
  expect(ran.out).toMatch(/started the proxy .*\n {2}ok running on http:\/\/127\.0\.0\.1:\d+ /);
  expect(ran.out).toContain("  Run it? run it (--yes)\n  ok alice answered: Hello from alice\n");
  expect(ran.out).toMatch(
    /Three commands to remember\n {2}codexlb run .*\n {2}codexlb status .*\n {2}codexlb doctor .*\n$/,
  );
  expect(existsSync(join(home, ".bashrc"))).toBe(false);
  // The second time there is nothing to do, and no quota is spent.
  const turns = mock.requests.filter(({ point }) => point === "sse").length;
  const again = await init(["--yes"]);
  expect(again.code).toBe(0);
  expect(again.out).toContain("  ok 1 account\n");
  expect(again.out).toContain("  ok alice has served, a moment ago\n");
  expect(mock.requests.filter(({ point }) => point === "sse")).toHaveLength(turns);
});

test("--no-turn runs no turn, and needs no Codex beyond the first step", async () => {
  turnCodex(tool.directory);
  ownLogin();
  const before = mock.requests.filter(({ point }) => point === "sse").length;
  const ran = await init(["--yes", "--no-turn"]);
  expect(ran.code).toBe(0);
  expect(ran.out).not.toContain("Test turn");
  expect(mock.requests.filter(({ point }) => point === "sse")).toHaveLength(before);
});

test("--service installs the service", async () => {
  const managers = fakeManagers(tool.directory);
  turnCodex(tool.directory);
  ownLogin();
  // The stand-in for systemd starts no proxy.
  const ran = await init(["--yes", "--service", "--no-turn"], {
    PATH: `${managers.path}:${tool.directory}`,
    CODEXLB_CODEX_BIN: join(tool.directory, "codex"),
  });
  expect(ran.out).toContain("$ codexlb service install\n");
  expect(managers.calls().join("\n")).toMatch(/enable|bootstrap/);
});

test("with --yes a step that is not possible is named, and nothing changes", async () => {
  ownLogin();
  const ran = await init(["--yes", "--codex-bin", "/nope", "--no-turn"]);
  expect([ran.code, ran.out]).toEqual([1, ""]);
  expect(ran.err).toBe(
    "codexlb: nothing was changed, because the step Codex is not possible: Codex is not installed: program not found: /nope\n  install Codex with `npm install -g @openai/codex`, or name it with --codex-bin or CODEXLB_CODEX_BIN; then run: codexlb init --codex-bin /nope --yes --no-turn\n",
  );
  expect(existsSync(tool.root)).toBe(false);
});

test("with --yes a login is required before anything changes", async () => {
  turnCodex(tool.directory);
  const ran = await init(["--yes"]);
  expect([ran.code, ran.out]).toEqual([1, ""]);
  expect(ran.err).toBe(
    "codexlb: nothing was changed, because the step Accounts is not possible: no account is enrolled, and your Codex home has no login to import\n  add one with: codexlb account login ALIAS; then run: codexlb init --yes\n",
  );
  expect(existsSync(tool.root)).toBe(false);
});

test("with --yes a missing service manager is reported before anything changes", async () => {
  turnCodex(tool.directory);
  ownLogin();
  const ran = await init(["--yes", "--service"], { PATH: tool.directory });
  expect([ran.code, ran.out]).toEqual([1, ""]);
  expect(ran.err).toContain("the step Proxy is not possible: the service cannot be installed: ");
  expect(ran.err).toEndWith("then run: codexlb init --yes --service\n");
  expect(existsSync(tool.root)).toBe(false);
});

test("an imported login that no longer works is shown at the end, with the next step", async () => {
  const dead = startMock({ accounts: [{ alias: "zed" }], clock: systemDeps().clock });
  turnCodex(tool.directory);
  mkdirSync(join(home, ".codex"));
  writeFileSync(join(home, ".codex", "auth.json"), dead.authFile("zed"));
  dead.accounts.revoke(dead.accounts.byAlias("zed"));
  const ran = await init(["--yes", "--no-turn"], {
    CODEXLB_UPSTREAM: dead.baseUrl,
    CODEXLB_TOKEN_URL: dead.tokenUrl,
  });
  expect(ran.out).toMatch(
    /\n {2}! zed cannot serve: .+\n {2}next step: codexlb account login zed\n\nThree commands to remember\n/,
  );
  await dead.stop();
});

test("without a terminal and --yes nothing happens", async () => {
  const ran = await init([]);
  expect(ran).toEqual({
    code: 2,
    out: "",
    err: "codexlb: codexlb init asks questions, so it needs a terminal\n  in scripts, use: codexlb init --yes\n",
  });
  expect(existsSync(tool.root)).toBe(false);
});

test("a machine that uses the proxy of another one is not set up", async () => {
  const ran = await init(["--yes"], { CODEXLB_PROXY_URL: "http://proxy.example:8765" });
  expect(ran.code).toBe(2);
  expect(ran.err).toContain("CODEXLB_PROXY_URL makes commands use the proxy at http://proxy.example:8765");
  expect(existsSync(tool.root)).toBe(false);
});

test("invalid settings are reported before anything changes", async () => {
  mkdirSync(tool.root);
  writeFileSync(join(tool.root, "config.toml"), "[proxy\n");
  const ran = await init(["--yes"]);
  expect(ran.code).toBe(1);
  expect(ran.err).toContain("config.toml");
  expect(readFileSync(join(tool.root, "config.toml"), "utf8")).toBe("[proxy\n");
});
