// `codexlb run` gives the whole terminal to the program: keys, sizes and signals reach it, and codexlb ends like it.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Executable, executable } from "../support/executable.ts";
import { until } from "../support/pool.ts";
import { GIVEN_BACK, noPanes, openPane, TAKEN } from "../support/tmux.ts";

const PROGRAM = join(import.meta.dir, "full-screen.ts");
const why = noPanes();
if (why !== undefined) console.log(`skipped: codexlb run in a terminal (${why})`);

let tool: Executable;

beforeAll(() => {
  tool = executable();
});
afterAll(() => tool[Symbol.dispose]());

describe.skipIf(why !== undefined).each([false, true])("run, with inherit_shell %p", (inheritShell) => {
  let codex: string;
  let root: string;

  beforeAll(() => {
    codex = join(tool.directory, "codex");
    writeFileSync(codex, `#!/bin/sh\nexec '${process.execPath}' '${PROGRAM}' "$@"\n`);
    chmodSync(codex, 0o755);
    root = join(tool.directory, `root-${inheritShell}`);
    mkdirSync(root);
    writeFileSync(join(root, "config.toml"), `[run]\ninherit_shell = ${inheritShell}\n`);
  });

  const open = () =>
    openPane({
      columns: 80,
      rows: 24,
      cwd: tool.directory,
      env: { ...tool.env(), CODEXLB_ROOT: root, CODEXLB_CODEX_BIN: codex, SHELL: Bun.which("bash") ?? "" },
    });
  // There is no proxy, and run must not start one. With --version Codex sends no turn, so it starts without a proxy.
  const command = (mode: "full" | "cooked") =>
    `./codexlb run --proxy-url http://127.0.0.1:1 --version ${mode}`;
  test("keys arrive one by one, including Ctrl-C, and so do changes of the size", async () => {
    using pane = await open();
    const code = pane.start(command("full"));
    await pane.shows("size 80x24");
    expect(pane.state()).toEqual(TAKEN);
    for (const [key, shown] of [
      ["a", 'key "a"'],
      ["Up", 'key "\\u001b[A"'],
      ["C-c", 'key "\\u0003"'],
      ["Enter", 'key "\\r"'],
      ["b", 'key "b"'],
    ] as const) {
      pane.press(key);
      await pane.shows(shown);
    }
    pane.resize(100, 30);
    await pane.shows("size 100x30");
    pane.resize(60, 20);
    const lines = await pane.shows("size 60x20");
    expect(lines.some((line) => line.includes("signal"))).toBe(false);
    pane.press("7");
    expect(await code()).toBe(7);
    expect(pane.state()).toEqual(GIVEN_BACK);
  });

  test("Ctrl-C in a cooked terminal is a signal for the program, and codexlb waits for it", async () => {
    using pane = await open();
    const code = pane.start(command("cooked"));
    await pane.shows(/^cooked$/);
    pane.press("C-c");
    await pane.shows("signal 2");
    pane.line("still here");
    await pane.shows("line still here");
    pane.line("end");
    expect(await code()).toBe(7);
  });

  test("Ctrl-Z stops both, fg continues them, and the program gets the new size", async () => {
    using pane = await open();
    const before = await pane.modes();
    pane.line(command("full"));
    await pane.shows("size 80x24");
    for (const [columns, rows] of [
      [100, 30],
      [80, 24],
    ] as const) {
      pane.press("C-z");
      await pane.shows(/Stopped/);
      await pane.prompt();
      expect(pane.state()).toEqual(GIVEN_BACK);
      expect(await pane.modes()).toBe(before);
      // No process of the group is running.
      expect(await pane.run('test -z "$(jobs -r)"')).toBe(0);
      pane.resize(columns, rows);
      pane.line("fg");
      await pane.shows(`size ${columns}x${rows}`);
      await pane.shows("continued");
    }
    pane.press("7");
    await pane.prompt();
    expect(await pane.run("true")).toBe(0);
    expect(await pane.modes()).toBe(before);
  });

  test.each([
    ["their shell", "kill %%"],
    // The number of the job is that of codexlb, which must forward the signal.
    ["a signal to codexlb only", 'pid=$(jobs -p); kill -TERM "$pid"; kill -CONT "$pid"'],
  ])("while they are stopped %s can end both", async (_who, words) => {
    using pane = await open();
    const before = await pane.modes();
    pane.line(command("full"));
    await pane.shows("size 80x24");
    pane.press("C-z");
    await pane.shows(/Stopped/);
    await pane.prompt();
    expect(await pane.run(words)).toBe(0);
    await until("they have ended", async () => (await pane.run('test -z "$(jobs -p)"')) === 0, 45_000);
    expect(pane.state()).toEqual(GIVEN_BACK);
    expect(await pane.modes()).toBe(before);
  });

  test("SIGINT and SIGQUIT sent to codexlb only reach a program in raw mode", async () => {
    using pane = await open();
    const code = pane.start(command("full"));
    const lines = await pane.shows(/^size 80x24 under \d+$/);
    const pid = Number(
      lines.map((line) => /under (\d+)$/.exec(line)?.[1]).find((word) => word !== undefined),
    );
    process.kill(pid, "SIGINT");
    await pane.shows("signal 2");
    process.kill(pid, "SIGQUIT");
    expect(await code()).toBe(131);
    expect(await pane.run("stty sane")).toBe(0);
  });

  test.each([
    ["7", 7],
    ["t", 143],
    ["k", 137],
  ] as const)("the key %s ends the program, and the shell gets %d", async (key, expected) => {
    using pane = await open();
    const code = pane.start(command("full"));
    await pane.shows("size 80x24");
    pane.press(key);
    expect(await code()).toBe(expected);
  });
});
