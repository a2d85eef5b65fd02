// Checks the Codex homes of client keys: whether there are some that no run has used for a long time, for example
// because their key was removed.

import { statSync } from "node:fs";
import { join } from "node:path";
import { ago } from "../../core/time-words.ts";
import { quote } from "../../quote.ts";
import { linkedHomesIn } from "../../state/layout.ts";
import type { CommandContext } from "../context.ts";
import type { Finding } from "./finding.ts";

/**
 * A warning for each home of a client key without a run in the last 30 days. It is not removed, because settings that
 * Codex has changed there are nowhere else, and the key may be one of a proxy on another machine.
 */
export function examineKeyHomes({ deps, layout }: CommandContext): Finding[] {
  const nowMs = deps.clock.now();
  return linkedHomesIn(layout).flatMap((path): Finding[] => {
    // Each run writes the stub.
    const lastRunMs = statSync(join(path, "auth.json"), { throwIfNoEntry: false })?.mtimeMs;
    if (!KEY_HOME.test(path) || lastRunMs === undefined || nowMs - lastRunMs < UNUSED_MS) return [];
    return [
      {
        check: "homes",
        status: "warning",
        detail: `${path} belongs to a client key and was last used ${ago(lastRunMs, nowMs)}`,
        remedy: `if that key is no longer used, run: rm -r ${quote(path)}, which deletes the settings saved there, and nothing in your own Codex home`,
      },
    ];
  });
}

// --- internal ---

const KEY_HOME = /-key-[0-9a-f]{12}$/;
/** The stub in a home that no run has used for so long is no longer valid. */
const UNUSED_MS = 30 * 86_400_000;
