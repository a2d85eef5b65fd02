// `codexlb status --watch` of the compiled executable in real terminals: its screen, and the restored terminal after
// it.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ExecutablePool, startExecutablePool } from "../support/executable-pool.ts";
import { GIVEN_BACK, noPanes, TAKEN } from "../support/tmux.ts";
import { openShell, picture, WATCH } from "./watching.ts";

const why = noPanes();
if (why !== undefined) console.log(`skipped: codexlb status --watch in a terminal (${why})`);

describe.skipIf(why !== undefined)("status --watch", () => {
  let pool: ExecutablePool;
  beforeAll(async () => {
    pool = await startExecutablePool();
  });
  afterAll(() => pool[Symbol.asyncDispose]());

  for (const [columns, email] of [
    [80, false],
    [160, true],
  ] as const)
    test(`shows the pool on ${columns} columns, follows the size of the terminal, and q restores the terminal`, async () => {
      using pane = await openShell(pool, columns);
      const before = await pane.modes();
      pane.line("echo what was here");
      await pane.shows(/^what was here$/);
      const code = pane.start(WATCH);
      const lines = await pane.shows(/^\*[>›]bob +P .* 80% /);
      expect(pane.state()).toEqual(TAKEN);
      expect(lines.join("\n")).toContain("policy usage_balanced");
      expect(lines.join("\n")).toMatch(/updated \d\d:\d\d:\d\d/);
      expect(lines.find((line) => line.startsWith("*>bob"))).toMatch(
        / ready +80% #+-+ \S+.* {1,2}\d+% #+-* /,
      );
      expect(lines.find((line) => / carol /.test(line))).toContain("disabled by you");
      expect(lines.some((line) => line.includes("alice@example.com"))).toBe(email);
      expect(lines.some((line) => line.includes("what was here"))).toBe(false);

      // Narrow: still one line per account; nothing of the larger frame stays, and nothing wraps.
      pane.resize(60, 30);
      const narrow = await pane.shows((shown) =>
        shown.some((line) => line.startsWith("*>bob") && !line.includes("#")),
      );
      expect(narrow.filter((line) => line.includes("%"))).toHaveLength(4);
      expect(narrow.filter((line) => line.includes("#"))).toEqual([]);
      pane.resize(columns, 5);
      await pane.shows(/^and 2 more$/);
      pane.resize(columns, 24);
      await pane.shows(
        (shown) => shown.some((line) => /disabled/.test(line)) && !shown.some((line) => /more$/.test(line)),
      );

      pane.press("Up", "x");
      pane.press("q");
      expect(await code()).toBe(0);
      expect(pane.state()).toEqual(GIVEN_BACK);
      expect(await pane.modes()).toBe(before);
      const after = pane.screen();
      expect(after).toContain("what was here");
      expect(after.some((line) => line.includes("updated"))).toBe(false);
    });

  for (const [key, expected] of [
    ["C-c", 130],
    ["Escape", 0],
  ] as const)
    test(`${key} ends it with ${expected}`, async () => {
      using pane = await openShell(pool);
      const before = await pane.modes();
      const code = pane.start(WATCH);
      await picture(pane);
      pane.press(key);
      expect(await code()).toBe(expected);
      expect(pane.state()).toEqual(GIVEN_BACK);
      expect(await pane.modes()).toBe(before);
    });

  for (const [signal, expected] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const)
    test(`${signal} ends it with ${expected}`, async () => {
      using pane = await openShell(pool);
      const before = await pane.modes();
      const file = join(pool.tool.directory, `pid-${signal}`);
      const code = pane.start(`sh -c 'echo $$ > ${file}; exec ${WATCH}'`);
      await picture(pane);
      process.kill(Number(readFileSync(file, "utf8")), signal);
      expect(await code()).toBe(expected);
      expect(pane.state()).toEqual(GIVEN_BACK);
      expect(await pane.modes()).toBe(before);
    });

  test("there are no colours if the user does not want them", async () => {
    for (const [env, styled] of [
      ["", true],
      ["NO_COLOR=1 ", false],
    ] as const) {
      using pane = await openShell(pool);
      pane.line(env + WATCH);
      await picture(pane);
      expect([env, pane.isStyled()]).toEqual([env, styled]);
    }
  });

  test("the bars are drawn with Unicode only where the locale has UTF-8", async () => {
    for (const [locale, bars] of [
      ["LC_ALL=C.UTF-8", /^\*[>›]bob .*█+░/],
      ["LC_ALL=C LANG=C.UTF-8", /^\*[>›]bob .*#+-/],
    ] as const) {
      using pane = await openShell(pool);
      pane.line(`${locale} ${WATCH}`);
      await pane.shows(bars);
    }
  });

  test("while the proxy does not answer, the last status stays, marked as old, and then continues", async () => {
    using pane = await openShell(pool);
    const code = pane.start(WATCH);
    await picture(pane);
    process.kill(pool.proxy().pid, "SIGSTOP");
    const frozen = await pane.shows(/^! \d+s old: /);
    expect(frozen.some((line) => /^ *pool .*%/.test(line))).toBe(true);
    process.kill(pool.proxy().pid, "SIGCONT");
    await pane.shows((lines) => !lines.some((line) => line.startsWith("!")));
    await pool.stopProxy();
    const gone = await pane.shows(/^! \d+s old: .*connection refused/);
    expect(gone.some((line) => /^ *pool .*%/.test(line))).toBe(true);
    // The new proxy is on another port, so the command must look up its address.
    await pool.startProxy();
    const back = await pane.shows((lines) => !lines.some((line) => line.startsWith("!")));
    expect(back.join("\n")).toContain(pool.proxy().url);
    pane.press("q");
    expect(await code()).toBe(0);
  });

  test("an uncaught error is reported on the restored terminal", async () => {
    using pane = await openShell(pool);
    const before = await pane.modes();
    const script = join(pool.tool.directory, "fails.ts");
    const screen = join(import.meta.dir, "..", "..", "src", "cli", "terminal", "screen.ts");
    writeFileSync(
      script,
      `import { openScreen } from ${JSON.stringify(screen)};
let painted = 0;
const paint = () => {
  if (painted++ > 0) throw new Error("no more paint");
  return ["one picture"];
};
const screen = openScreen(paint, () => {});
process.stdin.once("data", () => screen.redraw());
try {
  await screen.ended;
} catch (error) {
  screen.close();
  console.error(error.message);
  process.exit(9);
}
`,
    );
    const code = pane.start(`'${process.execPath}' ${script}`);
    await pane.shows(/^one picture$/);
    expect(pane.state()).toEqual(TAKEN);
    pane.press("x");
    expect(await code()).toBe(9);
    await pane.shows(/^no more paint$/);
    expect(pane.state()).toEqual(GIVEN_BACK);
    expect(await pane.modes()).toBe(before);
  });
});
