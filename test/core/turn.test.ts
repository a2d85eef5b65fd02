import { expect, test } from "bun:test";
import { eventType, readTurnSignal } from "../../src/core/turn.ts";

const kind = (event: unknown) => readTurnSignal(JSON.stringify(event), 0).kind;

test("what carries no output is held, what does commits, and what nobody knows is never lost", () => {
  for (const type of [
    "response.created",
    "response.in_progress",
    "response.queued",
    "response.metadata",
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

test("the type is found wherever it stands", () => {
  expect(eventType('{"type":"a"}')).toBe("a");
  expect(eventType(' { "type" : "a" , "x":1}')).toBe("a");
  expect(eventType('{"x":{"type":"inner"},"type":"outer"}')).toBe("outer");
  expect(eventType('{"type":7}')).toBeUndefined();
  expect(eventType("{")).toBeUndefined();
});
