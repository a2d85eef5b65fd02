import { expect, test } from "bun:test";
import { eventType, isCompaction, readTurnSignal } from "../../src/core/turn.ts";

const kind = (event: unknown) => readTurnSignal(JSON.stringify(event), 0).kind;

test("events without output are held back, events with output commit, and unknown events count as output", () => {
  for (const type of [
    "response.created",
    "response.in_progress",
    "response.queued",
    "response.metadata",
    "codex.response.metadata",
    "keepalive",
  ])
    expect(kind({ type })).toBe("preamble");
  for (const type of [
    "response.output_item.added",
    "response.output_text.delta",
    "response.reasoning_summary.delta",
    "brand.new",
  ])
    expect(kind({ type })).toBe("output");
  for (const type of ["response.completed", "response.incomplete"]) expect(kind({ type })).toBe("completed");
  for (const type of ["error", "response.failed"]) expect(kind({ type })).toBe("failed");
  expect(kind({ type: "codex.rate_limits", rate_limits: {} })).toBe("quota");
  expect(readTurnSignal("not json", 0).kind).toBe("output");
  expect(readTurnSignal("[DONE]", 0).kind).toBe("output");
});

test("the type is found at any position", () => {
  expect(eventType('{"type":"a"}')).toBe("a");
  expect(eventType(' { "type" : "a" , "x":1}')).toBe("a");
  expect(eventType('{"x":{"type":"inner"},"type":"outer"}')).toBe("outer");
  expect(eventType(`{"type":"\\u0061", "x":1}`)).toBe("a");
  expect(eventType(`{"type":"a\\"b"}`)).toBe(`a"b`);
  expect(eventType(`{"type":"a`)).toBeUndefined();
  expect(eventType('{"type":7}')).toBeUndefined();
  expect(eventType("{")).toBeUndefined();
});

test("a compaction is distinguished from text that mentions one", () => {
  const done = (item: unknown) =>
    JSON.stringify({ type: "response.output_item.done", output_index: 0, item });
  expect(isCompaction(done({ type: "compaction", encrypted_content: "x" }))).toBe(true);
  expect(isCompaction(done({ id: "cmp_1", type: "compaction", encrypted_content: "x" }))).toBe(true);
  expect(isCompaction(done({ type: "message", content: [{ text: '{"type":"compaction"}' }] }))).toBe(false);
  expect(isCompaction(done({ type: "reasoning", encrypted_content: "x" }))).toBe(false);
});
