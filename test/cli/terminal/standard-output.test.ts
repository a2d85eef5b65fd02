// Output that cannot be written.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { layoutOf } from "../../../src/state/layout.ts";
import { runCli } from "../../support/cli.ts";
import { daemonAnswers } from "../../support/daemon-answers.ts";
import { until } from "../../support/pool.ts";
import { type TempDirectory, tempDirectory } from "../../support/temp.ts";

const MAIN = join(import.meta.dir, "..", "..", "..", "src", "main.ts");

let temp: TempDirectory;
beforeAll(() => {
  temp = tempDirectory();
});
afterAll(() => temp[Symbol.dispose]());

/** Runs `script` in a shell, in which `"$@"` is the program. */
async function inShell(script: string, root: string) {
  const child = Bun.spawn(["bash", "-c", script, "bash", process.execPath, MAIN], {
    env: { PATH: process.env.PATH ?? "", HOME: temp.path, CODEXLB_ROOT: root },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { code, out, err };
}

const FULL = "codexlb: writing to standard output: no space left on the disk";

describe.skipIf(process.platform !== "linux")("a full disk", () => {
  test.each([
    "help",
    "--version",
    "man",
    "config show",
    "account list",
    "key list",
    "run --command",
    "completions zsh",
  ])("is reported by codexlb %s", async (words) => {
    const ran = await inShell(`"$@" ${words} > /dev/full`, join(temp.path, "none"));
    expect([words, ran.code]).toEqual([words, 1]);
    expect(ran.err).toContain(FULL);
  });

  test("removes the key that could not be printed", async () => {
    const root = join(temp.path, "keys");
    mkdirSync(root, { mode: 0o700 });
    const ran = await inShell('"$@" key add full > /dev/full', root);
    expect(ran.code).toBe(1);
    expect(ran.err).toStartWith(FULL);
    // Only the message and its next step: the key was removed without another error.
    expect(ran.err.trim().split("\n").slice(1)).toEqual([
      "  check where the output goes, and whether there is room",
    ]);
    const listed = await runCli(["key", "list", "--root", root], { cwd: temp.path });
    expect(listed.out).toBe("no keys\n");
  });
});

test.each(["> /dev/null", ">&-"])(
  "codexlb key add %s keeps no key, because it could not be read",
  async (where) => {
    const root = join(temp.path, "unread");
    mkdirSync(root, { recursive: true, mode: 0o700 });
    const ran = await inShell(`"$@" key add lost ${where}`, root);
    expect(ran).toEqual({
      code: 1,
      out: "",
      err: "codexlb: writing to standard output: it goes to /dev/null, and this output is shown only once\n  run the command in a terminal, or redirect its output to a file\n",
    });
    const listed = await runCli(["key", "list", "--root", root], { cwd: temp.path });
    expect(listed.out).toBe("no keys\n");
  },
);

if (process.platform !== "linux") console.log("skipped: a full disk (/dev/full is on Linux only)");

describe.skipIf(process.platform !== "linux")("a full disk behind standard error", () => {
  test.each([
    ["statsu", 2],
    ["status --bogus", 2],
    ["account rm dave", 1],
    ["--version", 0],
    // Its warning that the root does not exist cannot be written.
    ["account list", 0],
  ] as const)("does not change the exit code of codexlb %s", async (words, code) => {
    const root = join(temp.path, "none-2");
    expect((await inShell(`"$@" ${words} 2> /dev/full > /dev/null`, root)).code).toBe(code);
    // With both streams on a full disk, the command still ends.
    expect((await inShell(`"$@" ${words} 2> /dev/full > /dev/full`, root)).code).toBe(code || 1);
  });

  test("does not keep the proxy from serving and stopping", async () => {
    const root = join(temp.path, "serving");
    mkdirSync(root);
    writeFileSync(join(root, "config.toml"), '[proxy]\nlisten = "127.0.0.1:0"\n');
    const child = Bun.spawn(
      ["bash", "-c", 'exec "$@" proxy 2> /dev/full > /dev/full', "bash", process.execPath, MAIN],
      { env: { PATH: process.env.PATH ?? "", HOME: temp.path, CODEXLB_ROOT: root }, stdin: "ignore" },
    );
    await until("it serves", () => daemonAnswers(layoutOf(root).adminSocket), 20_000);
    child.kill("SIGHUP");
    child.kill("SIGTERM");
    expect(await child.exited).toBe(0);
  });
});

describe("a closed pipe", () => {
  // doctor writes line by line, so a reader of the first line may close the pipe only after the last one is written.
  test.each([
    ["doctor", "true", 0],
    ["man", "head -1", 1],
  ])("ends codexlb %s silently", async (words, reader, lines) => {
    const root = join(temp.path, "empty");
    mkdirSync(root, { recursive: true, mode: 0o700 });
    const ran = await inShell(`"$@" ${words} | ${reader}; echo "\${PIPESTATUS[0]}" >&2`, root);
    expect(ran.out.split("\n").length).toBe(lines + 1);
    expect(ran.err).toBe("0\n");
  });

  test("ends proxy logs --follow", async () => {
    const root = join(temp.path, "followed");
    mkdirSync(join(root, "logs"), { recursive: true });
    const log = join(root, "logs", "proxy.current.jsonl");
    writeFileSync(log, '{"type":"first"}\n');
    const child = Bun.spawn([process.execPath, MAIN, "proxy", "logs", "--follow", "--interval", "10ms"], {
      env: { PATH: process.env.PATH ?? "", HOME: temp.path, CODEXLB_ROOT: root },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const reader = child.stdout.getReader();
    expect(new TextDecoder().decode((await reader.read()).value)).toBe('{"type":"first"}\n');
    await reader.cancel();
    // `cancel` may close the pipe later. A line that is written before that arrives nowhere, and reports no error.
    const writing = setInterval(() => appendFileSync(log, '{"type":"next"}\n'), 10);
    try {
      expect(await child.exited).toBe(0);
    } finally {
      clearInterval(writing);
    }
    expect(await child.stderr.text()).toBe("");
  });
});
