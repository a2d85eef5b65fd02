// Real Codex through a tree of proxies. The front has no accounts, alice is two hops below it, bob one hop.

import { expect } from "bun:test";
import { gated } from "../support/gated.ts";
import { CODEX_VERSIONS, codexBinary, whyNoCodex } from "./codex-binaries.ts";
import { type Recorder, startRecorder } from "./recorder.ts";
import {
  BYPASS,
  CREATED,
  expectTurn,
  LIMIT_EVENT,
  NO_WEBSOCKET,
  servedBy,
  startRealChain,
  threadOf,
} from "./setup.ts";

const { afterAll, beforeAll, describe, test } = gated("real Codex, chain", whyNoCodex(CODEX_VERSIONS.today));

let today = "";
let recorder: Recorder;

beforeAll(async () => {
  today = await codexBinary(CODEX_VERSIONS.today);
  recorder = await startRecorder();
}, 300_000);

afterAll(() => recorder[Symbol.asyncDispose]());

describe("a tree of proxies", () => {
  test("serves a turn with a tool call over WebSocket, and no request bypasses it", async () => {
    await using s = await startRealChain(recorder);
    const ran = await s.codex(today, "please use TOOL");
    expectTurn(ran, "alice");
    expect(ran.out).toContain('"aggregated_output":"tool-ran\\n","exit_code":0');
    expect(s.points("message").length).toBeGreaterThanOrEqual(3);
    expect(s.points("sse")).toEqual([]);
    expect(recorder.hosts.filter((host) => host.startsWith("chatgpt.com"))).toEqual([]);
  });

  test("serves it over server-sent events", async () => {
    await using s = await startRealChain(recorder);
    s.mock.faults.add(NO_WEBSOCKET);
    expectTurn(await s.codex(today, "hello"), "alice");
    expect(s.points("sse").length).toBeGreaterThan(0);
  });

  test.each([
    ["WebSocket", "message"],
    ["server-sent events", "sse"],
  ] as const)("continues with another child when one is exhausted, over %s", async (name, on) => {
    await using s = await startRealChain(recorder);
    if (name !== "WebSocket") s.mock.faults.add(NO_WEBSOCKET);
    s.mock.faults.add({ on, account: "alice", skip: 1, events: [CREATED, LIMIT_EVENT] });
    const ran = await s.codex(today, "please use TOOL");
    expectTurn(ran, "bob");
    expect(ran.out.match(/"aggregated_output":"tool-ran\\n"/g)?.length).toBe(1);
  });

  test("resumes a session on its account, regardless of the policy", async () => {
    await using s = await startRealChain(recorder, 'mode = "round_robin"\n');
    const first = await s.codex(today, "hello");
    const who = servedBy(first);
    for (let turn = 0; turn < 2; turn++) {
      const again = await s.codexArgs(today, ["exec", ...BYPASS, "resume", threadOf(first), "again"]);
      expectTurn(again, who);
    }
  });
});
