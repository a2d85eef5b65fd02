// The newest Codex in other modes than `exec`: app-server, `codex doctor`, histories larger than the largest WebSocket
// message, and the refusals that users see. test/faults covers all refusals with a simulated client.

import { expect } from "bun:test";
import { randomBytes } from "node:crypto";
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { FaultInput } from "../../src/mock/faults.ts";
import { gated } from "../support/gated.ts";
import { startAppServer, startThread } from "./app-server.ts";
import { CODEX_VERSIONS, codexBinary, whyNoCodex } from "./codex-binaries.ts";
import { backendsIn, type Recorder, startRecorder } from "./recorder.ts";
import { BYPASS, CREATED, NO_WEBSOCKET, type Setup, startReal, threadOf } from "./setup.ts";

const { afterAll, beforeAll, describe, test } = gated(
  "real Codex, newest",
  whyNoCodex(CODEX_VERSIONS.newest),
);

let newest = "";
let recorder: Recorder;

beforeAll(async () => {
  newest = await codexBinary(CODEX_VERSIONS.newest);
  recorder = await startRecorder();
}, 300_000);

afterAll(() => recorder[Symbol.asyncDispose]());

test("codex app-server sees the stub's account and the pool's limits, and completes a turn", async () => {
  await using setup = await startReal(recorder);
  await using server = startAppServer(setup, newest, recorder.url);
  const thread = await startThread(server, setup);
  expect(await server.request("account/read", { refreshToken: false })).toMatchObject({
    account: { type: "chatgpt", email: "proxy-only@codexlb.internal", planType: "pro" },
  });
  expect(await server.request("account/rateLimits/read")).toMatchObject({
    rateLimits: { limitId: "codex", primary: { usedPercent: 0, windowDurationMins: 300 }, planType: "pro" },
  });
  expect(await thread.turn("hello")).toMatchObject({ turn: { status: "completed", error: null } });
  expect(server.notifications("item/completed")).toContainEqual(
    expect.objectContaining({
      item: expect.objectContaining({ type: "agentMessage", text: "Hello from alice" }),
    }),
  );
  // One message warms up the WebSocket, the other one is the turn.
  expect(setup.points("message")).toEqual(["alice", "alice"]);
});

test("codex app-server sees exactly the windows, credits and further limits of the pool", async () => {
  await using setup = await startReal(recorder, [
    {
      alias: "alice",
      turns: 1,
      windows: ["weekly"],
      credits: 7,
      meters: [{ model: "gpt-spark", feature: "codex_bengalfox", turns: 4 }],
    },
  ]);
  await using server = startAppServer(setup, newest, recorder.url);
  const thread = await startThread(server, setup);
  // The backend serves the second turn on credits, because the window is exhausted.
  for (const text of ["one", "two"])
    expect(await thread.turn(text)).toMatchObject({ turn: { status: "completed", error: null } });
  const read = (await server.request("account/rateLimits/read")) as {
    rateLimits: unknown;
    rateLimitsByLimitId: Record<string, unknown>;
  };
  expect(read.rateLimits).toMatchObject({
    limitId: "codex",
    primary: { usedPercent: 99, windowDurationMins: 10_080 },
    secondary: null,
    credits: { hasCredits: true, unlimited: false, balance: "6" },
    rateLimitReachedType: null,
  });
  expect(read.rateLimitsByLimitId).toMatchObject({
    codex_bengalfox: {
      limitName: "gpt-spark",
      primary: { usedPercent: 0, windowDurationMins: 300 },
      secondary: null,
    },
  });
}, 120_000);

test("codex doctor --network-only reports no problem", async () => {
  await using setup = await startReal(recorder);
  const ran = await setup.codexArgs(newest, ["doctor", "--network-only", "--json"]);
  const { overallStatus, checks } = JSON.parse(ran.out) as DoctorReport;
  const wrong = Object.values(checks).filter(({ status }) => status !== "ok");
  expect([ran.code, overallStatus, wrong]).toEqual([0, "ok", []]);
  expect(Object.keys(checks)).toContain("network.websocket_reachability");
  expect(Object.keys(checks)).toContain("network.provider_reachability");
});

