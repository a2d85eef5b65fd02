// The possible words at a place of the command line. shells.test.ts tests how shells show them.

import { describe, expect, test } from "bun:test";
import { defineCommand } from "citty";
import { COMMANDS } from "../../../src/cli/command-tree.ts";
import { answerTo } from "../../../src/cli/completions/complete.ts";
import { lineOf, lineOfBash } from "../../../src/cli/completions/line.ts";
import { type Names, type Offer, offerFor } from "../../../src/cli/completions/offer.ts";
import type { Command } from "../../../src/cli/help/command-description.ts";

/** Returns the root in its answer. */
const names: Names = async (of, root) => [
  { word: { aliases: "alice", keys: "ci", tags: "work" }[of], description: root ?? "" },
];

/** The possible words for the last word of `line`. */
async function offered(line: string, root: Command = COMMANDS): Promise<string | string[]> {
  const words = line.split(" ");
  const offer = await offerFor(root, lineOf(words, words.length - 1), names);
  return offer.kind === "words" ? offer.words.map(({ word }) => word) : offer.kind;
}

describe("offered are", () => {
  const TABLE: [string, string | string[]][] = [
    [
      "account ",
      [
        "login",
        "import",
        "add-key",
        "export",
        "list",
        "show",
        "set",
        "rm",
        "pin",
        "unpin",
        "enable",
        "disable",
        "drain",
        "redeem",
      ],
    ],
    ["key ", ["add", "list", "show", "set", "rm"]],
    ["-", ["--help", "--version"]],
    ["-v", ["-help", "-version"]],
    ["account -", ["--help"]],
    ["key list ", ["--root", "--json", "--help"]],
    ["key list -", ["--root", "--json", "--help"]],
    ["key list -j", ["-root", "-json", "-help"]],
    ["key list --json ", ["--root", "--help"]],
    ["key list --json -r", ["-root", "-help"]],
    ["key add --role ", ["client", "parent", "metrics"]],
    ["key add --role=", ["--role=client", "--role=parent", "--role=metrics"]],
    ["key add -role=c", ["-role=client", "-role=parent", "-role=metrics"]],
    ["account import --into ", ["local", "proxy"]],
    ["completions ", ["bash", "zsh", "fish", "powershell"]],
    ...["rm", "set", "pin", "enable", "disable", "drain", "login", "import"].map(
      (sub): [string, string[]] => [`account ${sub} `, ["alice"]],
    ),
    ["login-with ", ["alice"]],
    ["key rm ", ["ci"]],
    ["usage --key ", ["ci"]],
    ["simulate --policy ", ["usage_balanced", "sticky", "round_robin", "least_in_flight", "reset_aware"]],
    ["key rm --root x ", ["ci"]],
    // New names.
    ["key add ", []],
    ["account pin --proxy-name ", []],
    ["proxy --listen ", []],
    // Paths.
    ["status --root ", "directories"],
    ["usage --project ", "directories"],
    ["status --root=", "directories"],
    ["status -root=x", "directories"],
    ["account import --from ", "files"],
    ["doctor --codex-home ", "directories"],
    ["doctor --codex-bin ", "files"],
    ["mock --faults ", "files"],
    // Arguments of another program.
    ["run ", "files"],
    [
      "run -",
      [
        ...[
          "--root",
          "--proxy-url",
          "--codex-bin",
          "--codex-home",
          "--isolated-home",
          "--native-home",
          "--account",
          "--tag",
          "--only",
        ],
        ...["--wait", "--auto-start", "--command", "--help"],
      ],
    ],
    ["run exec ", "files"],
    ["run exec --", "files"],
    ["run -- --", "files"],
    ["run -m ", "files"],
    ["run -m x --", "files"],
    ["run --command ", "files"],
    ["account login alice ", "files"],
    ["account login alice -- --", "files"],
    // Flags may follow other words.
    ["key rm ci ", ["--root", "--help"]],
    ["key rm ci --", ["--root", "--help"]],
    ["key --root x rm ", ["ci"]],
    ["--root x key rm ", ["ci"]],
    ["account pin -- ", ["alice"]],
    ["account rm alice ", ["alice"]],
    ["key list -- ", []],
    ["login-with alice --codex-home ", "directories"],
    // Lines that are wrong already.
    ["bogus ", []],
    ["account bogus ", []],
    ["account --root x ", []],
    ["status --json=", []],
    ["status --bogus=", []],
    ["help account pin x", []],
    ["help key ", ["add", "list", "show", "set", "rm"]],
    ["help bogus ", []],
  ];
  for (const [line, words] of TABLE)
    test(`${JSON.stringify(line)}: ${typeof words === "string" ? words : words.join(" ") || "nothing"}`, async () => {
      expect(await offered(line)).toEqual(words);
    });

  test("every command, and the flags of a command that also has sub-commands", async () => {
    expect(await offered("")).toContain("login-with");
    expect((await offered("")).includes("--help")).toBe(false);
    expect(await offered("proxy ")).toEqual(expect.arrayContaining(["logs", "--listen", "--help"]));
    expect(await offered("proxy --listen x ")).not.toContain("logs");
  });

  test("flags after an argument", async () => {
    expect(await offered("account login alice --")).toEqual(expect.arrayContaining(["--replace", "--help"]));
    expect(await offered("account set alice --")).toContain("--outbound-proxy");
    expect(await offered("login-with alice --")).toEqual(expect.arrayContaining(["--username", "--help"]));
    expect(await offered("login-with --quiet alice --json ")).not.toContain("--quiet");
    expect(await offered("login-with --quiet alice --json ")).not.toContain("--json");
  });

  test("descriptions of commands and flags", async () => {
    expect(await offerFor(COMMANDS, { before: [], current: "" }, names)).toMatchObject({
      words: expect.arrayContaining([
        { word: "explain", description: "Show which account gets the next turn, and why the others do not" },
      ]),
    });
    expect(await offerFor(COMMANDS, { before: ["key", "add"], current: "--" }, names)).toMatchObject({
      words: expect.arrayContaining([
        { word: "--root", description: "State directory (CODEXLB_ROOT; default ~/.codex-lb)" },
      ]),
    });
  });

  test("names of the root on the line", async () => {
    const rootOf = async (...before: string[]) => {
      const offer: Offer = await offerFor(COMMANDS, { before, current: "" }, names);
      return offer.kind === "words" ? offer.words[0]?.description : offer.kind;
    };
    expect(await rootOf("account", "rm")).toBe("");
    expect(await rootOf("account", "rm", "--root", "a", "-root=b")).toBe("b");
    expect(await rootOf("key", "rm", "--root=x")).toBe("x");
    expect(await rootOf("run", "--root=x", "--tag")).toBe("x");
  });

  test("aliases in every command that takes an ALIAS", async () => {
    const root: Command = defineCommand({
      subCommands: {
        run: defineCommand({
          args: {
            account: { type: "string", valueHint: "ALIAS" },
            arguments: { type: "positional", required: false },
          },
          run: () => undefined,
        }),
        show: defineCommand({
          args: { alias: { type: "positional", valueHint: "ALIAS" } },
          run: () => undefined,
        }),
      },
    });
    expect(await offered("run --account ", root)).toEqual(["alice"]);
    expect(await offered("run --account=", root)).toEqual(["--account=alice"]);
    expect(await offered("run --account alice ", root)).toBe("files");
    expect(await offered("show ", root)).toEqual(["alice"]);
  });

  test("no words that a shell must quote", async () => {
    const odd: Names = async () =>
      ["ok", "a b", "$(x)", "`x`", "a;b", "a'b", 'a"b', "a\nb", "a\tb", "", "ü"].map((word) => ({
        word,
        description: "a\tb\nc\u001b[31m",
      }));
    for (const shell of ["bash", "zsh", "fish", "powershell"])
      expect(await answerTo([shell, "2", "key", "rm"], COMMANDS, odd)).toBe("words\nok\ta b c [31m\n");
  });

  test("only matching words if the shell does not select them itself", async () => {
    const lines = async (shell: string) =>
      (await answerTo([shell, "1", "key", "r"], COMMANDS, names))
        .split("\n")
        .map((line) => line.split("\t")[0]);
    for (const shell of ["bash", "powershell"]) expect(await lines(shell)).toEqual(["words", "rm", ""]);
    for (const shell of ["zsh", "fish"])
      expect(await lines(shell)).toEqual(["words", "add", "list", "show", "set", "rm", ""]);
  });
});

