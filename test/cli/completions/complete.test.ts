// The hidden command that completes words, on all kinds of roots, and the command that prints the scripts.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Glob } from "bun";
import { openKeys } from "../../../src/auth/keys.ts";
import { systemDeps } from "../../../src/deps.ts";
import { type MockBackend, startMock } from "../../../src/mock/backend.ts";
import { runCli } from "../../support/cli.ts";
import { type TempDirectory, tempDirectory } from "../../support/temp.ts";

describe("a root", () => {
  let temp: TempDirectory;
  let mock: MockBackend;
  let root: string;

  beforeAll(async () => {
    temp = tempDirectory();
    mock = startMock({ accounts: [{ alias: "alice" }, { alias: "bob" }], clock: systemDeps().clock });
    root = join(temp.path, "home", ".codex-lb");
    for (const alias of ["alice", "bob"]) {
      mkdirSync(join(root, "accounts", alias), { recursive: true });
      writeFileSync(join(root, "accounts", alias, "auth.json"), mock.authFile(alias));
    }
    await openKeys(join(root, "keys.json"), systemDeps()).add("ci", "client");
  });
  afterAll(async () => {
    await mock.stop();
    temp[Symbol.dispose]();
  });

  const ask = (words: string[], env: Record<string, string> = {}) =>
    runCli(["__complete", "zsh", String(words.length), ...words, ""], { cwd: temp.path, env });
  const ALICE_AND_BOB = "words\nalice\talice@example.com\nbob\tbob@example.com\n";

  test("is the default one, or that of the variable or the flag, even with an unexpanded home directory", async () => {
    const env = { CODEXLB_ROOT: "/nowhere" };
    const answer = { code: 0, out: ALICE_AND_BOB, err: "" };
    expect(await ask(["account", "rm"])).toEqual(answer);
    expect(await ask(["account", "rm"], { CODEXLB_ROOT: root })).toEqual(answer);
    expect(await ask(["account", "rm", "--root", root], env)).toEqual(answer);
    for (const home of ["~", "$HOME", "$" + "{HOME}"])
      expect(await ask(["account", "rm", `--root=${home}/.codex-lb`], env)).toEqual(answer);
    for (const command of ["rm", "set", "show"])
      expect(await ask(["key", command])).toEqual({ code: 0, out: "words\nci\tclient\n", err: "" });
    expect(await ask(["account", "rm"], env)).toEqual({ code: 0, out: "words\n", err: "" });
  });

  test("stays unchanged, and its problems are not reported", async () => {
    const damaged = join(temp.path, "damaged");
    mkdirSync(join(damaged, "accounts", "carol"), { recursive: true });
    writeFileSync(join(damaged, "accounts", "carol", "auth.json"), "no login");
    writeFileSync(join(damaged, "store.json"), "no store");
    writeFileSync(join(damaged, "config.toml"), "no = settings = at all");
    writeFileSync(join(damaged, "keys.json"), "no keys");
    const before = picture(damaged);
    const env = { CODEXLB_ROOT: damaged };
    expect(await ask(["account", "rm"], env)).toEqual({ code: 0, out: "words\ncarol\t\n", err: "" });
    expect(await ask(["key", "rm"], env)).toEqual({ code: 0, out: "", err: "" });
    expect(picture(damaged)).toEqual(before);
    const good = picture(root);
    await ask(["account", "rm"]);
    expect(picture(root)).toEqual(good);
  });

  test("may be missing or invalid", async () => {
    const file = join(temp.path, "file");
    writeFileSync(file, "");
    for (const command of ["account", "key"])
      for (const one of [file, join(temp.path, "missing"), "\u0001"]) {
        const { code, out, err } = await ask([command, "rm", "--root", one]);
        expect({ code, err }).toEqual({ code: 0, err: "" });
        expect(["", "words\n"]).toContain(out);
      }
  });

  test("gives no answer to invalid arguments", async () => {
    for (const args of [
      [],
      ["bash"],
      ["bash", "x"],
      ["bash", "-1", "a"],
      ["zsh", "1", "status", "--bogus"],
    ]) {
      const ran = await runCli(["__complete", ...args], { cwd: temp.path });
      expect([args, ran.code, ran.err]).toEqual([args, 0, ""]);
    }
    expect((await runCli(["__complete", "zsh", "2", "status", "--bogus", ""], { cwd: temp.path })).out).toBe(
      "",
    );
  });

  /** All files below `directory`, with their contents and times of change. */
  function picture(directory: string): unknown[] {
    return readdirSync(directory, { recursive: true, encoding: "utf8" }).map((name) => {
      const path = join(directory, name);
      const { mtimeMs, mode } = statSync(path);
      return [name, mtimeMs, mode, statSync(path).isFile() ? readFileSync(path, "utf8") : ""];
    });
  }
});

describe("the command", () => {
  const run = async (...args: string[]) => {
    using temp = tempDirectory();
    return runCli(["completions", ...args], { cwd: temp.path });
  };

  test("prints the script of a shell", async () => {
    for (const [shell, text] of [
      ["bash", "complete -F _codexlb codexlb"],
      ["zsh", "compdef _codexlb codexlb"],
      ["fish", "complete -c codexlb"],
      ["powershell", "Register-ArgumentCompleter"],
    ] as const) {
      const ran = await run(shell);
      expect([ran.code, ran.err]).toEqual([0, ""]);
      expect(ran.out).toContain(text);
    }
  });

  test("without a shell, says how to install each script", async () => {
    expect(await run()).toEqual({
      code: 2,
      out: "",
      err: `codexlb: completions needs the name of a shell: bash, zsh, fish, powershell
  bash: add to ~/.bashrc: eval "$(codexlb completions bash)"
  zsh: add to ~/.zshrc, after compinit: eval "$(codexlb completions zsh)"
  fish: run: codexlb completions fish > ~/.config/fish/completions/codexlb.fish
  powershell: add to $PROFILE: codexlb completions powershell | Out-String | Invoke-Expression
`,
    });
  });

  test("refuses unknown shells, and more than one shell", async () => {
    const refused = 'codexlb: there are no completions for "bahs"; shells: bash, zsh, fish, powershell\n';
    expect(await run("bahs")).toEqual({ code: 2, out: "", err: `${refused}  did you mean bash?\n` });
    expect((await run("tcsh")).code).toBe(2);
    expect(await run("zsh", "fish")).toEqual({
      code: 2,
      out: "",
      err: "codexlb: completions takes one shell\n  for usage, run: codexlb completions --help\n",
    });
  });
});

test("only the commands about them, and init, load the completions and the manual page", async () => {
  const source = join(import.meta.dir, "..", "..", "..", "src");
  const own = /^cli\/(?:completions\/|init\/|help\/(?:man-command|manual-page)\.ts)/;
  for (const file of new Glob("**/*.ts").scanSync(source)) {
    if (own.test(file)) continue;
    const text = await Bun.file(join(source, file)).text();
    const loaded = text.match(
      /^(?:import|export) (?!type).*from "[^"]*(?:completions|manual-page|roff|exit-status|environment-variables)[^"]*"/gm,
    );
    expect([file, loaded]).toEqual([file, null]);
  }
});
