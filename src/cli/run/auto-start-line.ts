// The command that repeats a run with a proxy of its own.

import { advised } from "../../advice.ts";
import { RUN_FLAGS } from "./run-flags.ts";

/**
 * The command that runs Codex again with `args`, and with a proxy of its own. `flags` are the values of the run's flags.
 * Arguments that do not fit into a message, such as a long prompt, are replaced: `codexlb run --auto-start ...`.
 */
export function autoStartLine(args: readonly string[], flags: Readonly<Record<string, unknown>>): string {
  const kept = Object.keys(RUN_FLAGS).flatMap((name) => {
    const value = flags[name];
    if (ADDED.has(name)) return [];
    if (value === true) return [`--${name}`];
    return typeof value === "string" && value.trim() !== "" ? [`--${name}=${value}`] : [];
  });
  // Otherwise the first argument would be read as a flag of the run.
  const separator = args[0]?.startsWith("-") ? ["--"] : [];
  const line = advised("run", "--auto-start", ...kept, ...separator, ...args);
  return line.length > LONGEST_LINE || /\p{Cc}/u.test(line) ? `${advised("run", "--auto-start")} ...` : line;
}

// --- internal ---

/** Flags that `advised` adds, or that apply only to a proxy that the user names. */
const ADDED: ReadonlySet<string> = new Set(["root", "proxy-url", "auto-start"]);
const LONGEST_LINE = 300;
