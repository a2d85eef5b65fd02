// What tests with real Codex binaries share: a simulated backend, the executable's proxy before it, and Codex run
// through `codexlb run`, with a recording HTTPS proxy in its environment.

import { expect } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemDeps } from "../../src/deps.ts";
import type { MockAccountOptions } from "../../src/mock/accounts.ts";
import { type MockBackend, startMock } from "../../src/mock/backend.ts";
import type { FaultInput } from "../../src/mock/faults.ts";
import { type Executable, executable, type Running } from "../support/executable.ts";
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
/** The backend refuses WebSocket, as Codex knows it: it uses server-sent events at once. */
export const NO_WEBSOCKET: FaultInput = { on: "upgrade", answer: { status: 426 } };
export const BYPASS = ["--json", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"];

export interface Setup extends AsyncDisposable {
  readonly mock: MockBackend;
  readonly tool: Executable;
  readonly url: string;
  readonly work: string;
  codex(binary: string, prompt: string): Promise<Ended>;
  codexArgs(binary: string, args: readonly string[]): Promise<Ended>;
  /** The accounts of the requests of one kind, in order. */
  points(point: string): (string | undefined)[];
}

export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A simulated backend, and the executable's proxy before it. `config` is the text of config.toml. */
export async function startReal(
  recorder: Recorder,
  accounts: readonly (MockAccountOptions & { readonly expiresInSeconds?: number })[] = ALICE_AND_BOB,
  config = '[policy]\nmode = "sticky"\n',
): Promise<Setup> {
  const tool = executable();
  const mock = startMock({ accounts, clock: systemDeps().clock });
  const work = join(tool.directory, "work");
  mkdirSync(work);
  for (const { alias, expiresInSeconds } of accounts) {
    const home = join(tool.directory, "logins", alias);
    mkdirSync(home, { recursive: true });
    writeFileSync(join(home, "auth.json"), mock.authFile(alias, expiresInSeconds));
    const { code, err } = await tool.run(["account", "import", "--from", home, alias]);
    if (code !== 0) throw new Error(err);
  }
  writeFileSync(join(tool.root, "config.toml"), config);
  const proxy: Running = await tool.start(["proxy", "--listen", "127.0.0.1:0", "--upstream", mock.baseUrl], {
    CODEXLB_TOKEN_URL: mock.tokenUrl,
  });
  const url = /listening on (\S+)/.exec(proxy.firstLine)?.[1] ?? "";
  const codexArgs = async (binary: string, args: readonly string[]): Promise<Ended> => {
    const child = Bun.spawn([tool.path, "run", "--proxy-url", url, "--codex-bin", binary, ...args], {
      cwd: work,
      env: tool.env({ SHELL: "/bin/sh", HTTPS_PROXY: recorder.url }),
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
      await proxy.stop();
      await mock.stop();
      tool[Symbol.dispose]();
    },
  };
}

/** The turn completed on `account`, and Codex showed no error and no retry. */
export function expectTurn(ran: Ended, account: string): void {
  if (ran.code !== 0) throw new Error(`codex ended with ${ran.code}:\n${ran.out}\n${ran.err}`);
  expect(ran.out).toContain(`"text":"Hello from ${account}"`);
  expect(ran.out).toContain('"type":"turn.completed"');
  expect(ran.out).not.toContain('"type":"error"');
  expect(ran.out + ran.err).not.toMatch(/Reconnecting|Falling back|stream disconnected|usage limit/i);
}

export function threadOf({ out }: Ended): string {
  return /"thread_id":"([^"]+)"/.exec(out)?.[1] ?? "no thread";
}

export function servedBy({ out }: Ended): string {
  return /Hello from (\w+)/.exec(out)?.[1] ?? "nobody";
}
