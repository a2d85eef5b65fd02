// Codex out of the user's login shell, so that the profile applies. The words go to the shell as arguments, never as text
// of a script: shells differ in what quotes mean, and a prompt may hold anything.

import { basename } from "node:path";
import type { CodexCommand } from "./command-line.ts";

/**
 * The words that run `command` out of `shell`, in the shell's own place, so that signals reach Codex and its end is the
 * shell's end. A profile may have taken the directory of Codex off the PATH: then it is the one at `found`.
 */
export function throughLoginShell(
  shell: string,
  { binary, args }: Pick<CodexCommand, "binary" | "args">,
  found: string | undefined,
): string[] {
  const name = basename(shell);
  const words = [found ?? binary, binary, ...args];
  if (name === "fish") return [shell, "-lc", FISH, ...words];
  return [POSIX_SHELLS.has(name) ? shell : "/bin/sh", "-lc", POSIX, ...words];
}

// --- internal ---

const POSIX_SHELLS: ReadonlySet<string> = new Set("sh bash zsh dash ksh mksh ash yash".split(" "));
/** Its $0 is where Codex was found, its arguments are the command. */
const POSIX =
  'if ! command -v "$1" >/dev/null 2>&1; then found=$0; shift; set -- "$found" "$@"; fi; exec "$@"';
const FISH = "set -l found $argv[1]; set -e argv[1]; type -q $argv[1]; or set argv[1] $found; exec $argv";
