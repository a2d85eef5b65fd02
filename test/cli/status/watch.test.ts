// Errors of `codexlb status --watch` before it changes the terminal. test/terminal tests its screen.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { runCli } from "../../support/cli.ts";
import { type TempDirectory, tempDirectory } from "../../support/temp.ts";

let temp: TempDirectory;
beforeAll(() => {
  temp = tempDirectory();
});
afterAll(() => temp[Symbol.dispose]());

const watch = (args: readonly string[], terminal?: number, env: Record<string, string> = {}) =>
  runCli(["status", "--watch", ...args], {
    cwd: temp.path,
    env,
    ...(terminal === undefined ? {} : { terminal }),
  });

test.each([
  [["--json"], "codexlb: status flags --watch and --json are mutually exclusive\n"],
  [["--short"], "codexlb: status flags --watch and --short are mutually exclusive\n"],
  [
    ["--interval", "499ms"],
    "codexlb: flag --interval must be from 500ms to 1h, not 499ms\n  write it as 2s or 1m\n",
  ],
  [["--interval", "0"], "codexlb: flag --interval must be from 500ms to 1h, not 0\n"],
  [["--interval", "2h"], "codexlb: flag --interval must be from 500ms to 1h, not 2h\n"],
  [["--interval", "often"], 'codexlb: flag --interval: "often" is not a duration\n'],
] as const)("%j is refused", async (args, message) => {
  const { code, out } = await watch(args, 80);
  expect(out).toStartWith(message);
  expect(code).toBe(2);
});

test("without a terminal it is refused", async () => {
  expect(await watch([])).toEqual({
    code: 2,
    out: "",
    err: "codexlb: status --watch requires a terminal\n  run codexlb status without --watch; scripts can use --json\n",
  });
});

test("an address that names no proxy is refused, without the full screen", async () => {
  const { code, out } = await watch(["--proxy-url", "ftp://127.0.0.1:1"], 80);
  const plain = await runCli(["status", "--proxy-url", "ftp://127.0.0.1:1"], { cwd: temp.path });
  expect({ code, err: out }).toEqual({ code: plain.code, err: plain.err });
  expect(code).toBe(2);
});
