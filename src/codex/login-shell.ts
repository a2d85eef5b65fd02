// The environment of the user's login shell, so that Codex gets what its profile sets. The shell ends before Codex
// starts: what a profile prints then cannot get into the output of Codex.

import { closeSync, fstatSync, openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { z } from "zod";
import { parseJson } from "../core/json.ts";
import { unusable } from "../state/atomic-file.ts";
import { REPORT_STATE, type ShellState } from "./shell-state.ts";

/**
 * Runs `shell` as a login shell by `spawn`, which gets its words and what must be its `STATE_DESCRIPTOR`, and resolves
 * when the shell has ended. `self`: the words that start this program. Resolves to what `spawn` resolved to, and to what
 * the profile has set; undefined if the shell did not get that far. Throws `file_unusable`.
 */
export async function shellStateOf<Ended>(
  shell: string,
  self: readonly string[],
  spawn: (argv: string[], descriptor: number) => Promise<Ended>,
): Promise<{ readonly ended: Ended; readonly state: ShellState | undefined }> {
  // A file without a name, not a pipe: what a profile leaves running may keep the descriptor open for ever.
  const descriptor = openNameless();
  try {
    const ended = await spawn(throughLoginShell(shell, [...self, REPORT_STATE]), descriptor);
    // From its start: the place where the shell stopped writing is the place of every copy of the descriptor.
    const bytes = Buffer.alloc(fstatSync(descriptor).size);
    readSync(descriptor, bytes, 0, bytes.length, 0);
    return { ended, state: State.safeParse(parseJson(bytes.toString())).data };
  } finally {
    closeSync(descriptor);
  }
}

/** The words that run `words` out of `shell`, in its place. They are arguments, never the text of a script. */
export function throughLoginShell(shell: string, words: readonly string[]): string[] {
  const name = basename(shell);
  if (name === "fish") return [shell, "-lc", "exec $argv", ...words];
  return [POSIX_SHELLS.has(name) ? shell : "/bin/sh", "-lc", 'exec "$0" "$@"', ...words];
}

// --- internal ---

const State: z.ZodType<ShellState> = z.object({
  env: z.record(z.string(), z.string()),
  cwd: z.string(),
  umask: z.number().int().min(0).max(0o777),
});

const POSIX_SHELLS: ReadonlySet<string> = new Set("sh bash zsh dash ksh mksh ash yash".split(" "));
/** An environment may hold secrets. */
const FILE_MODE = 0o600;

function openNameless(): number {
  const path = join(tmpdir(), `codexlb-${crypto.randomUUID()}`);
  try {
    const descriptor = openSync(path, "wx+", FILE_MODE);
    rmSync(path);
    return descriptor;
  } catch (error) {
    throw unusable(`creating a temporary file in ${tmpdir()}`, error);
  }
}
