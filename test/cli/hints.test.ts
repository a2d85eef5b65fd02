// Commands in messages name the root and the proxy that the user named.

import { afterEach, describe, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { COMMANDS } from "../../src/cli/command-tree.ts";
import { everyCommand } from "../../src/cli/help/command-description.ts";
import { flagsFor, hint, setHintFlags } from "../../src/cli/hints.ts";
import { runCli } from "../support/cli.ts";
import { tempDirectory } from "../support/temp.ts";

afterEach(() => setHintFlags({}, {}));

test("the commands that take a flag are those that define it", async () => {
  const names = ["root", "proxy-url", "proxy-name", "listen"];
  for (const { path, args, runs } of await everyCommand(COMMANDS)) {
    // A service need not listen where one command looked for a proxy.
    const taken = names.filter((name) => name in args && !(name === "listen" && path[0] === "service"));
    if (runs) expect([path, taken]).toEqual([path, [...flagsFor(path)]]);
  }
});

describe("a command with --root", () => {
  const CASES: readonly (readonly [string, string])[] = [
    ["start it with: codexlb proxy", "start it with: codexlb proxy --root /r"],
    [
      "run: codexlb account login ALIAS, or: codexlb account import",
      "run: codexlb account login --root /r ALIAS, or: codexlb account import --root /r",
    ],
    [
      "start one with: codexlb proxy start, or for this run: codexlb run --auto-start",
      "start one with: codexlb proxy start --root /r, or for this run: codexlb run --root /r --auto-start",
    ],
    ["stop it and start codexlb proxy again", "stop it and start codexlb proxy --root /r again"],
    ["start it: codexlb proxy --root /other", "start it: codexlb proxy --root /other"],
    ["see: codexlb service logs", "see: codexlb service logs"],
    // Another machine has another root.
    ["start it there with: codexlb proxy", "start it there with: codexlb proxy"],
    ["run codexlb status on that machine", "run codexlb status on that machine"],
    // Not a command to run.
    ["it must come first: codexlb run --account ...", "it must come first: codexlb run --account ..."],
    ["check that a codexlb proxy listens at that port", "check that a codexlb proxy listens at that port"],
    ["codexlb run now continues", "codexlb run now continues"],
  ];
  for (const [text, completed] of CASES)
    test(text, () => {
      setHintFlags({ root: "/r" }, {});
      expect(hint(text)).toBe(completed);
    });

  test("needs no flag for the default root, or for the one in CODEXLB_ROOT", () => {
    setHintFlags({ root: "/r" }, { CODEXLB_ROOT: "/r" });
    expect(hint("start it with: codexlb proxy")).toBe("start it with: codexlb proxy");
  });
});

test("a command with --proxy-url advises the same proxy, and one on this machine to listen there", () => {
  setHintFlags({ root: "/a b", "proxy-url": "http://127.0.0.1:9001" }, {});
  expect(hint("list the accounts with: codexlb account list")).toBe(
    "list the accounts with: codexlb account list --root '/a b' --proxy-url http://127.0.0.1:9001",
  );
  expect(hint("start it with: codexlb proxy")).toBe(
    "start it with: codexlb proxy --root '/a b' --listen 127.0.0.1:9001",
  );
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
