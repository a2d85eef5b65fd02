import { describe, expect, test } from "bun:test";
import { turnMetadataOf } from "../../src/core/turn-metadata.ts";

const WORKSPACES = { "/home/u/p": { has_changes: true }, "/other": {} };

describe.each([
  ["small", ""],
  ["large", "x".repeat(10_000)],
])("%s metadata", (_size, filler) => {
  const read = (metadata: object) => turnMetadataOf(JSON.stringify({ filler, ...metadata }));

  test.each([
    [
      { request_kind: "compaction", workspaces: WORKSPACES },
      { kind: "compaction", project: "/home/u/p" },
    ],
    [{ workspaces: WORKSPACES }, { kind: undefined, project: "/home/u/p" }],
    [
      { request_kind: "another", workspaces: {} },
      { kind: undefined, project: undefined },
    ],
    [
      { request_kind: ["turn"], workspaces: ["/p"] },
      { kind: undefined, project: undefined },
    ],
    [
      { request_kind: "turn", turn_id: "t1", workspaces: "/p" },
      { kind: "turn", turnId: "t1", project: undefined },
    ],
    [
      { request_kind: "turn", workspaces: { '/a "quoted" \\ path': {} } },
      { kind: "turn", project: '/a "quoted" \\ path' },
    ],
  ])("%j", (metadata, expected) => {
    expect<object>(read(metadata)).toEqual(expected);
  });
});

test.each([
  null,
  undefined,
  "",
  "no JSON",
  '{"request_kind":',
  "[]",
  "null",
  "7",
  "[".repeat(4_000),
  "{".repeat(70_000),
])("%p says nothing", (text) => {
  expect(turnMetadataOf(text)).toEqual({ kind: undefined, turnId: undefined, project: undefined });
});
