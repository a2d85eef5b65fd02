// `codexlb wait` with a whole proxy: its exit codes, and what it prints.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { createSseClient } from "../../../src/mock/client.ts";
import { runCli } from "../../support/cli.ts";
import { startPool, type TestPool } from "../../support/pool.ts";
import { type TempDirectory, tempDirectory } from "../../support/temp.ts";

let temp: TempDirectory;
let pool: TestPool;
beforeEach(async () => {
  temp = tempDirectory();
  pool = await startPool({ accounts: [{ alias: "alice", turns: 1 }, { alias: "bob" }] });
  await pool.accounts.serve("bob", "disable");
});
afterEach(async () => {
  await pool[Symbol.asyncDispose]();
  temp[Symbol.dispose]();
});

const wait = (...args: readonly string[]) =>
  runCli(["wait", "--proxy-url", pool.url, ...args], { cwd: temp.path });

async function exhaustAlice(): Promise<void> {
  const client = createSseClient(pool.url, "s");
  await client.turn("one");
  await client.turn("two").catch(() => {});
}

test("a pool that can serve ends the wait immediately, without any output", async () => {
  expect(await wait()).toEqual({ code: 0, out: "", err: "" });
  for (const account of [[], ["--account", "ALICE"]]) {
    const { code, out } = await wait("--json", ...account);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual({
      outcome: "ready",
      account: "alice",
      waited_seconds: expect.any(Number),
    });
  }
});

test("the timeout has exit code 3, and the reset is named on standard error", async () => {
  await exhaustAlice();
  const { code, out, err } = await wait("--timeout", "10ms", "--json");
  expect(code).toBe(3);
  expect(JSON.parse(out)).toEqual({
    outcome: "timeout",
    why: expect.stringContaining("1 of 2 accounts has reached a limit, 1 is disabled by you"),
    waited_seconds: expect.any(Number),
  });
  expect(err).toContain(
    "codexlb: waiting: 1 of 2 accounts has reached a limit, 1 is disabled by you; the first is back",
  );
  expect(err).toContain("codexlb: timed out after 10ms");
});

test("a timeout of 0 checks once, and a negative one is refused", async () => {
  await exhaustAlice();
  expect((await wait("--timeout", "0")).code).toBe(3);
  for (const flags of [["--timeout", "-1m"], ["--timeout=-1m"]])
    expect(await wait(...flags)).toMatchObject({
      code: 2,
      err: expect.stringContaining('codexlb: flag --timeout: "-1m" is negative'),
    });
});

test("a wait that cannot end by itself has exit code 4", async () => {
  await pool.accounts.serve("alice", "disable");
  for (const args of [[], ["--account", "bob"]]) {
    const { code, out, err } = await wait(...args);
    expect(code).toBe(4);
    expect(out).toBe("");
    expect(err).toContain("codexlb: waiting does not help: ");
  }
});

test("the wait ends when an account is enabled", async () => {
  await exhaustAlice();
  const waiting = wait("--timeout", "60s");
  await pool.accounts.serve("bob", "enable");
  expect((await waiting).code).toBe(0);
});

test("--until reset waits for the next reset of a window", async () => {
  await exhaustAlice();
  const { code, out, err } = await wait("--until", "reset", "--timeout", "10ms", "--json");
  expect(code).toBe(3);
  const { why } = JSON.parse(out);
  expect(why).toMatch(/^the next reset is \w+'s, .*\d\d:\d\d/);
  expect(err).toMatch(/codexlb: waiting: the next reset is \w+'s, /);
});

test("wrong use and unknown accounts are errors", async () => {
  expect((await wait("--until", "later")).code).toBe(2);
  expect((await wait("--account", "")).code).toBe(2);
  const unknown = await wait("--account", "erin");
  expect(unknown.code).toBe(1);
  expect(unknown.err).toContain('this proxy has no account "erin"');
});
