// Turns of real Codex that wait for a reset: on both transports, for a run with --wait and by the proxy's settings, and
// what ends the wait.

import { expect } from "bun:test";
import { gated } from "../support/gated.ts";
import { limitBody, until } from "../support/pool.ts";
import { CODEX_VERSIONS, codexBinary, whyNoCodex } from "./codex-binaries.ts";
import { type Recorder, startRecorder } from "./recorder.ts";
import { BYPASS, expectTurn, NO_WEBSOCKET, type Setup, startReal } from "./setup.ts";

const { afterAll, beforeAll, describe, test } = gated(
  "real Codex, waiting",
  whyNoCodex(CODEX_VERSIONS.today, CODEX_VERSIONS.newest),
);

const binaries = new Map<string, string>();
let recorder: Recorder;

beforeAll(async () => {
  for (const version of [CODEX_VERSIONS.today, CODEX_VERSIONS.newest])
    binaries.set(version, await codexBinary(version));
  recorder = await startRecorder();
}, 300_000);

afterAll(() => recorder[Symbol.asyncDispose]());

const ALICE = [{ alias: "alice" }];
const EXEC = ["exec", ...BYPASS, "hello"];
const RESET_SECONDS = 8;

/** The next turn is refused until a reset that is `seconds` away. */
function limitNext({ mock }: Setup, transport: "HTTP" | "WebSocket", seconds: number): void {
  const error = limitBody(Math.floor(Date.now() / 1000) + seconds);
  if (transport === "HTTP") {
    mock.faults.add(NO_WEBSOCKET);
    mock.faults.add({ on: "sse", times: 1, answer: { status: 429, body: { error } } });
  } else mock.faults.add({ on: "message", times: 1, events: [{ type: "error", status: 429, error }] });
}

async function waitingTurns({ url }: Setup): Promise<number> {
  const status = (await (await fetch(`${url}/status`)).json()) as { waiting?: { turns: number } };
  return status.waiting?.turns ?? 0;
}

const MATRIX = [CODEX_VERSIONS.today, CODEX_VERSIONS.newest].flatMap((version) =>
  (["HTTP", "WebSocket"] as const).map((transport) => [version, transport] as const),
);

describe.each(MATRIX)("Codex %s over %s", (version, transport) => {
  test("a run with --wait continues after the reset, and reports the wait", async () => {
    await using setup = await startReal(recorder, ALICE);
    limitNext(setup, transport, RESET_SECONDS);
    // The run asks the proxy a few times a second, so it would not notice a turn that is served immediately.
    setup.mock.faults.add({ on: "turn", times: 1, delayMs: 2_000 });
    const ran = await setup.codexArgs(binaries.get(version) ?? "", ["--wait=5m", ...EXEC]);
    expectTurn(ran, "alice");
    expect(ran.err).toMatch(/codexlb: every account is exhausted; waiting for alice's 5h reset in \d+ s/);
    expect(ran.err).toContain("codexlb: the wait is over; Codex continues");
  });

  test("a turn waits if the proxy's settings say so", async () => {
    await using setup = await startReal(recorder, ALICE, '[proxy]\nwait_for_reset = "5m"\n');
    limitNext(setup, transport, RESET_SECONDS);
    expectTurn(await setup.codexArgs(binaries.get(version) ?? "", EXEC), "alice");
  });

  test("a signal ends the run and the wait", async () => {
    await using setup = await startReal(recorder, ALICE);
    limitNext(setup, transport, 3_600);
    const argv = [
      "run",
      "--proxy-url",
      setup.url,
      "--codex-bin",
      binaries.get(version) ?? "",
      "--wait=5h",
      ...EXEC,
    ];
    const run = Bun.spawn([setup.tool.path, ...argv], {
      cwd: setup.work,
      env: setup.tool.env({ SHELL: "/bin/sh", HTTPS_PROXY: recorder.url }),
      stdin: "ignore",
      stdout: "ignore",
      stderr: "ignore",
    });
    await until("a turn waits", async () => (await waitingTurns(setup)) === 1, 30_000);
    run.kill("SIGTERM");
    await run.exited;
    expect(run.exitCode).not.toBe(0);
    await until("no turn waits", async () => (await waitingTurns(setup)) === 0);
  });
});
