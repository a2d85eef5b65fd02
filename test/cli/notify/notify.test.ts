// `codexlb notify test`, with and without a running proxy, and what the settings and `doctor` show of notifications.

import { expect, test } from "bun:test";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runCli } from "../../support/cli.ts";
import { startPool } from "../../support/pool.ts";
import { tempDirectory } from "../../support/temp.ts";

const SECRET = "s3cret";

/** A root whose command works and whose webhook does not. */
function rootIn(directory: string, notify = settings(directory)): string {
  const root = join(directory, "root");
  mkdirSync(root, { mode: 0o700 });
  writeFileSync(join(root, "config.toml"), `[proxy]\nname = "laptop"\nlisten = "127.0.0.1:0"\n${notify}`, {
    mode: 0o600,
  });
  return root;
}

function settings(directory: string): string {
  const tool = join(directory, "notify");
  writeFileSync(tool, `#!/bin/sh\nprintf '%s %s' "$CODEXLB_NOTIFICATION" "$MARK" > ${directory}/out\n`);
  chmodSync(tool, 0o755);
  return `[notify]\ncommand = ["${tool}"]\nwebhook = "http://u:${SECRET}@127.0.0.1:1/${SECRET}?${SECRET}"\n`;
}

const FAILURE = "command: sent\nwebhook: failed: connection refused\n";
const TEXT = "This is a test: notifications of codexlb arrive here ";

test("without a proxy the command itself sends in every way, and exits with 1 if one fails", async () => {
  using temp = tempDirectory();
  const env = { CODEXLB_ROOT: rootIn(temp.path) };
  const ran = await runCli(["notify", "test"], { cwd: temp.path, env });
  expect([ran.code, ran.out]).toEqual([1, FAILURE]);
  expect(ran.err).toContain("the test message could not be sent by webhook");
  expect(await Bun.file(join(temp.path, "out")).text()).toBe(TEXT);
  const json = await runCli(["notify", "test", "--json"], { cwd: temp.path, env });
  expect(JSON.parse(json.out)).toEqual({
    ok: false,
    ways: [
      { way: "command", ok: true },
      { way: "webhook", ok: false, error: "connection refused" },
    ],
  });
  expect(ran.out + ran.err + json.out + json.err).not.toContain(SECRET);
});

test("with a proxy the proxy sends, in its own environment", async () => {
  using temp = tempDirectory();
  const text = settings(temp.path);
  await using pool = await startPool({
    accounts: [{ alias: "alice" }],
    config: `[proxy]\nname = "laptop"\n${text}`,
  });
  const env = { CODEXLB_ROOT: pool.layout.root };
  const ran = await runCli(["notify", "test"], { cwd: temp.path, env });
  expect([ran.code, ran.out]).toEqual([1, FAILURE]);
  writeFileSync(pool.layout.config, text.replace(/^webhook.*$/m, ""));
  pool.daemon.reload();
  // The proxy reads a changed file a second time before it applies it.
  await Bun.sleep(200);
  const good = await runCli(["notify", "test"], { cwd: temp.path, env });
  expect([good.code, good.out]).toEqual([0, "command: sent\n"]);
});

test("without any way it says how to set one", async () => {
  using temp = tempDirectory();
  const env = { CODEXLB_ROOT: rootIn(temp.path, "") };
  const ran = await runCli(["notify", "test"], { cwd: temp.path, env });
  expect([ran.code, ran.out]).toEqual([1, ""]);
  expect(ran.err).toContain("notifications are not set up");
  expect(ran.err).toContain("notify.command");
});

test("config show hides the webhook except for its host", async () => {
  using temp = tempDirectory();
  const env = { CODEXLB_ROOT: rootIn(temp.path) };
  const ran = await runCli(["config", "show"], { cwd: temp.path, env });
  expect(ran.out).toMatch(/notify\.webhook +"http:\/\/127\.0\.0\.1:1\/\[redacted\]" /);
  expect(ran.out).not.toContain(SECRET);
});

test("doctor shows a way that fails", async () => {
  using temp = tempDirectory();
  const root = rootIn(temp.path);
  const check = async () => {
    const { out } = await runCli(["doctor", "--json"], { cwd: temp.path, env: { CODEXLB_ROOT: root } });
    const { findings } = JSON.parse(out) as { findings: { check: string; status: string; detail: string }[] };
    return findings.filter((finding) => finding.check === "notifications");
  };
  expect(await check()).toMatchObject([{ status: "ok", detail: "sent by command and webhook" }]);
  const failure = { since_ms: Date.now(), error: "connection refused" };
  const file = { version: 1, ways: { webhook: { last_sent_at_ms: 0, reported: {}, failure } } };
  writeFileSync(join(root, "notify.json"), JSON.stringify(file), { mode: 0o600 });
  expect(await check()).toMatchObject([
    {
      status: "warning",
      detail: "webhook failed a moment ago: connection refused; codexlb keeps trying",
      remedy: "correct [notify] in config.toml, then run: codexlb notify test",
    },
  ]);
});
