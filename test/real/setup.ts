// The setup of tests with real Codex binaries: a simulated backend, the executable's proxy, and Codex started through
// `codexlb run` with a recording HTTPS proxy in its environment.

import { expect } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemDeps } from "../../src/deps.ts";
import type { MockAccountOptions } from "../../src/mock/accounts.ts";
import { type MockBackend, startMock } from "../../src/mock/backend.ts";
import type { FaultInput } from "../../src/mock/faults.ts";
import { type Executable, executable, type RunningProcess } from "../support/executable.ts";
import { limitBody } from "../support/pool.ts";
import type { Recorder } from "./recorder.ts";

const ALICE_AND_BOB = [{ alias: "alice" }, { alias: "bob" }] as const;
const RESET_S = Math.floor(Date.now() / 1000) + 3_600;
export const CREATED = {
  type: "response.created",
  response: { id: "resp_early", status: "in_progress", output: [] },
};
export const LIMIT_EVENT = { type: "error", status: 429, error: limitBody(RESET_S) };
export const LIMIT_ANSWER = { status: 429, body: { error: limitBody(RESET_S) } };
/** The backend refuses WebSocket with 426, for which Codex switches to server-sent events immediately. */
export const NO_WEBSOCKET: FaultInput = { on: "upgrade", answer: { status: 426 } };
export const BYPASS = ["--json", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"];

export interface Setup extends AsyncDisposable {
  readonly mock: MockBackend;
  readonly tool: Executable;
  readonly url: string;
  readonly work: string;
  codex(binary: string, prompt: string): Promise<CodexResult>;
  codexArgs(binary: string, args: readonly string[], more?: Record<string, string>): Promise<CodexResult>;
  /** The accounts of all requests of one kind, in order. */
  points(point: string): (string | undefined)[];
}

export interface CodexResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Starts a simulated backend and the executable's proxy. `config` is the text of config.toml. */
export async function startReal(
  recorder: Recorder,
  accounts: readonly (MockAccountOptions & { readonly expiresInSeconds?: number })[] = ALICE_AND_BOB,
  config = '[policy]\nmode = "sticky"\n',
): Promise<Setup> {
  const base = startBase(recorder, accounts);
  for (const { alias, expiresInSeconds, apiKey } of accounts)
    if (apiKey === undefined) await enrolIn(base, base.tool.root, alias, expiresInSeconds);
  const url = await base.proxy(base.tool.root, config);
  return base.setup(url);
}

/**
 * Starts the same accounts in a tree of proxies: alice is two hops below the front, bob one hop below it. Codex connects
 * to the front, which has no accounts.
 */
export async function startRealChain(recorder: Recorder, policy = 'mode = "sticky"\n'): Promise<Setup> {
  const base = startBase(recorder, ALICE_AND_BOB);
  const { tool } = base;
  const rootOf = (name: string) => join(tool.directory, name);
  const configOf = (name: string, children: readonly string[]) =>
    `[proxy]\nname = "${name}"\nchild_proxy_urls = ${JSON.stringify(children)}\n[policy]\n${policy}`;
  await enrolIn(base, rootOf("left"), "alice", undefined);
  await enrolIn(base, rootOf("right"), "bob", undefined);
  const left = await base.proxy(rootOf("left"), configOf("left", []));
  const right = await base.proxy(rootOf("right"), configOf("right", []));
  const middle = await base.proxy(rootOf("middle"), configOf("middle", [left]));
  return base.setup(await base.proxy(tool.root, configOf("front", [middle, right])));
}

interface Base {
  readonly mock: MockBackend;
  readonly tool: Executable;
  /** Starts a proxy on `root`. Resolves to its address. */
  proxy(root: string, config: string): Promise<string>;
  /** Creates a setup in which Codex connects to the proxy at `url`. */
  setup(url: string): Setup;
}

function startBase(recorder: Recorder, accounts: readonly MockAccountOptions[]): Base {
  const tool = executable();
  const mock = startMock({ accounts, clock: systemDeps().clock });
  const work = join(tool.directory, "work");
  const proxies: RunningProcess[] = [];
  mkdirSync(work);
  return {
    mock,
    tool,
    proxy: async (root, config) => {
      mkdirSync(root, { recursive: true, mode: 0o700 });
      writeFileSync(join(root, "config.toml"), config);
      const running = await tool.start(
        ["proxy", "--root", root, "--listen", "127.0.0.1:0", "--upstream", mock.baseUrl],
        { CODEXLB_TOKEN_URL: mock.tokenUrl },
      );
      proxies.push(running);
      return /listening on (\S+)/.exec(running.firstLine)?.[1] ?? "";
    },
    setup: (url) => {
      const codexArgs: Setup["codexArgs"] = async (binary, args, more = {}) => {
        const child = Bun.spawn([tool.path, "run", "--proxy-url", url, "--codex-bin", binary, ...args], {
          cwd: work,
          env: tool.env({ SHELL: "/bin/sh", HTTPS_PROXY: recorder.url, ...more }),
          stdin: "ignore",
          stdout: "pipe",
          stderr: "pipe",
        });
        const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
        return { code, out, err };
      };
      return {
        mock,
        tool,
        url,
        work,
        codex: (binary, prompt) => codexArgs(binary, ["exec", ...BYPASS, prompt]),
        codexArgs,
        points: (point) => mock.requests.filter((one) => one.point === point).map((one) => one.account),
        [Symbol.asyncDispose]: async () => {
          for (const proxy of proxies.reverse()) await proxy.stop();
          await mock.stop();
          tool[Symbol.dispose]();
        },
      };
    },
  };
}

async function enrolIn(
  { tool, mock }: Base,
  root: string,
  alias: string,
  expiresInSeconds: number | undefined,
): Promise<void> {
  const home = join(tool.directory, "logins", alias);
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, "auth.json"), mock.authFile(alias, expiresInSeconds));
  const { code, err } = await tool.run(["account", "import", "--root", root, "--from", home, alias]);
  if (code !== 0) throw new Error(err);
}

/** Expects a turn that `account` completed, and no error or retry in Codex's output. */
export function expectTurn(ran: CodexResult, account: string): void {
  if (ran.code !== 0) throw new Error(`codex exited with ${ran.code}:\n${ran.out}\n${ran.err}`);
  expect(ran.out).toContain(`"text":"Hello from ${account}"`);
  expect(ran.out).toContain('"type":"turn.completed"');
  expect(ran.out).not.toContain('"type":"error"');
  expect(ran.out + ran.err).not.toMatch(/Reconnecting|Falling back|stream disconnected|usage limit/i);
}

export function threadOf({ out }: CodexResult): string {
  return /"thread_id":"([^"]+)"/.exec(out)?.[1] ?? "no thread";
}

export function servedBy({ out }: CodexResult): string {
  return /Hello from (\w+)/.exec(out)?.[1] ?? "no account";
}
