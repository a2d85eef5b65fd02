// Explains a failed `codexlb run resume`: the thread can still be open in the background server of the user's own Codex.

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Ended } from "../../codex/run.ts";

/** The socket of a running server in a Codex home. */
const SERVER_SOCKET = join("app-server-control", "app-server-control.sock");

/**
 * The advice at the end of a run with `args` in a home linked to `own`; undefined if the run succeeded, resumed no
 * thread, or if no such server runs.
 */
export function openThreadAdvice(
  own: string | undefined,
  args: readonly string[],
  ended: Ended,
): string | undefined {
  const hasFailed = ended.kind === "exit" && ended.code !== 0;
  if (own === undefined || !hasFailed || !args.includes("resume")) return undefined;
  if (!existsSync(join(own, SERVER_SOCKET))) return undefined;
  return "if the thread already has an active writer, it is open in the background server of your own Codex; end that server with: codex app-server daemon stop";
}
