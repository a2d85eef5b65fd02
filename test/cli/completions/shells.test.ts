// The completion scripts in their shells. The shell decides how it completes the line.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openKeys } from "../../../src/auth/keys.ts";
import { SHELLS } from "../../../src/cli/completions/shells.ts";
import { systemDeps } from "../../../src/deps.ts";
import { type MockBackend, startMock } from "../../../src/mock/backend.ts";
import { isThere, putOnPath, typed } from "../../support/shells.ts";
import { type TempDirectory, tempDirectory } from "../../support/temp.ts";

const ALIASES = ["alice", "bob", "carol@example.com"];
let temp: TempDirectory;
let mock: MockBackend;

beforeAll(async () => {
  temp = tempDirectory();
  mock = startMock({ accounts: ALIASES.map((alias) => ({ alias })), clock: systemDeps().clock });
  for (const root of ["root", "root dir"]) {
    for (const alias of ALIASES) {
      mkdirSync(join(temp.path, root, "accounts", alias), { recursive: true });
      writeFileSync(join(temp.path, root, "accounts", alias, "auth.json"), mock.authFile(alias));
    }
    await openKeys(join(temp.path, root, "keys.json"), systemDeps()).add("ci", "client");
  }
  for (const directory of ["bin", "site-functions", "docs"]) mkdirSync(join(temp.path, directory));
  putOnPath(join(temp.path, "bin"));
  writeFileSync(join(temp.path, "document.txt"), "");
  for (const { name, script } of SHELLS) writeFileSync(join(temp.path, `codexlb.${name}`), script);
  writeFileSync(join(temp.path, "site-functions", "_codexlb"), scriptOf("zsh"));
});
afterAll(async () => {
  await mock.stop();
  temp[Symbol.dispose]();
});

const scriptOf = (name: string) => SHELLS.find((shell) => shell.name === name)?.script ?? "";
const environment = () => ({
  PATH: `${join(temp.path, "bin")}:${process.env.PATH}`,
  CODEXLB_ROOT: join(temp.path, "root"),
});