test("a history of 17 MiB goes over HTTP, and is uploaded once", async () => {
  await using setup = await startReal(recorder);
  const first = await setup.codex(newest, PLACEHOLDER);
  growHistory(setup);
  const before = setup.mock.requests.length;
  const settings = ["model_context_window", "model_auto_compact_token_limit"];
  const ran = await setup.codexArgs(newest, [
    ...["exec", "resume", ...BYPASS, ...settings.flatMap((name) => ["-c", `${name}=99000000`])],
    ...[threadOf(first), "go on"],
  ]);
  expect([ran.code, ran.out]).toEqual([0, expect.stringContaining("Hello from alice")]);
  const sizes = setup.mock.requests
    .slice(before)
    .filter(({ point }) => point === "message" || point === "sse")
    .map(({ point, json }) => [point, (JSON.stringify(json) ?? "").length > HISTORY_BYTES]);
  expect(sizes).toEqual([
    ["message", false],
    ["sse", true],
  ]);
}, 300_000);

describe("a refusal is shown immediately, and only one account gets the request:", () => {
  const error = (code: string) => ({ type: code, code, message: `the words for ${code}` });
  const failed = (code: string) => [CREATED, { type: "response.failed", response: { error: error(code) } }];

  test.each<[string, FaultInput, string]>([
    ["bio_policy in a stream", { on: "sse", events: failed("bio_policy") }, "the words for bio_policy"],
    [
      "content_policy_violation over WebSocket",
      { on: "message", events: failed("content_policy_violation") },
      "the words for content_policy_violation",
    ],
    [
      "inference_hook_denied with 403",
      { on: "sse", answer: { status: 403, body: { error: error("inference_hook_denied") } } },
      "the words for inference_hook_denied",
    ],
    [
      "budget_reached as an error event",
      { on: "message", answer: { status: 400, body: { error: error("budget_reached") } } },
      "budget reached",
    ],
    [
      "a detail over HTTP",
      { on: "sse", answer: { status: 400, body: { detail: "the words of a gateway" } } },
      "the words of a gateway",
    ],
    [
      "a detail over WebSocket",
      { on: "message", answer: { status: 400, body: { detail: "the words of a gateway" } } },
      "the words of a gateway",
    ],
  ])("%s", async (_name, fault, words) => {
    await using setup = await startReal(recorder);
    setup.mock.faults.add(...(fault.on === "sse" ? [NO_WEBSOCKET] : []), fault);
    const ran = await setup.codex(newest, "hello");
    expect(ran.code).toBe(1);
    expect(ran.out).toContain(words);
    expect(ran.out).not.toContain("Reconnecting");
    // The first WebSocket message warms up the connection.
    expect(setup.points(fault.on)).toEqual(fault.on === "sse" ? ["alice"] : ["alice", "alice"]);
  });
});

test("a WebSocket closed with 1009 makes Codex send the turn over HTTP, once", async () => {
  await using setup = await startReal(recorder);
  setup.mock.faults.add({ on: "message", events: [], end: "close", closeCode: 1009 });
  const ran = await setup.codex(newest, "hello");
  expect([ran.code, ran.out]).toEqual([0, expect.stringContaining("Hello from alice")]);
  expect([setup.points("message"), setup.points("sse")]).toEqual([["alice", "alice"], ["alice"]]);
});

test("no request bypassed the proxy in the runs above", () => {
  expect(backendsIn(recorder)).toEqual([]);
});

interface DoctorReport {
  readonly overallStatus: string;
  readonly checks: Readonly<Record<string, { readonly id: string; readonly status: string }>>;
}

const PLACEHOLDER = "PLACEHOLDER";
const HISTORY_BYTES = 17 * 1024 * 1024;

/**
 * Replaces the prompt of the only session with 17 MiB of text. The text must compress badly, because the simulated
 * backend refuses to decompress too much.
 */
function growHistory({ tool }: Setup): void {
  const [path] = globSync(join(tool.root, "codex-home", "sessions", "**", "*.jsonl"));
  if (path === undefined) throw new Error("Codex has saved no session");
  const text = randomBytes(HISTORY_BYTES / 2).toString("hex");
  const grown = readFileSync(path, "utf8")
    .split("\n")
    .map((line) => (line.includes('"type":"response_item"') ? line.replace(PLACEHOLDER, text) : line));
  writeFileSync(path, grown.join("\n"));
}
