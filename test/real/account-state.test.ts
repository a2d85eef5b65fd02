// Real Codex reads its notes, which the backend keeps for one account, after a switch to another account.

import { expect } from "bun:test";
import { gated } from "../support/gated.ts";
import { CODEX_VERSIONS, codexBinary, whyNoCodex } from "./codex-binaries.ts";
import { type Recorder, startRecorder } from "./recorder.ts";
import { BYPASS, CREATED, LIMIT_ANSWER, NO_WEBSOCKET, type Setup, startReal } from "./setup.ts";

const { afterAll, beforeAll, test } = gated("real Codex, notes", whyNoCodex(CODEX_VERSIONS.newest));

let newest = "";
let recorder: Recorder;
beforeAll(async () => {
  newest = await codexBinary(CODEX_VERSIONS.newest);
  recorder = await startRecorder();
}, 300_000);
afterAll(() => recorder[Symbol.asyncDispose]());

/** The feature that gives the model its tools for notes and history. */
const NOTES = ["-c", "features.token_budget={enabled=true,use_history_notes_extension=true}"];

/** The next turn of the model calls a tool for notes. */
function callNext({ mock }: Setup, name: string, args: object): void {
  const item = {
    type: "function_call",
    id: "fc_1",
    call_id: "call_1",
    namespace: "notes",
    name,
    arguments: JSON.stringify(args),
  };
  const done = { type: "response.output_item.done", output_index: 0, item };
  const usage = { input_tokens: 1, output_tokens: 1, total_tokens: 2 };
  const completed = { type: "response.completed", response: { id: "resp_early", usage } };
  mock.faults.add({ on: "turn", times: 1, events: [CREATED, done, completed] });
}

/** The account and operation of each request about notes. */
function notesOf({ mock }: Setup): string[] {
  return mock.requests.flatMap(({ path, account }) => {
    const operation = /\/alpha\/notes\/v2\/(.+)$/.exec(path)?.[1];
    return operation === undefined ? [] : [`${account} ${operation}`];
  });
}

test("Codex finds its notes after the session has moved to another account", async () => {
  await using setup = await startReal(recorder);
  setup.mock.faults.add(NO_WEBSOCKET);
  callNext(setup, "write_file", { path: "plan.md", text: "step 1" });
  const first = await setup.codexArgs(newest, [...NOTES, "exec", ...BYPASS, "hello"]);
  expect([first.code, first.out]).toEqual([0, expect.stringContaining("Hello from alice")]);
  const thread = /"thread_id":"([^"]+)"/.exec(first.out)?.[1] ?? "";
  setup.mock.faults.add({ on: "sse", account: "alice", times: 1, answer: LIMIT_ANSWER });
  callNext(setup, "read_file", { path: "plan.md" });
  const second = await setup.codexArgs(newest, [...NOTES, "exec", ...BYPASS, "resume", thread, "continue"]);
  expect([second.code, second.out]).toEqual([0, expect.stringContaining("Hello from bob")]);
  // Codex asks for the hint before the first turn of a thread.
  expect(notesOf(setup)).toEqual(["alice thread_hint", "alice write_file", "alice read_file"]);
  const last = JSON.stringify(setup.mock.requests.findLast(({ point }) => point === "sse")?.json);
  expect(last).toContain("step 1");
});
