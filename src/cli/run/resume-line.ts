// The line at the end of an interactive run that continues its thread in the pool. The one that Codex prints, `codex
// resume ID`, starts Codex without the pool.

import { globSync } from "node:fs";
import { quote } from "../../quote.ts";

/** The flags of `codexlb run` that the next run needs in order to find the same thread and the same proxy. */
const KEPT_FLAGS = ["root", "proxy-url", "codex-bin", "codex-home", "isolated-home", "native-home"] as const;

/** The values of the run's flags. */
export type RunFlags = Readonly<Partial<Record<(typeof KEPT_FLAGS)[number], string | boolean | undefined>>>;

/**
 * The command that continues the first of `threads` that Codex has saved in the home `home`; undefined if there is none.
 * `flags` are those of the run.
 */
export function resumeLine(home: string, threads: readonly string[], flags: RunFlags): string | undefined {
  const thread = savedThread(home, threads);
  if (thread === undefined) return undefined;
  return runLine(["resume", thread], flags);
}

/** The command that runs Codex with `args` at the proxy and in the home of the run with `flags`. */
export function runLine(args: readonly string[], flags: RunFlags): string {
  const kept = KEPT_FLAGS.flatMap((name) => {
    const value = flags[name];
    if (typeof value === "string") return value.trim() === "" ? [] : [`--${name}`, value];
    return value === true ? [`--${name}`] : [];
  });
  return ["codexlb run", ...[...kept, ...args].map(quote)].join(" ");
}

/** The first of `threads` that Codex has saved in the home `home`. */
export function savedThread(home: string, threads: readonly string[]): string | undefined {
  return threads.find((id) => isSaved(home, id));
}

// --- internal ---

/** Codex saves a thread with its first turn, and only threads of the user. */
function isSaved(home: string, thread: string): boolean {
  return globSync(`sessions/*/*/*/rollout-*-${thread}.jsonl*`, { cwd: home }).length > 0;
}
