import { expect, test } from "bun:test";
import { portableRequest, turnRequestOf, withoutTurnState } from "../../src/proxy/turn/portable.ts";

const reasoning = { type: "reasoning", id: "rs_1", summary: [], encrypted_content: "secret" };
const message = { type: "message", role: "user", content: [] };
const compaction = { type: "compaction", encrypted_content: "whole history" };

test("encrypted reasoning and the turn state are dropped, everything else stays", () => {
  const request = {
    type: "response.create",
    input: [message, reasoning, { type: "reasoning", summary: [] }],
    client_metadata: { "x-codex-turn-state": "t", other: 1 },
    unknown: { deep: [1, 2] },
  };
  expect(JSON.parse(portableRequest(JSON.stringify(request)) ?? "")).toEqual({
    ...request,
    input: [message, { type: "reasoning", summary: [] }],
    client_metadata: { other: 1 },
  });
});

test("only the turn state is dropped when the turn is sent to another account", () => {
  const request = { input: [reasoning], client_metadata: { "x-codex-turn-state": "t", other: 1 } };
  expect(JSON.parse(withoutTurnState(JSON.stringify(request)))).toEqual({
    ...request,
    client_metadata: { other: 1 },
  });
  const text = '{ "input": [{ "text": "x-codex-turn-state" }] }';
  expect(withoutTurnState(text)).toBe(text);
});

test("the remaining text is byte for byte as the client wrote it", () => {
  const text = ` { "n" : 1.0 , "input" : [ {"a":"\\u00e9"} , ${JSON.stringify(reasoning)},  {"b" : [ ] } ] , "z":null}`;
  expect(portableRequest(text)).toBe(' { "n" : 1.0 , "input" : [{"a":"\\u00e9"},{"b" : [ ] }] , "z":null}');
});

test("a request with nothing to drop does not change", () => {
  for (const text of [
    "{",
    "[]",
    "{}",
    JSON.stringify({ input: [message] }),
    JSON.stringify({ input: "text" }),
    // The compaction is the whole history, so it cannot be dropped, and with it every other account refuses the
    // request.
    JSON.stringify({ input: [message, reasoning, compaction] }),
  ])
    expect(portableRequest(text)).toBeUndefined();
});

test("a request is self-contained unless it refers to an earlier response", () => {
  const isSelfContained = (request: unknown) => turnRequestOf(JSON.stringify(request)).isSelfContained;
  expect(isSelfContained({ input: [] })).toBe(true);
  expect(isSelfContained({ input: [], previous_response_id: null })).toBe(true);
  expect(isSelfContained({ input: [{ previous_response_id: "resp_1" }] })).toBe(true);
  expect(isSelfContained({ input: [], previous_response_id: "resp_1" })).toBe(false);
});

test("a request counts as warm-up only if its own field says so, not a nested one", () => {
  const warmsUp = (request: unknown) => turnRequestOf(JSON.stringify(request)).warmsUp;
  expect(warmsUp({ generate: false, input: [] })).toBe(true);
  expect(warmsUp({ input: [] })).toBe(false);
  expect(warmsUp({ input: [{ generate: false, text: '"generate": false' }] })).toBe(false);
});
