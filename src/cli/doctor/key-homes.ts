// Finds the Codex homes of client keys that no run has used for a long time, for example because their key was removed.

import { statSync } from "node:fs";
import { join } from "node:path";
import { ago } from "../../core/time-words.ts";
import { quote } from "../../quote.ts";
import { linkedHomesIn } from "../../state/layout.ts";
import type { CommandContext } from "../context.ts";
import type { Finding } from "./finding.ts";

/**
 * A warning for each home of a client key without a run in the last 30 days. The home is not removed, because
 * it may have settings that exist nowhere else, and its key may belong to a proxy on another machine.
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
        remedy: `if that key is no longer used, run: rm -r ${quote(path)}, which deletes the settings saved there, but nothing in your own Codex home`,
      },
    ];
  });
}

// --- internal ---

const KEY_HOME = /-key-[0-9a-f]{12}$/;
/** After this time without a run, the stub in the home is no longer valid. */
const UNUSED_MS = 30 * 86_400_000;
