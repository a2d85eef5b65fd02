// `codexlb status --watch` as a job of the shell: stopped, continued, in the background, ended while stopped.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type ExecutablePool, startExecutablePool } from "../support/executable-pool.ts";
import { until } from "../support/pool.ts";
import { GIVEN_BACK, noPanes, type Pane, TAKEN } from "../support/tmux.ts";
import { openShell, picture, WATCH } from "./watching.ts";

const why = noPanes();
if (why !== undefined) console.log(`skipped: codexlb status --watch as a job of a shell (${why})`);

describe.skipIf(why !== undefined)("status --watch", () => {
  let pool: ExecutablePool;
  beforeAll(async () => {
    pool = await startExecutablePool();
  });
  afterAll(() => pool[Symbol.asyncDispose]());

  test("Ctrl-Z restores the terminal, and fg shows the status again in the new size", async () => {
    using pane = await openShell(pool, 160);
    const before = await pane.modes();
    pane.line(WATCH);
    await pane.shows("alice@example.com");
    for (const [columns, email] of [
      [80, false],
      [160, true],
    ] as const) {
      pane.press("C-z");
      await pane.shows(/Stopped/);
      await pane.prompt();
      expect(pane.state()).toEqual(GIVEN_BACK);
      expect(await pane.modes()).toBe(before);
      pane.resize(columns, 24);
      pane.line("fg");
      await pane.shows(
        (lines) =>
          lines.some((line) => /^ *pool /.test(line)) &&
          lines.some((line) => line.includes("alice@example.com")) === email,
      );
      expect(pane.state()).toEqual(TAKEN);
    }
    pane.press("q");
    await pane.prompt();
    expect(await pane.run("true")).toBe(0);
    expect(pane.state()).toEqual(GIVEN_BACK);
    expect(await pane.modes()).toBe(before);
  });

  test("SIGTSTP stops it like Ctrl-Z, and fg shows the status and nothing else, also after SIGSTOP", async () => {
    using pane = await openShell(pool);
    const before = await pane.modes();
    const file = join(pool.tool.directory, "pid-stop");
    pane.line(`sh -c 'echo $$ > ${file}; exec ${WATCH}'`);
    await picture(pane);
    const pid = Number(readFileSync(file, "utf8"));
    process.kill(pid, "SIGTSTP");
    await pane.shows(/Stopped/);
    await pane.prompt();
    expect(pane.state()).toEqual(GIVEN_BACK);
    pane.line("fg");
    await picture(pane);
    process.kill(pid, "SIGSTOP");
    await pane.shows(/Stopped/);
    pane.line("fg");
    await pane.shows((lines) => !lines.some((line) => /Stopped/.test(line)));
    pane.press("q");
    await pane.shows(/Stopped/);
    await pane.prompt();
    expect(pane.state()).toEqual(GIVEN_BACK);
    expect(await pane.modes()).toBe(before);
  });

  /** Resolves when the shell has no running job. */
  const stopped = (pane: Pane) =>
    until("it is stopped", async () => (await pane.run('test -z "$(jobs -r)"')) === 0, 45_000);

  test("in the background it draws nothing until it comes to the foreground", async () => {
    using pane = await openShell(pool);
    pane.line(`${WATCH} &`);
    await pane.shows(/\[1\] \d+/);
    await stopped(pane);
    expect(pane.state()).toEqual(GIVEN_BACK);
    pane.line("fg");
    await picture(pane);
    pane.press("q");
    await pane.prompt();
    expect(pane.state()).toEqual(GIVEN_BACK);
  });

  test("it can be ended while it is stopped", async () => {
    using pane = await openShell(pool);
    const before = await pane.modes();
    const started = async () => {
      pane.line("clear");
      pane.line(WATCH);
      await picture(pane);
      pane.press("C-z");
      await pane.prompt();
    };
    const ended = async () => {
      await stopped(pane);
      expect(await pane.run("kill %%")).toBe(0);
      await until("it has ended", async () => (await pane.run('test -z "$(jobs -p)"')) === 0, 45_000);
      expect(pane.state()).toEqual(GIVEN_BACK);
    };
    await started();
    await ended();
    expect(await pane.modes()).toBe(before);
    await started();
    pane.line("bg");
    await ended();
    expect(await pane.modes()).toBe(before);
    // Do not compare the modes: at exit, Bun restores those of its start, which may be those of the shell's editor.
    pane.line(`${WATCH} &`);
    await ended();
  });

  test("Ctrl-Z does not stop it if no shell could continue it", async () => {
    using pane = await openShell(pool);
    pane.line(`exec ${WATCH}`);
    await pane.shows(/^\*[>›]bob +P .*#/);
    pane.press("C-z");
    pane.resize(40, 24);
    await pane.shows(/^\*[>›]bob +P +ready +80% +\d+%$/);
    await until("it has the screen again", () => pane.state().alternate, 45_000);
  });
});
