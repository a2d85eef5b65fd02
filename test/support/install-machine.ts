// Simulates the machine on which a user runs install.sh, with only the programs that every system has.

import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Ran } from "./executable.ts";
import { isThere } from "./shells.ts";
import { type TempDirectory, tempDirectory } from "./temp.ts";

/** The path of install.sh. */
export const INSTALLER = join(import.meta.dir, "..", "..", "install.sh");
const READY = ["curl", "wget", "setpriv"].every((program) => isThere(program, "install.sh"));
/** The commands that start the shells of this machine that install.sh supports. */
export const SHELLS = [["dash"], ["bash"], ["zsh"], ["busybox", "sh"]].filter(
  ([program = ""]) => READY && isThere(program, `install.sh in ${program}`),
);
/** The programs that every system has and the script may use. */
const TOOLS =
  "sh cat getconf sed cut dirname basename readlink mktemp mkdir cp chmod mv rm rmdir tar gzip sha256sum curl wget";

export interface Machine extends TempDirectory {
  readonly home: string;
  /** Replaces a program of the machine with a shell script, or adds one. */
  stub(name: string, script: string): void;
  remove(...names: string[]): void;
  install(args: readonly string[], more?: Record<string, string>): Promise<Ran>;
}

/** A simulated Linux machine with an x64 processor, AVX2 and glibc. The user's home has a space in its name. */
export function machine(shell: readonly string[]): Machine {
  const temp = tempDirectory();
  const bin = join(temp.path, "bin");
  const home = join(temp.path, "a home");
  mkdirSync(bin);
  mkdirSync(home);
  for (const tool of TOOLS.split(" ")) {
    // On Alpine, busybox provides more programs than the shell.
    const provider = shell[0] === "busybox" && !["curl", "getconf"].includes(tool) ? "busybox" : tool;
    symlinkSync(Bun.which(provider) ?? `missing-${tool}`, join(bin, tool));
  }
  const stub = (name: string, script: string) => {
    rmSync(join(bin, name), { force: true });
    writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  };
  stub("uname", 'if [ "$1" = -s ]; then echo Linux; else echo x86_64; fi');
  stub("ldd", "echo 'ldd (Debian GLIBC 2.36) 2.36'");
  stub("grep", "exit 0");
  // Start the shell by its path, because it may not be on the machine's PATH.
  const [program = "", ...flags] = shell;
  return {
    path: temp.path,
    home,
    stub,
    remove: (...names) => {
      for (const name of names) rmSync(join(bin, name));
    },
    install: (args, more = {}) =>
      spawned([Bun.which(program) ?? program, ...flags, INSTALLER, ...args], {
        cwd: temp.path,
        env: { PATH: bin, HOME: home, SHELL: "/bin/bash", ...more },
      }),
    [Symbol.dispose]: () => temp[Symbol.dispose](),
  };
}

/** Runs `argv` with only the variables in `env`, and with no standard input by default. */
export async function spawned(
  argv: string[],
  options: { cwd: string; env: Record<string, string>; stdin?: Blob },
): Promise<Ran> {
  const child = Bun.spawn(argv, { stdin: "ignore", ...options, stdout: "pipe", stderr: "pipe" });
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { code, out, err };
}

/** The path of the executable that install.sh installs for the user with this home. */
export const installed = (home: string) => join(home, ".local", "bin", "codexlb");
/** The man page and the completions, below `~/.local/share`. */
export const ACCESSORIES = [
  "man/man1/codexlb.1",
  "bash-completion/completions/codexlb",
  "zsh/site-functions/_codexlb",
  "fish/vendor_completions.d/codexlb.fish",
];
