// The examples of the helps: each one is a command line that the program accepts, and fits a terminal.

import { describe, expect, test } from "bun:test";
import { COMMANDS } from "../../../src/cli/command-tree.ts";
import { parseFlags } from "../../../src/cli/flags.ts";
import { commandAt } from "../../../src/cli/help/command-description.ts";
import { EXAMPLES } from "../../../src/cli/help/examples.ts";
import { runCli } from "../../support/cli.ts";
import { tempDirectory } from "../../support/temp.ts";

describe.each(EXAMPLES)("the example of $command: $line", ({ command, purpose, line }) => {
  test("calls the command whose help shows it", async () => {
    const [, words = ""] = /\bcodexlb ([^()>&]*)/.exec(line) ?? [];
    const { at, rest } = await commandAt(COMMANDS, words.trim().split(/\s+/));
    expect(at.name).toBe(command);
    const parsed = parseFlags(at.args, rest, at.foreignFlags);
    const needed = at.positionals.filter(({ required }) => required).length;
    expect(parsed.rest.length).toBeGreaterThanOrEqual(needed);
    if (!at.takesMore && at.positionals.every(({ hint }) => !hint.endsWith("...")))
      expect(parsed.rest.length).toBeLessThanOrEqual(at.positionals.length);
  });

  test("fits 80 columns, without a full stop", () => {
    expect([line.length <= 78, purpose.length <= 76, purpose.endsWith(".")]).toEqual([true, true, false]);
  });
});

test("a help shows its examples at the end", async () => {
  using temp = tempDirectory();
  const { code, out } = await runCli(["account", "login", "--help"], { cwd: temp.path });
  expect(code).toBe(0);
  expect(out).toEndWith(
    [
      "",
      "Examples:",
      "  # Enrol a second account, in the browser",
      "  codexlb account login second",
      "  # Enrol it on a machine without a browser",
      "  codexlb account login second --device-auth",
      "",
    ].join("\n"),
  );
});
