// Which runs that bypassed the proxy are worth a notification.

import { expect, test } from "bun:test";
import { bypassReport, type EndedRun } from "../../../src/cli/run/tagged-run.ts";

const RUN: EndedRun = {
  proxyUrl: "http://127.0.0.1:1",
  args: ["exec", "x"],
  traffic: { requests: 0, turns: 0 },
  failure: undefined,
  provider: undefined,
  dotenv: undefined,
};

test.each([
  ["a run without any request", {}, true],
  ["a run without a turn", { traffic: { requests: 3, turns: 0 } }, true],
  ["another provider in the settings", { provider: { name: "azure", path: "/c" } }, true],
  ["another provider that the user chose", { args: ["-c", "model_provider=x", "exec", "x"] }, false],
  ["another address that the user chose", { args: ["-c", "openai_base_url=http://x", "exec", "x"] }, false],
  ["a local model", { args: ["--oss", "exec", "x"] }, false],
  ["a Codex that failed early", { failure: "with code 1" }, false],
  ["a run with turns", { traffic: { requests: 3, turns: 1 } }, undefined],
  ["a command without turns", { args: ["--version"] }, undefined],
] as const)("%s", (_, fields, isUnexpected) => {
  expect(bypassReport({ ...RUN, ...fields })?.isUnexpected).toBe(isUnexpected);
});