describe("of bash's words", () => {
  const TABLE: [string[], number, string[], string, string][] = [
    [["account", "rm", ""], 2, ["account", "rm"], "", ""],
    [["account", "rm"], 2, ["account", "rm"], "", ""],
    [["account", "rm", "x"], 1, ["account"], "rm", "rm"],
    [["--role", "=", "c"], 2, [], "--role=c", "c"],
    [["--role", "="], 1, [], "--role=", ""],
    [["--role", "=", "c", "x"], 3, ["--role=c"], "x", "x"],
    [["--url", "=", "http", ":", "//h", ":", "80"], 6, [], "--url=http://h:80", "80"],
    [["rm", "a", "@", "ex"], 3, ["rm"], "a@ex", "@ex"],
    [["rm", "a", "@"], 2, ["rm"], "a@", "@"],
    [['"a b"', "'c d'", "e\\ f", ""], 3, ["a b", "c d", "e f"], "", ""],
    [['"a \\"b\\\\ $x'], 0, [], 'a "b\\ $x', 'a "b\\ $x'],
    [["'a b"], 0, [], "a b", "a b"],
    [['"'], 0, [], "", ""],
    [["a'b'\"c\"\\d"], 0, [], "abcd", "abcd"],
    [["--role", "=", '"c'], 2, [], "--role=c", "c"],
    [["'$(x)'", "`x`", ""], 2, ["$(x)", "`x`"], "", ""],
    [["=", "x"], 1, [], "=x", "x"],
    [[], 0, [], "", ""],
  ];
  for (const [pieces, index, before, current, completed] of TABLE)
    test(`${JSON.stringify(pieces)}, number ${index}: ${JSON.stringify(completed)} is completed`, () => {
      const line = lineOfBash(pieces, index);
      expect({ before: line.before, current: line.current }).toEqual({ before, current });
      expect(line.current.slice(line.kept)).toBe(completed);
    });
});