async function run(argv: string[], env: Record<string, string> = {}): Promise<{ out: string; err: string }> {
  const child = Bun.spawn(argv, {
    cwd: temp.path,
    env: { HOME: temp.path, ...environment(), ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { out, err };
}

/** Typed lines, and the arguments with which the script calls codexlb; the same in bash and zsh. */
const TYPED: [string, string[]][] = [
  ["codexlb expl\t", ["explain"]],
  ["codexlb account unp\t", ["account", "unpin"]],
  ["codexlb account rm a\t", ["account", "rm", "alice"]],
  ["codexlb account rm car\t", ["account", "rm", "carol@example.com"]],
  ["codexlb account rm carol@\t", ["account", "rm", "carol@example.com"]],
  ['codexlb account rm "carol@e\t', ["account", "rm", "carol@example.com"]],
  ["codexlb account list --jso\t", ["account", "list", "--json"]],
  ["codexlb account list -jso\t", ["account", "list", "-json"]],
  ["codexlb key rm \t", ["key", "rm", "ci"]],
  ["codexlb key add --role p\t x", ["key", "add", "--role", "parent", "x"]],
  ["codexlb key add --role=p\t x", ["key", "add", "--role=parent", "x"]],
  ["codexlb doctor --codex-home do\t", ["doctor", "--codex-home", "docs/"]],
  ["codexlb doctor --codex-home=do\t", ["doctor", "--codex-home=docs/"]],
  ["codexlb doctor --codex-bin docu\t", ["doctor", "--codex-bin", "document.txt"]],
  ["codexlb run docu\t", ["run", "document.txt"]],
  ["codexlb run exec docu\t", ["run", "exec", "document.txt"]],
  ["codexlb account rm --root 'root dir' b\t", ["account", "rm", "--root", "root dir", "bob"]],
  ["codexlb account rm --root root\\ dir b\t", ["account", "rm", "--root", "root dir", "bob"]],
  ["codexlb account rm --root /nowhere b\t", ["account", "rm", "--root", "/nowhere", "b"]],
  ["codexlb bogus b\t", ["bogus", "b"]],
];

describe("bash", () => {
  const has = isThere("bash", "completions in bash");

  test.skipIf(!has)("completes typed words", async () => {
    const called = await typed(["bash", "--norc", "--noprofile", "-i"], {
      setUp: "source ./codexlb.bash",
      lines: TYPED.map(([line]) => line),
      cwd: temp.path,
      env: environment(),
    });
    expect(TYPED.map(([line], index) => [line, called[index]])).toEqual(TYPED);
  });

  test.skipIf(!has)("gets words, and evaluates none", async () => {
    const lines: [string[], string][] = [
      [["acc"], "account"],
      [["account", "rm", ""], "alice bob carol@example.com"],
      [["account", "rm", "carol", "@", "ex"], "@example.com"],
      [["key", "add", "--role", "=", ""], "client parent metrics"],
      [["key", "add", "--role", "="], "client parent metrics"],
      [["account", "rm", "--root", "'root dir'", "b"], "bob"],
      [["account", "rm", "--root", "$(touch evil)", "b"], ""],
      [["account", "rm", "--root", "`touch evil`", "b"], ""],
      [["account", "rm", "$(touch evil)"], ""],
      [["config", "; touch evil"], ""],
    ];
    const script = lines.map(
      ([words]) => `try ${words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ")}`,
    );
    const { out, err } = await run([
      "bash",
      "--norc",
      "-c",
      `source ./codexlb.bash
       try() { COMP_WORDS=(codexlb "$@"); COMP_CWORD=$#; _codexlb codexlb; echo "\${COMPREPLY[*]}"; }
       ${script.join("\n")}`,
    ]);
    expect(err).toBe("");
    expect(out).toBe(lines.map(([, offered]) => `${offered}\n`).join(""));
    expect(existsSync(join(temp.path, "evil"))).toBe(false);
  });

  test.skipIf(!has)("prints nothing if there is no codexlb", async () => {
    const { out, err } = await run(
      [
        "bash",
        "--norc",
        "-c",
        "source ./codexlb.bash; COMP_WORDS=(codexlb ''); COMP_CWORD=1; _codexlb; echo \"<$COMPREPLY>\"",
      ],
      { PATH: "/usr/bin:/bin" },
    );
    expect({ out, err }).toEqual({ out: "<>\n", err: "" });
  });
});

describe("zsh", () => {
  const has = isThere("zsh", "completions in zsh");

  /** An accepted line keeps the slash after a directory, as in bash. */
  const COMPINIT = "autoload -U compinit; compinit -D -u; unsetopt auto_remove_slash";

  for (const [way, setUp] of [
    ["that sources the script", `${COMPINIT}; source ./codexlb.zsh`],
    ["that has it in a directory of functions", `fpath=($PWD/site-functions $fpath); ${COMPINIT}`],
  ] as const)
    test.skipIf(!has)(`${way} completes what is typed`, async () => {
      const called = await typed(["zsh", "-f", "-i"], {
        setUp,
        lines: TYPED.map(([line]) => line),
        cwd: temp.path,
        env: environment(),
      });
      expect(TYPED.map(([line], index) => [line, called[index]])).toEqual(TYPED);
    });

  test.skipIf(!has)("shows descriptions, and evaluates no word", async () => {
    const clear = "\u0015";
    await typed(["zsh", "-f", "-i"], {
      // The list goes to a file. By default, the key would evaluate the words of every command.
      setUp: `${COMPINIT}; source ./codexlb.zsh; bindkey '^I' complete-word
        _describe() { print -rl -- "\${(@P)4}" >> listed }`,
      lines: [
        "codexlb account rm \t",
        "codexlb con\t",
        `codexlb account rm --root "$(touch evil)" \t${clear}codexlb`,
        `codexlb account rm "$(touch evil)\t${clear}codexlb`,
      ],
      cwd: temp.path,
      env: environment(),
    });
    const listed = readFileSync(join(temp.path, "listed"), "utf8").split("\n");
    expect(listed).toContain("alice:alice@example.com");
    expect(listed).toContain("config:Show and check the settings");
    expect(existsSync(join(temp.path, "evil"))).toBe(false);
  });
});

describe("fish", () => {
  const has = isThere("fish", "completions in fish");
  const completed = async (lines: readonly string[]) => {
    const script = lines.map((line) => `complete -C ${JSON.stringify(line).replaceAll("$", "\\$")}; echo ==`);
    return run(["fish", "--no-config", "-c", `source ./codexlb.fish\n${script.join("\n")}`]);
  };

  test.skipIf(!has)("gets words with descriptions, files and directories, and evaluates none", async () => {
    const lines: [string, string[]][] = [
      ["codexlb expl", ["explain\tShow which account gets the next turn, and why the others do not"]],
      ["codexlb account rm car", ["carol@example.com\tcarol@example.com@example.com"]],
      ["codexlb key rm ", ["ci\tclient"]],
      ["codexlb key add --role=p", ["--role=parent"]],
      ["codexlb config path --hel", ["--help\tShow the help"]],
      ["codexlb doctor --codex-home do", ["docs/"]],
      ["codexlb doctor --codex-home=do", ["--codex-home=docs/"]],
      ["codexlb doctor --codex-bin docu", ["document.txt"]],
      ["codexlb run docu", ["document.txt"]],
      ["codexlb account rm --root 'root dir' b", ["bob\tbob@example.com"]],
      ["codexlb account rm --root (touch evil) b", []],
      ['codexlb account rm --root "$(touch evil)" b', []],
      ["CODEXLB_ROOT=/nowhere codexlb account rm b", []],
      ["codexlb bogus d", []],
    ];
    const { out, err } = await completed(lines.map(([line]) => line));
    expect(err).toBe("");
    const answers = out.split("==\n").slice(0, -1);
    expect(answers.map((answer, index) => [lines[index]?.[0], answer.split("\n").slice(0, -1)])).toEqual(
      lines,
    );
    expect(existsSync(join(temp.path, "evil"))).toBe(false);
  });
});

test("powershell: checks only the text of the script, because there is no powershell to run it", () => {
  const script = scriptOf("powershell");
  expect(script).toContain("Register-ArgumentCompleter -Native -CommandName codexlb");
  expect(script).toContain("__complete powershell $before.Count @before $wordToComplete");
  for (const [open, close] of ["()", "{}", "[]"])
    expect(script.split(open ?? "").length).toBe(script.split(close ?? "").length);
});

test("every script starts with how to install it", () => {
  for (const { name, script, install } of SHELLS) {
    const head = script.split("\n").slice(0, 3);
    expect(head.join("\n")).toContain(install);
    expect(install).toContain(`codexlb completions ${name}`);
  }
  expect(scriptOf("zsh")).toStartWith("#compdef codexlb\n");
});

test("completion leaves a root unchanged", () => {
  expect(readdirSync(join(temp.path, "root")).sort()).toEqual(["accounts", "keys.json"]);
});
