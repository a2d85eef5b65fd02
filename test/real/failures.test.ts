// The most important rows of the fault matrix with real Codex: what its user sees.

import { expect } from "bun:test";
import type { FaultInput } from "../../src/mock/faults.ts";
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
  startReal,
  threadOf,
} from "./setup.ts";

const { afterAll, beforeAll, describe, test } = gated(
  "real Codex, failures",
  whyNoCodex(CODEX_VERSIONS.today),
);

let today = "";
let newest = "";
let recorder: Recorder;

beforeAll(async () => {
  today = await codexBinary(CODEX_VERSIONS.today);
  newest = await codexBinary(CODEX_VERSIONS.newest);
  recorder = await startRecorder();
}, 300_000);

afterAll(() => recorder[Symbol.asyncDispose]());

const ALICE = [{ alias: "alice" }];
const OVERLOADED = {
  type: "response.failed",
  response: { error: { code: "server_is_overloaded", message: "x" } },
};
const item = { type: "message", id: "msg_begun", role: "assistant", status: "in_progress", content: [] };
/** The beginning of an output that Codex shows. */
const OUTPUT = [
  CREATED,
  { type: "response.output_item.added", output_index: 0, item },
  {
    type: "response.output_text.delta",
    item_id: "msg_begun",
    output_index: 0,
    content_index: 0,
    delta: "Hel",
  },
];
const TURN = { on: "message" } as const;

/** A fault of alice, for either transport. */
interface Row {
  readonly name: string;
  readonly faults: (on: Pick<FaultInput, "on" | "skip">) => FaultInput[];
}

const ROWS: readonly Row[] = [
  {
    name: "the account reaches its limit after output",
    faults: (on) => [{ ...on, account: "alice", times: 1, events: [...OUTPUT, LIMIT_EVENT] }],
  },
  {
    name: "the connection breaks after output",
    faults: (on) => [{ ...on, account: "alice", times: 1, events: OUTPUT, end: "reset" }],
  },
  {
    name: "the backend is overloaded before output",
    faults: (on) => [{ ...on, account: "alice", times: 1, events: [CREATED, OVERLOADED] }],
  },
  {
    name: "the backend sends an error without a status, after which Codex would wait for minutes",
    faults: (on) => [
      {
        ...on,
        account: "alice",
        times: 1,
        events: [{ type: "error", error: { code: "odd", message: "x" } }],
      },
    ],
  },
];

for (const transport of ["WebSocket", "server-sent events"] as const)
  describe(`over ${transport}, a turn completes and Codex shows no error although`, () => {
    const on = transport === "WebSocket" ? TURN : ({ on: "sse" } as const);
    const base = transport === "WebSocket" ? [] : [NO_WEBSOCKET];
    for (const { name, faults } of ROWS)
      test(name, async () => {
        await using setup = await startReal(recorder);
        setup.mock.faults.add(...base, ...faults(on));
        const ran = await setup.codex(today, "hello");
        expect(ran.code).toBe(0);
        expect(ran.out).toMatch(/Hello from (?:alice|bob)/);
        expect(ran.out + ran.err).not.toMatch(/Reconnecting|Falling back|usage limit|"type":"error"/i);
      });
  });

describe("if the only account cools down, Codex waits and continues by itself after", () => {
  for (const transport of ["WebSocket", "server-sent events"] as const) {
    const on = transport === "WebSocket" ? TURN : ({ on: "sse" } as const);
    const base = transport === "WebSocket" ? [] : [NO_WEBSOCKET];

    test(`an overload, over ${transport}`, async () => {
      await using setup = await startReal(recorder, ALICE);
      setup.mock.faults.add(...base, {
        ...on,
        times: transport === "WebSocket" ? 4 : 2,
        events: [CREATED, OVERLOADED],
      });
      const ran = await setup.codex(today, "hello");
      expectCompleted(ran);
    });

    test(`a 429 without a time, over ${transport}`, async () => {
      await using setup = await startReal(recorder, ALICE);
      const answer = { status: 429, body: { error: { code: "rate_limit_exceeded", message: "slow down" } } };
      const event = { type: "error", status: 429, error: answer.body.error };
      setup.mock.faults.add(
        ...base,
        transport === "WebSocket" ? { ...on, times: 1, events: [event] } : { ...on, times: 1, answer },
      );
      expectCompleted(await setup.codex(today, "hello"));
    });
  }
});

