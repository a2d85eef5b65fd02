// Turns of real Codex that an API key serves after the last account is exhausted, on both transports, until its cap.

import { expect } from "bun:test";
import { gated } from "../support/gated.ts";
import { CODEX_VERSIONS, codexBinary, whyNoCodex } from "./codex-binaries.ts";
import { type Recorder, startRecorder } from "./recorder.ts";
import { BYPASS, expectTurn, NO_WEBSOCKET, type Setup, startReal, threadOf } from "./setup.ts";

const { afterAll, beforeAll, describe, test } = gated(
  "real Codex, API key",
  whyNoCodex(CODEX_VERSIONS.newest),
);

let binary: string;
let recorder: Recorder;

beforeAll(async () => {
  binary = await codexBinary(CODEX_VERSIONS.newest);
  recorder = await startRecorder();
}, 300_000);

afterAll(() => recorder[Symbol.asyncDispose]());

const KEY = "sk-test-real";
/** The price of every model here: a turn of the simulated API costs 0.07 USD. */
const PRICE = "input = 100\ncached_input = 10\noutput = 840\n";
const ALICE = { alias: "alice", turns: 1 };
const MODEL = "gpt-6.2-sol";

async function setupWithKey(cap: string): Promise<Setup> {
  const setup = await startReal(
    recorder,
    [ALICE, { alias: "openai", apiKey: KEY }],
    `[prices."${MODEL}"]\n${PRICE}`,
  );
  const { path, root, env } = setup.tool;
  const flags = ["--root", root, "--key-stdin", "--monthly-cap", cap, "--base-url", setup.mock.apiUrl];
  const added = Bun.spawn([path, "account", "add-key", ...flags, "openai"], {
    env: env(),
    stdin: Buffer.from(`${KEY}\n`),
    stdout: "ignore",
  });
  expect(await added.exited).toBe(0);
  return setup;
}

const exec = (setup: Setup, ...args: string[]) =>
  setup.codexArgs(binary, ["exec", ...args.slice(0, -1), ...BYPASS, "-m", MODEL, args.at(-1) ?? ""]);

describe.each(["HTTP", "WebSocket"] as const)("Codex over %s", (transport) => {
  test("continues its thread on the key without noticing, and sees the usage limit at the cap", async () => {
    await using setup = await setupWithKey("0.10usd");
    if (transport === "HTTP") setup.mock.faults.add(NO_WEBSOCKET);
    const first = await exec(setup, "hello");
    expectTurn(first, "alice");
    expectTurn(await exec(setup, "resume", threadOf(first), "again"), "openai");
    expectTurn(await exec(setup, "resume", threadOf(first), "and again"), "openai");
    const refused = await exec(setup, "resume", threadOf(first), "too much");
    expect(refused.code).not.toBe(0);
    expect(refused.out).toMatch(
      /hit your usage limit\. The API key of openai has reached its monthly cap: raise it with: codexlb account set .*, or try again/,
    );
    const turns = setup.mock.requests.filter(
      ({ account, point }) => account === "openai" && (point === "sse" || point === "message"),
    );
    expect(new Set(turns.map(({ path, point }) => `${point} ${path}`))).toEqual(
      new Set([transport === "HTTP" ? "sse /v1/responses" : "message /v1/responses"]),
    );
    const status = await setup.tool.run(["status", "--root", setup.tool.root]);
    expect(status.out).toContain("cap-reached");
  }, 120_000);
});
