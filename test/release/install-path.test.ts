// Tests how install.sh treats the directory that it installs to, and what it says about PATH.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { installed, type Machine, machine, SHELLS, spawned } from "../support/install-machine.ts";
import { releaseTree } from "../support/release-tree.ts";
import { isThere } from "../support/shells.ts";

let tree: Awaited<ReturnType<typeof releaseTree>>;
beforeAll(async () => {
  tree = await releaseTree({ targets: ["linux-x64", "darwin-x64"] });
});
afterAll(() => tree[Symbol.dispose]());

const FISH = isThere("fish", "the PATH hint of install.sh for fish");

/** The command that the user should run: the last line of the output. */
const hintIn = (out: string) => out.trimEnd().split("\n").at(-1)?.trim() ?? "";

describe.each(SHELLS.map((argv) => ({ name: argv.join(" "), argv })))("install.sh in $name", ({ argv }) => {
  test("prints how to extend PATH for the user's shell, unless PATH has the directory", async () => {
    using box = machine(argv);
    const lines = {
      "/bin/bash": `  echo 'export PATH="$HOME/.local/bin:$PATH"' >> ~/.bashrc`,
      "/bin/zsh": `  echo 'export PATH="$HOME/.local/bin:$PATH"' >> ~/.zshrc`,
      "/usr/bin/fish": `  fish_add_path "$HOME/.local/bin"`,
      "/bin/sh": `  echo 'export PATH="$HOME/.local/bin:$PATH"' >> ~/.profile`,
    };
    for (const [SHELL, line] of Object.entries(lines)) {
      const ran = await box.install(["--from", tree.directory], { SHELL });
      expect(ran.out.trimEnd().split("\n").slice(-2)).toEqual([
        `${join(box.home, ".local", "bin")} is not on PATH. Run this once, then open a new terminal:`,
        line,
      ]);
    }
    const PATH = `${join(box.path, "bin")}:${join(box.home, ".local", "bin")}`;
    const ran = await box.install(["--from", tree.directory], { PATH });
    expect([ran.code, ran.err, ran.out.includes("PATH")]).toEqual([0, "", false]);
  });

  test("prints lines that are safe to paste for every directory", async () => {
    for (const name of ["it's", 'a "b"', "$HOME", "`id`", "$(id)", "a\\new", "with space", "*"]) {
      using box = machine(argv);
      const directory = join(box.path, name);
      const hint = async (SHELL: string) =>
        hintIn((await box.install(["--from", tree.directory, "--bin-dir", directory], { SHELL })).out);
      const run = (argv: string[]) =>
        spawned(argv, { cwd: box.home, env: { PATH: process.env.PATH ?? "", HOME: box.home } });
      for (const [shell, file] of [
        ["dash", ".profile"],
        ["bash", ".bashrc"],
      ] as const) {
        const program = Bun.which(shell);
        if (program === null) continue;
        await run([program, "-c", await hint(program)]);
        const { out } = await run([program, "-c", `. ~/${file}; printf %s "$PATH"`]);
        expect([name, shell, out.split(":")[0]]).toEqual([name, shell, directory]);
      }
      if (!FISH) continue;
      const script = `function fish_add_path; printf %s $argv; end; ${await hint("/usr/bin/fish")}`;
      const { out } = await run([Bun.which("fish") ?? "", "--no-config", "-c", script]);
      expect([name, out]).toEqual([name, directory]);
    }
  });

  test("compares the directory with PATH without redundant slashes and dots", async () => {
    using box = machine(argv);
    const bin = join(box.path, "bin");
    for (const [HOME, PATH, args] of [
      [`${box.home}/`, join(box.home, ".local", "bin"), []],
      [box.home, `${box.home}/.local/bin/`, []],
      [box.home, join(box.path, "other"), ["--bin-dir", "./missing/..//other/"]],
    ] as const) {
      const ran = await box.install(["--from", tree.directory, ...args], { HOME, PATH: `${bin}:${PATH}` });
      expect([ran.code, ran.err]).toEqual([0, ""]);
      expect(ran.out).not.toContain("PATH");
      expect(ran.out).not.toContain("//");
      expect(ran.out).not.toContain("..");
    }
    expect(readdirSync(box.path).sort()).toEqual(["a home", "bin", "other"]);
  });

  test("names a file that bash on macOS reads as a login shell", async () => {
    const hint = async (box: Machine) => {
      box.stub("uname", 'if [ "$1" = -s ]; then echo Darwin; else echo x86_64; fi');
      return hintIn((await box.install(["--from", tree.directory])).out);
    };
    for (const [present, file] of [
      [[], "~/.bash_profile"],
      [[".profile"], "~/.profile"],
      [[".profile", ".bash_profile"], "~/.bash_profile"],
    ] as const) {
      using box = machine(argv);
      for (const name of present) writeFileSync(join(box.home, name), "");
      expect(await hint(box)).toEndWith(` >> ${file}`);
    }
  });

  test("prints once how zsh finds the completions", async () => {
    using box = machine(argv);
    const zsh = () => box.install(["--from", tree.directory], { SHELL: "/bin/zsh" });
    const line = `  fpath=('${join(box.home, ".local", "share", "zsh", "site-functions")}' $fpath)\n`;
    expect((await zsh()).out).toContain(line);
    expect((await zsh()).out).not.toContain("fpath");
  });

  test("removes the files of a killed installation, but not those of a running one", async () => {
    using box = machine(argv);
    const directory = join(installed(box.home), "..");
    const running = `.codexlb.${process.pid}.abcdef`;
    // No system has a process with this number.
    const abandoned = ".codexlb.2147483647.abcdef";
    for (const [args, left] of [
      [["--from", tree.directory], ["codexlb"]],
      [["--uninstall"], []],
    ] as const) {
      for (const name of [abandoned, running, ".codexlb.notes"])
        mkdirSync(join(directory, name), { recursive: true });
      expect((await box.install(args)).code).toBe(0);
      expect(readdirSync(directory).sort()).toEqual([running, ".codexlb.notes", ...left].sort());
    }
  });
});
