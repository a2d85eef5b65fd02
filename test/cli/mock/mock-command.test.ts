// `codexlb mock`: what it prints when it starts.

import { expect, test } from "bun:test";
import { join } from "node:path";

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
