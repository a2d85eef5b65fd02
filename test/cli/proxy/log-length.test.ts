// How many lines `codexlb proxy logs` prints.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runCli } from "../../support/cli.ts";
import { type TempDirectory, tempDirectory } from "../../support/temp.ts";

/** More than the proxy and the command read at a time. */
const LINES = 1_234;

let temp: TempDirectory;
beforeAll(() => {
  temp = tempDirectory();
  mkdirSync(join(temp.path, "logs"), { recursive: true });
  const lines = Array.from(
    { length: LINES },
    (_, index) => `{"event":"line","fields":{"number":${index}}}\n`,
  );
  writeFileSync(join(temp.path, "logs", "proxy.current.jsonl"), lines.join(""));
});
afterAll(() => temp[Symbol.dispose]());

async function logs(...args: string[]) {
  return runCli(["proxy", "logs", ...args], { cwd: temp.path, env: { CODEXLB_ROOT: temp.path } });
}

test.each([
  [["--tail", "0"], LINES],
  [["--tail", "0", "--limit", "7"], LINES],
  [["--tail", "1000"], 1_000],
  [[], 100],
])("%p prints %d lines, the last of them the newest", async (args, count) => {
  const lines = (await logs(...args)).out.trimEnd().split("\n");
  expect(lines.length).toBe(count);
  expect(lines.at(-1)).toContain(`"number":${LINES - 1}}`);
});

test("a negative --tail is refused", async () => {
  expect(await logs("--tail=-5")).toMatchObject({
    code: 2,
    err: "codexlb: --tail must not be negative\n  give a number of lines, or 0 for all\n",
  });
});
