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
/** Longer than any time limit of Codex except the one for silence. */
const RESET_SECONDS = 90;
const SETTING = '[proxy]\nwait_for_reset = "2h"\n';
type Transport = "HTTP" | "WebSocket";

/** What lets a turn wait: the arguments of the run, or the proxy's settings. */
const WAYS = {
  "--wait": { args: ["--wait=2h"], config: undefined },
  "proxy.wait_for_reset": { args: [], config: SETTING },
} as const;
type Way = keyof typeof WAYS;

/** The next turn is refused until a reset that is `seconds` away. */
function limitNext({ mock }: Setup, transport: Transport, seconds: number): void {
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

/** Runs a turn that waits for a reset, and expects that it continues afterwards and that the run reports both. */
async function turnOverReset(version: string, transport: Transport, way: Way): Promise<void> {
  const { args, config } = WAYS[way];
  await using setup = await startReal(recorder, ALICE, config);
  limitNext(setup, transport, RESET_SECONDS);
  // The run asks the proxy only a few times a second, so it would miss a turn that is served immediately.
  setup.mock.faults.add({ on: "turn", times: 1, delayMs: 2_000 });
  const ran = await setup.codexArgs(binaries.get(version) ?? "", [...args, ...EXEC]);
  expectTurn(ran, "alice");
  expect(ran.err).toMatch(
    /codexlb: every account is exhausted; waiting for alice's 5h reset (?:at \d\d:\d\d|in \d+ s)/,
  );
  expect(ran.err).toContain("codexlb: the wait is over; Codex continues");
  // One attempt before the reset, and one after it. Over WebSocket Codex may have to reconnect and send everything.
  if (transport === "HTTP") expect(setup.points("sse")).toEqual(["alice", "alice"]);
}

test(`turns wait ${RESET_SECONDS} s for a reset and continue, on both transports`, async () => {
  // At the same time, because they only wait.
  const { today, newest } = CODEX_VERSIONS;
  const cases: [string, Transport, Way][] = [
    [newest, "HTTP", "--wait"],
    [newest, "WebSocket", "--wait"],
    [newest, "HTTP", "proxy.wait_for_reset"],
    [newest, "WebSocket", "proxy.wait_for_reset"],
    [today, "HTTP", "--wait"],
    [today, "WebSocket", "proxy.wait_for_reset"],
  ];
  await Promise.all(cases.map((one) => turnOverReset(...one)));
}, 240_000);

describe.each(["HTTP", "WebSocket"] as const)("over %s", (transport) => {
  test.each(Object.keys(WAYS) as Way[])("Ctrl-C ends the run and the wait with %s", async (way) => {
    const { args, config } = WAYS[way];
    await using setup = await startReal(recorder, ALICE, config);
    limitNext(setup, transport, 3_600);
    const binary = binaries.get(CODEX_VERSIONS.newest) ?? "";
    const argv = ["run", "--proxy-url", setup.url, "--codex-bin", binary, ...args, ...EXEC];
    const run = Bun.spawn([setup.tool.path, ...argv], {
      cwd: setup.work,
      env: setup.tool.env({ SHELL: "/bin/sh", HTTPS_PROXY: recorder.url }),
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
    });
    let shown = "";
    const reading = (async () => {
      for await (const part of run.stderr.pipeThrough(new TextDecoderStream())) shown += part;
    })();
    await until("the run reports the wait", () => shown.includes("waiting for alice's 5h reset"), 60_000);
    expect(await waitingTurns(setup)).toBe(1);
    run.kill("SIGINT");
    await run.exited;
    await reading;
    expect(run.exitCode).toBe(130);
    await until("no turn waits", async () => (await waitingTurns(setup)) === 0);
  });
});
