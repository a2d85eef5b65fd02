// `codexlb mock`: what it prints when it starts.

import { expect, test } from "bun:test";
import { join } from "node:path";
import { tempDirectory } from "../../support/temp.ts";

const MAIN = join(import.meta.dir, "..", "..", "..", "src", "main.ts");

test("a mock serves on after a program has read its first lines and closed the pipe", async () => {
  const mock = Bun.spawn([process.execPath, MAIN, "mock", "--port", "0", "--accounts", "alice:3"], {
    env: { PATH: process.env.PATH ?? "" },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  try {
    const reader = mock.stdout.getReader();
    // One write, so one read has it whole: a second write would end the mock.
    const text = new TextDecoder().decode((await reader.read()).value);
    await reader.cancel();
    expect(text).toContain("\n  accounts:  alice (3 turns)\n");
    const [, requests = ""] = /received requests: GET (\S+)\n$/.exec(text) ?? [];
    expect((await fetch(requests)).status).toBe(200);
  } finally {
    mock.kill("SIGTERM");
  }
  expect(await mock.exited).toBe(0);
});

test("the first lines say how to add the accounts, including those with an API key", async () => {
  using temp = tempDirectory();
  const accounts = "openai:5:key=sk-test,alice:3";
  const argv = [MAIN, "mock", "--port", "0", "--accounts", accounts, "--homes", temp.path];
  const mock = Bun.spawn([process.execPath, ...argv], {
    env: { PATH: process.env.PATH ?? "" },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  try {
    const text = new TextDecoder().decode((await mock.stdout.getReader().read()).value);
    expect(text).toContain(`\n  import:    codexlb account import --from ${temp.path}/alice\n`);
    expect(text).toMatch(
      /\n {2}API key: {3}echo sk-test \| codexlb account add-key openai --key-stdin --monthly-cap 20usd --base-url http:\/\/127\.0\.0\.1:\d+\/v1\n/,
    );
  } finally {
    mock.kill("SIGTERM");
  }
  expect(await mock.exited).toBe(0);
});
