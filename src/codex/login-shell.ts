// Reads the environment of the user's login shell, so that Codex gets the variables of its profile. The shell ends
// before Codex starts, so a profile cannot print into the output of Codex.

import { closeSync, fstatSync, openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { z } from "zod";
import { parseJson } from "../core/json.ts";
import { unusable } from "../state/atomic-file.ts";
import { REPORT_STATE, type ShellState } from "./shell-state.ts";

/**
 * Runs `shell` as a login shell. `spawn` starts it with the given arguments and `STATE_DESCRIPTOR`, and resolves when
 * it has exited. `self`: the command line that starts this program. Resolves to the result of `spawn` and the shell's
 * state after its profile, which is undefined if the shell exited earlier. Throws `file_unusable`.
 */
export async function shellStateOf<Ended>(
  shell: string,
  self: readonly string[],
  spawn: (argv: string[], descriptor: number) => Promise<Ended>,
): Promise<{ readonly ended: Ended; readonly state: ShellState | undefined }> {
  // An unnamed file, not a pipe: background programs of a profile may keep the descriptor open forever.
  const descriptor = openNameless();
  try {
    const ended = await spawn(throughLoginShell(shell, [...self, REPORT_STATE]), descriptor);
    // Read from the start: all copies of the descriptor share the position where the shell stopped writing.
    const bytes = Buffer.alloc(fstatSync(descriptor).size);
    readSync(descriptor, bytes, 0, bytes.length, 0);
    return { ended, state: State.safeParse(parseJson(bytes.toString())).data };
  } finally {
    closeSync(descriptor);
  }
}

/** Arguments that make `shell` replace itself with `words`, which are passed as arguments, never as script text. */
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
/** Private, because an environment may contain secrets. */
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
