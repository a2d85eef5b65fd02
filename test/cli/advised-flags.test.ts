// Commands in messages name the root and the proxy that the user named.

import { describe, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { flagsOfCommand, flagsOfProxy } from "../../src/cli/advised-flags.ts";
import { runCli } from "../support/cli.ts";
import { tempDirectory } from "../support/temp.ts";

describe("the advice of a command", () => {
  test("names the root of --root", () => {
    expect(flagsOfCommand({ root: "/r" }, {})).toEqual({ root: "/r" });
  });

  test("needs no flag for the default root, or for the one in CODEXLB_ROOT", () => {
    expect(flagsOfCommand({}, { HOME: "/home/u" })).toEqual({});
    expect(flagsOfCommand({ root: "/home/u/.codex-lb" }, { HOME: "/home/u" })).toEqual({});
    expect(flagsOfCommand({ root: "/r" }, { CODEXLB_ROOT: "/r" })).toEqual({});
    expect(flagsOfCommand({}, { CODEXLB_ROOT: "/r" })).toEqual({});
  });

  test("names the proxy of --proxy-url, and starts one on this machine there", () => {
    expect(flagsOfCommand({ "proxy-url": "http://127.0.0.1:9001", "proxy-name": "edge" }, {})).toEqual({
      "proxy-url": "http://127.0.0.1:9001",
      "proxy-name": "edge",
      listen: "127.0.0.1:9001",
    });
    expect(flagsOfCommand({}, { CODEXLB_PROXY_URL: "localhost" })).toEqual({ listen: "localhost:80" });
    expect(flagsOfCommand({ "proxy-url": "http://10.0.0.2:9001" }, {})).toEqual({
      "proxy-url": "http://10.0.0.2:9001",
    });
  });
});

test("the advice of a proxy names its root, even if its own environment does, unless it is the default one", () => {
  expect(flagsOfProxy("/r", { HOME: "/home/u", CODEXLB_ROOT: "/r" })).toEqual({ root: "/r" });
  expect(flagsOfProxy("/home/u/.codex-lb", { HOME: "/home/u" })).toEqual({});
});

test("errors, warnings and tables name the root", async () => {
  using temp = tempDirectory();
  const root = join(temp.path, "r");
  mkdirSync(root, { mode: 0o700 });
  const run = (...args: string[]) => runCli([...args, "--root", root], { cwd: temp.path });
  expect((await run("account", "show", "bob")).err).toContain(
    `run: codexlb account login --root ${root} ALIAS, or: codexlb account import --root ${root}`,
  );
  expect((await run("proxy", "status")).err).toContain(`start one with: codexlb proxy start --root ${root}`);
  const doctor = await run("doctor", "--codex-bin", "/nowhere/codex");
  expect(doctor.out).toContain(`run: codexlb account login --root ${root} ALIAS`);
});
