import { expect, test } from "bun:test";
import { statePathOf } from "../../src/upstream/state-paths.ts";

test.each([
  [
    "/backend-api/codex/alpha/notes/v2/read_file",
    { kind: "notes", operation: "read_file", isSearchable: true },
  ],
  ["/v1/alpha/notes/v2/thread_hint", { kind: "notes", operation: "thread_hint", isSearchable: true }],
  ["/alpha/notes/v2/write_file", { kind: "notes", operation: "write_file", isSearchable: false }],
  ["/alpha/notes/v3/unknown", { kind: "notes", operation: "unknown", isSearchable: false }],
  ["/backend-api/codex/alpha/history/v2/list_windows", { kind: "history", isSearchable: true }],
  ["/backend-api/files", { kind: "files", fileId: undefined, isSearchable: false }],
  ["/files/file_1/uploaded", { kind: "files", fileId: "file_1", isSearchable: true }],
] as const)("%s is about state that belongs to one account", (path, expected) => {
  expect(statePathOf(path)).toEqual(expected);
});

test.each([
  "/backend-api/codex/responses",
  "/backend-api/codex/alpha/search",
  "/backend-api/codex/alpha/notes/v2/",
  "/backend-api/ps/files",
])("%s is not", (path) => {
  expect(statePathOf(path)).toBeUndefined();
});
