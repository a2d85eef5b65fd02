import { describe, expect, test } from "bun:test";
import {
  backendPath,
  isAccountsCheckPath,
  isStreamedTurnPath,
  isTurnPath,
  isUsagePath,
} from "../../src/upstream/paths.ts";

describe("a client's path on the backend", () => {
  const TABLE: [string, string, string][] = [
    ["/backend-api", "/responses", "/backend-api/codex/responses"],
    ["/backend-api", "/v1/responses/compact", "/backend-api/codex/responses/compact"],
    ["/backend-api", "/responses/resp_AbC", "/backend-api/codex/responses/resp_AbC"],
    ["/backend-api", "/backend-api/codex/responses", "/backend-api/codex/responses"],
    ["/backend-api", "/codex/models", "/backend-api/codex/models"],
    ["/backend-api", "/models", "/backend-api/codex/models"],
    ["/backend-api", "/v1/models", "/backend-api/codex/models"],
    ["/backend-api", "/v1/images/generations", "/backend-api/codex/images/generations"],
    ["/backend-api", "/v1/alpha/search", "/backend-api/codex/alpha/search"],
    ["/backend-api", "/v1/chat/completions", "/backend-api/codex/responses"],
    ["/backend-api", "/api/codex/apps/oauth/Register", "/backend-api/wham/apps/oauth/Register"],
    ["/backend-api", "/wham/usage", "/backend-api/wham/usage"],
    ["/backend-api/", "/backend-api/ps/mcp", "/backend-api/ps/mcp"],
    ["/backend-api", "/responsesX", "/backend-api/responsesX"],
    ["/backend-api", "//connectors/directory/list", "/backend-api//connectors/directory/list"],
    ["/backend-api/codex", "/responses", "/backend-api/codex/responses"],
    ["/other", "/responses", "/other/responses"],
    ["/", "/responses", "/responses"],
    ["", "/x/y", "/x/y"],
  ];
  for (const [base, path, expected] of TABLE)
    test(`${path} below ${base || "nothing"} is ${expected}`, () => {
      expect(backendPath(base, path)).toBe(expected);
    });
});

test("the paths of turns are recognised in every spelling, and no others are", () => {
  const turns = [
    "/responses",
    "/v1/responses",
    "/responses/compact",
    "/backend-api/codex/responses",
    "/s3cret/backend-api/codex/responses",
    "/v1/chat/completions",
  ];
  for (const path of turns) expect([path, isTurnPath(path)]).toEqual([path, true]);
  for (const path of [
    "/responsesX",
    "/v1/responsesX",
    "/backend-api/wham/usage",
    "/backend-api/codex/models",
    "/",
  ])
    expect([path, isTurnPath(path)]).toEqual([path, false]);
  expect(isStreamedTurnPath("/responses/compact")).toBe(false);
  expect(isStreamedTurnPath("/backend-api/codex/responses")).toBe(true);
});

test("the paths of usage and account requests are recognised in every spelling", () => {
  for (const path of [
    "/backend-api/wham/accounts/check",
    "/x/wham/accounts/check",
    "/api/codex/accounts/check",
  ])
    expect(isAccountsCheckPath(path)).toBe(true);
  expect(isAccountsCheckPath("/backend-api/wham/accounts/check/x")).toBe(false);
  expect(isUsagePath("/backend-api/wham/usage")).toBe(true);
  expect(isUsagePath("/backend-api/wham/usage/thread-estimates/query")).toBe(false);
});
