import { afterAll, beforeAll, expect, test } from "bun:test";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { postToken } from "../../dashboard/browser.ts";
import { runCli } from "../../support/cli.ts";
import { startPool, type TestPool, until } from "../../support/pool.ts";
import { tempDirectory } from "../../support/temp.ts";

let pool: TestPool;
const temp = tempDirectory();
/** Where the pretended opener of the desktop writes the address that it gets. */
const opened = join(temp.path, "opened");
const programs = join(temp.path, "bin");

beforeAll(async () => {
  pool = await startPool({ accounts: [{ alias: "alice" }] });
  mkdirSync(programs);
  for (const name of ["xdg-open", "open"]) {
    writeFileSync(
      join(programs, name),
      `#!/bin/sh\nprintf %s "$1" > ${opened}.new && mv ${opened}.new ${opened}\n`,
    );
    chmodSync(join(programs, name), 0o755);
  }
});
afterAll(async () => {
  await pool[Symbol.asyncDispose]();
  temp[Symbol.dispose]();
});

const run = (args: readonly string[], env: Record<string, string> = {}) =>
  runCli(["dashboard", ...args], { cwd: temp.path, env: { CODEXLB_ROOT: pool.layout.root, ...env } });

const tokenIn = (link: string) => link.trim().slice(`${pool.url}/_/#`.length);

test("--print prints a link that works once", async () => {
  const { code, out, err } = await run(["--print"]);
  expect([code, err]).toEqual([0, "codexlb: the link works once, within 60 seconds\n"]);
  expect(out).toStartWith(`${pool.url}/_/#`);
  expect((await postToken(pool.url, tokenIn(out))).status).toBe(200);
  expect((await postToken(pool.url, tokenIn(out))).status).toBe(401);
});

test("--json prints the link and when it expires", async () => {
  const { code, out } = await run(["--json"]);
  const { url, expires_in_seconds } = JSON.parse(out) as { url: string; expires_in_seconds: number };
  expect([code, expires_in_seconds]).toEqual([0, 60]);
  expect((await postToken(pool.url, tokenIn(url))).status).toBe(200);
});

test("opens the link in the browser, and prints it too", async () => {
  const { code, out, err } = await run([], { PATH: `${programs}:${process.env.PATH}`, DISPLAY: ":99" });
  expect([code, err]).toEqual([
    0,
    "codexlb: opening it in the browser; the link works once, within 60 seconds\n",
  ]);
  await until("the opener ran", () => Bun.file(opened).exists());
  expect(readFileSync(opened, "utf8")).toBe(out.trim());
});

test.skipIf(process.platform !== "linux")("without a display, the user opens the link", async () => {
  const { code, out, err } = await run([]);
  expect([code, err]).toEqual([
    0,
    "codexlb: there is no display here; open it yourself: the link works once, within 60 seconds\n",
  ]);
  expect((await postToken(pool.url, tokenIn(out))).status).toBe(200);
});

test("asks a named proxy with the admin token, and is refused without", async () => {
  const root = join(temp.path, "elsewhere");
  const args = ["--print", "--root", root, "--proxy-url", pool.url];
  const { code, out } = await run([...args, "--admin-token", pool.adminToken]);
  expect(code).toBe(0);
  expect((await postToken(pool.url, tokenIn(out))).status).toBe(200);
  const refused = await run(args);
  expect([refused.code, refused.out]).toEqual([1, ""]);
  expect(refused.err).toContain("the admin API requires the admin token");
});

test("reports a proxy that cannot be reached", async () => {
  const { code, err } = await run(["--print", "--proxy-url", "http://127.0.0.1:1"]);
  expect(code).toBe(1);
  expect(err).toContain("http://127.0.0.1:1");
});