test.each(["disable", "drain", "rm"])(
  "a pool without an account in service ends the turn immediately, with the reason: %s",
  async (word) => {
    await using setup = await startReal(recorder, ALICE);
    expect((await setup.tool.run(["account", word, "alice"])).code).toBe(0);
    for (const binary of [today, newest]) {
      const ran = await setup.codex(binary, "hello");
      expect(ran.code).toBe(1);
      expect(ran.out).toMatch(
        /"turn\.failed".*"no account is (?:in service: alice \(|enrolled; run: codexlb)/,
      );
      expect(ran.out + ran.err).not.toMatch(/Reconnecting|Falling back/);
    }
  },
);

describe("a handshake", () => {
  test("refused by every account makes Codex use HTTP without showing an error", async () => {
    await using setup = await startReal(recorder);
    setup.mock.faults.add({ on: "upgrade", answer: { status: 503, body: {} } });
    const ran = await setup.codex(today, "hello");
    // Both accounts cool down briefly, and the one that is ready first serves.
    expectTurn(ran, servedBy(ran));
    expect(setup.points("message")).toEqual([]);
  });

  test("without a response from one account is served by the other", async () => {
    const config = '[proxy]\nconnect_timeout_seconds = 1\n[policy]\nmode = "sticky"\n';
    await using setup = await startReal(recorder, undefined, config);
    setup.mock.faults.add({ on: "upgrade", account: "alice", hang: true });
    expectTurn(await setup.codex(today, "hello"), "bob");
  });
});

test("the catalogue is not fetched again during turns, although the accounts report different versions of it", async () => {
  await using setup = await startReal(
    recorder,
    [
      { alias: "alice", plan: "pro" },
      { alias: "bob", plan: "team" },
    ],
    '[policy]\nmode = "round_robin"\naffinity = false\n',
  );
  setup.mock.faults.add(NO_WEBSOCKET);
  const ran = await setup.codex(today, "please use TOOL");
  expect(ran.code).toBe(0);
  expect(new Set(setup.points("sse")).size).toBe(2);
  // Codex fetches the catalogue at its start. A turn that names another version would make Codex fetch it again.
  const points = setup.mock.requests.map((request) => request.point);
  expect(points).toContain("models");
  expect(points.slice(points.indexOf("sse"))).not.toContain("models");
});

test("a compacted session stays with the account that can read it, regardless of pins", async () => {
  await using setup = await startReal(recorder);
  const first = await setup.codex(today, "one");
  expectTurn(first, "alice");
  const thread = threadOf(first);
  const resume = (prompt: string) =>
    setup.codexArgs(today, [
      "exec",
      "resume",
      ...BYPASS,
      "-c",
      "model_auto_compact_token_limit=900",
      thread,
      prompt,
    ]);
  expectTurn(await resume("two"), "alice");
  const compactions = setup.mock.requests.filter(({ json }) =>
    JSON.stringify(json ?? "").includes("compaction_trigger"),
  );
  expect(compactions.map((one) => one.account)).toEqual(["alice"]);
  await setup.tool.run(["account", "pin", "bob"]);
  const before = setup.points("message").length;
  expectTurn(await resume("three"), "alice");
  expect(setup.points("message").slice(before)).not.toContain("bob");
  expectTurn(await setup.codex(today, "another session"), "bob");
});

/** Expects a completed turn. Codex may report that it reconnects, which is how it waits. */
function expectCompleted({ code, out, err }: { code: number; out: string; err: string }): void {
  if (code !== 0) throw new Error(`codex exited with ${code}:\n${out}\n${err}`);
  expect(out).toContain("Hello from alice");
  expect(out).not.toContain("at capacity");
}
