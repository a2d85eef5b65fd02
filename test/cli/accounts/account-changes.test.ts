// Commands that change an account report what else they changed, through a proxy and on the files alike.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createSseClient } from "../../../src/mock/client.ts";
import { codexFile } from "../../auth/import/login-files.ts";
import { runCli } from "../../support/cli.ts";
import { startPool, until } from "../../support/pool.ts";
import { type TempDirectory, tempDirectory } from "../../support/temp.ts";

let temp: TempDirectory;
beforeAll(() => {
  temp = tempDirectory();
});
afterAll(() => temp[Symbol.dispose]());

for (const where of ["a running proxy", "the files"])
  test(`with ${where}, rm and unpin report whether an account was pinned`, async () => {
    await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
    if (where === "the files") await pool.stopAndReadEvents();
    const env = { CODEXLB_ROOT: pool.layout.root };
    const account = (words: string, terminal?: number) =>
      runCli(["account", ...words.split(" ")], {
        cwd: temp.path,
        env,
        ...(terminal === undefined ? {} : { terminal }),
      });
    const unpinned = "unpinned account selection\n";
    await account("pin alice");
    expect(await account("unpin")).toEqual({ code: 0, out: unpinned, err: "" });
    // Scripts see no difference.
    expect(await account("unpin")).toEqual({ code: 0, out: unpinned, err: "" });
    expect((await account("unpin", 80)).out).toContain("no account was pinned; nothing changed");
    await account("pin alice");
    expect(await account("rm alice")).toEqual({
      code: 0,
      out: "removed account alice\n",
      err: "codexlb: alice was pinned; the policy now chooses the account for each turn\n",
    });
    expect((await account("rm bob")).err).toBe("");
    expect((await account("list", 80)).out.replaceAll("\r", "")).toContain(
      "no accounts\n  add one with: codexlb account login ALIAS\n",
    );
  });

async function repeatChanges(root: string): Promise<void> {
  const account = (words: string) =>
    runCli(["account", ...words.split(" "), "--root", root], { cwd: temp.path });
  expect((await account("drain bob")).err).toBe("");
  expect(await account("drain bob")).toEqual({
    code: 0,
    out: "draining account bob\n",
    err: "codexlb: bob is already draining; nothing changed\n",
  });
  expect((await account("disable alice")).err).toBe("");
  expect((await account("disable openai:alice")).err).toBe(
    "codexlb: alice is already disabled by you; nothing changed\n",
  );
  expect((await account("pin alice")).err).toBe(
    "codexlb: warning: alice cannot serve (disabled by you); other accounts serve until it is available again\n",
  );
  expect((await account("pin bob")).err).toBe(
    "codexlb: bob is draining; while it is pinned, it gets all turns\n",
  );
  // A person reads one result.
  const seen = async (words: string) =>
    (await runCli(["account", ...words.split(" "), "--root", root], { cwd: temp.path, terminal: 80 })).out;
  expect(await seen("unpin")).toContain("removed the pin; the policy chooses again");
  const disabled = await seen("disable alice");
  expect(disabled).toContain("alice is already disabled by you; nothing changed");
  expect(disabled).not.toContain("disabled account");
}

test("a running proxy reports a repeated drain or disable, and a pin names the state in words", async () => {
  await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
  await repeatChanges(pool.layout.root);
});

test("without a proxy, a repeated drain or disable is reported, and a pin names the state in words", async () => {
  const root = join(temp.path, "files");
  for (const alias of ["alice", "bob"]) {
    const file = join(temp.path, `${alias}.json`);
    writeFileSync(file, JSON.stringify(codexFile(alias)));
    const args = ["account", "import", "--root", root, "--from", file, alias];
    expect((await runCli(args, { cwd: temp.path })).code).toBe(0);
  }
  await repeatChanges(root);
});

test("a pin to an exhausted account warns, and enable reports that it also ended a cooldown", async () => {
  await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
  const error = { type: "usage_limit_reached", message: "limit", plan_type: "pro", resets_in_seconds: 9_000 };
  for (const account of ["alice", "bob"])
    pool.mock.faults.add({ on: "turn", account, times: 1, answer: { status: 429, body: { error } } });
  await createSseClient(pool.url, "s1")
    .turn("hi")
    .catch(() => {});
  const account = (...words: string[]) =>
    runCli(["account", ...words], { cwd: temp.path, env: { CODEXLB_ROOT: pool.layout.root } });
  expect((await account("pin", "alice")).err).toMatch(
    /^codexlb: warning: alice cannot serve \(limit reached, back at .*\); other accounts serve until it is available again\n$/,
  );
  const seen = await runCli(["account", "list"], {
    cwd: temp.path,
    env: { CODEXLB_ROOT: pool.layout.root },
    terminal: 80,
  });
  expect(seen.out).toMatch(/\nalice +P +/);
  await account("unpin");
  const enable = () => account("enable", "alice", "bob");
  const enabled = await enable();
  expect(enabled.out).toBe("enabled account alice\nenabled account bob\n");
  expect(enabled.err).toContain("codexlb: this also ended the cooldown of alice; it gets turns again now\n");
  expect(await enable()).toEqual({
    code: 0,
    out: "enabled account alice\nenabled account bob\n",
    err: "codexlb: alice is already in service; nothing changed\ncodexlb: bob is already in service; nothing changed\n",
  });
});

test("disable, drain and enable keep a limit whose reset is to come", async () => {
  await using pool = await startPool({ accounts: [{ alias: "alice" }, { alias: "bob" }] });
  const error = { type: "usage_limit_reached", message: "limit", plan_type: "pro", resets_in_seconds: 9_000 };
  pool.mock.faults.add({ on: "turn", account: "alice", times: 1, answer: { status: 429, body: { error } } });
  await pool.accounts.pin("alice");
  expect(await createSseClient(pool.url, "s1").turn("hi")).toBe("Hello from bob");
  for (const service of ["disable", "enable", "drain", "enable"] as const)
    await pool.accounts.serve("alice", service);
  expect(await createSseClient(pool.url, "s2").turn("hi")).toBe("Hello from bob");
});

test("enable refuses an account that needs a new login, and names the command", async () => {
  await using pool = await startPool({
    accounts: [{ alias: "alice", expiresInSeconds: 9 * 60 }],
    prepare: (_layout, mock) =>
      mock.faults.add({
        on: "token",
        answer: { status: 401, body: { error: { code: "refresh_token_reused" } } },
      }),
  });
  const reason = async () => (await pool.status()).accounts[0]?.disabled_reason;
  await until("it is disabled", async () => (await reason()) === "refresh-token-reused");
  const enable = () =>
    runCli(["account", "enable", "alice"], { cwd: temp.path, env: { CODEXLB_ROOT: pool.layout.root } });
  const refused = {
    code: 1,
    out: "",
    err: "codexlb: enabling alice: it is out of service (login expired)\n  log in: codexlb account login alice\n",
  };
  expect(await enable()).toEqual(refused);
  expect(await reason()).toBe("refresh-token-reused");
  await pool.stopAndReadEvents();
  expect(await enable()).toEqual(refused);
});
