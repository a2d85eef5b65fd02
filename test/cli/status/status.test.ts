// `codexlb status` on terminals and in pipes: who gets the frame, and how it is drawn.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { hasUtf8 } from "../../../src/cli/terminal/glyphs.ts";
import { runCli } from "../../support/cli.ts";
import { startPool, type TestPool, until } from "../../support/pool.ts";
import { type TempDirectory, tempDirectory } from "../../support/temp.ts";

let temp: TempDirectory;
let pool: TestPool;
beforeAll(async () => {
  temp = tempDirectory();
  pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
  await until("figures are known", async () =>
    (await pool.status()).accounts.every(({ daily_left_pct }) => daily_left_pct >= 0),
  );
});
afterAll(async () => {
  await pool[Symbol.asyncDispose]();
  temp[Symbol.dispose]();
});

const status = (args: readonly string[], terminal?: number, env: Record<string, string> = {}) =>
  runCli(["status", "--proxy-url", pool.url, ...args], {
    cwd: temp.path,
    env,
    ...(terminal === undefined ? {} : { terminal }),
  });

test.each([
  [{}, false],
  [{ LANG: "C" }, false],
  [{ LANG: "en_US.UTF-8" }, true],
  [{ LANG: "C.utf8" }, true],
  [{ LC_CTYPE: "UTF-8", LANG: "C" }, true],
  [{ LC_ALL: "C", LC_CTYPE: "UTF-8", LANG: "C.UTF-8" }, false],
  [{ LC_ALL: "", LANG: "C.UTF-8" }, true],
] as const)("the locale %j has UTF-8: %p", (env, expected) => {
  expect(hasUtf8(env)).toBe(expected);
});

test("the locale decides the bars, and NO_COLOR the colours", async () => {
  for (const [env, bar, isColoured] of [
    [{}, "#", true],
    [{ LANG: "C.UTF-8" }, "█", true],
    [{ LANG: "C.UTF-8", NO_COLOR: "1" }, "█", false],
  ] as const) {
    const { out } = await status([], 120, env);
    expect(out).toContain(bar.repeat(6));
    expect([env, out.includes("\u001b[")]).toEqual([env, isColoured]);
  }
});

test("COLUMNS takes precedence over the width of the terminal", async () => {
  const { out } = await status([], 200, { COLUMNS: "60", NO_COLOR: "1" });
  expect(Math.max(...out.split("\n").map((line) => line.length))).toBeLessThanOrEqual(60);
  expect(out).toMatch(/^ {2}alice .* ready /m);
});

test("a pipe gets the table for scripts, whatever the locale is", async () => {
  const plain = await status([]);
  expect(plain.out).toStartWith("ACTIVE  PROXY ");
  expect(plain.out).not.toContain("FIGURES");
  expect((await status([], undefined, { LANG: "C.UTF-8", TERM: "xterm-256color" })).out).toBe(plain.out);
  expect((await status([], undefined, { COLUMNS: "80" })).out).toMatch(/^> alice @ /m);
});

test("--wide adds the proxy, the score and the figures", async () => {
  expect((await status(["--wide"], 200, { NO_COLOR: "1" })).out).toMatch(/ PROXY +SCORE +FIGURES$/m);
  expect((await status(["--wide"])).out).toMatch(/^ACTIVE .* SCORE +FIGURES$/m);
  for (const other of ["--json", "--short"])
    expect(await status(["--wide", other])).toEqual({
      code: 2,
      out: "",
      err: `codexlb: status flags --wide and ${other} are mutually exclusive\n  leave one of them out\n`,
    });
});

test("without accounts a pipe gets the fact, and stderr the next step", async () => {
  await using empty = await startPool({ accounts: [] });
  const run = (...args: readonly string[]) =>
    runCli(args, {
      cwd: temp.path,
      env: { CODEXLB_PROXY_URL: empty.url, CODEXLB_ADMIN_TOKEN: empty.adminToken },
    });
  for (const command of [["status"], ["explain"], ["account", "list"], ["account", "list", "--tree"]])
    expect([command, await run(...command)]).toEqual([
      command,
      {
        code: 0,
        out: "no accounts\n",
        err: "codexlb: add one with: codexlb account login ALIAS\n",
      },
    ]);
  for (const command of [
    ["status", "--json"],
    ["account", "list", "--json"],
  ])
    expect([command, (await run(...command)).err]).toEqual([command, ""]);
});

test("explain warns of tags that no account has", async () => {
  await using tagged = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
  await tagged.accounts.set("bob", { options: { tags: ["work"] } });
  const explain = async (...args: readonly string[]) =>
    (await runCli(["explain", "--root", tagged.layout.root, ...args], { cwd: temp.path })).err;
  const next = `tag one with: codexlb account set --root ${tagged.layout.root} ALIAS --tag nosuch`;
  expect(await explain("--tag", "nosuch,work")).toBe("");
  expect(await explain("--tag", "nosuch")).toBe(
    `codexlb: warning: no account of this proxy has the tag nosuch, so any account serves; ${next}\n`,
  );
  expect(await explain("--tag", "nosuch", "--only", "--json")).toBe(
    `codexlb: warning: no account of this proxy has the tag nosuch, so none serves a run with --only; ${next}\n`,
  );
});
