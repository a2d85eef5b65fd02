// Runs `codexlb status --watch` in a pane, with a pool of the executable.

import type { ExecutablePool } from "../support/executable-pool.ts";
import { openPane, type Pane } from "../support/tmux.ts";

export const WATCH = "./codexlb status --watch --interval 500ms";

/** A shell in the directory of the executable. */
export function openShell({ tool }: ExecutablePool, columns = 80): Promise<Pane> {
  return openPane({ columns, rows: 24, cwd: tool.directory, env: tool.env() });
}

/** Resolves to the screen when it shows the complete frame with its last line. */
export function picture(pane: Pane): Promise<string[]> {
  return pane.shows(/^ *pool .*%/);
}
