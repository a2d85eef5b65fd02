import { expect, test } from "bun:test";
import { runPrefix, withoutRun } from "../../src/core/run-tag.ts";

const ID = "0123456789abcdef";

test("the prefix of a run is removed from the path", () => {
  for (const account of [undefined, "alice", "me+x@example.com", "openai:alice"])
    expect(withoutRun(`${runPrefix({ id: ID, account })}/backend-api/codex/responses`)).toEqual({
      run: { id: ID, account },
      path: "/backend-api/codex/responses",
    });
  for (const tags of [
    { tags: ["work"], only: false },
    { tags: ["work", "home-2"], only: true },
  ])
    expect(withoutRun(`${runPrefix({ id: ID, account: undefined, tags })}/run`)).toEqual({
      run: { id: ID, account: undefined, tags },
      path: "/run",
    });
  expect(runPrefix({ id: ID, account: "a;b" })).toBe(`/@${ID}:a%3Bb`);
  expect(runPrefix({ id: ID, account: "me+x@example.com" })).toBe(`/@${ID}:me%2Bx%40example.com`);
});

test.each([
  "/backend-api/codex/responses",
  "/@short/x",
  `/@${ID}`,
  `/@${ID}:/x`,
  `/@${ID}:%zz/x`,
  `/@${ID};tags=/x`,
  `/@${ID};tags=a b/x`,
  `/@${ID};other=a/x`,
  `/x/@${ID}/y`,
  `/@${ID.toUpperCase()}/x`,
])("%s is a path like any other", (path) => {
  expect(withoutRun(path)).toEqual({ run: undefined, path });
});
