// Runs Codex, and shows on standard error what its turns wait for.

import type { Ended } from "../../codex/run.ts";
import type { RunSeen } from "../../core/run-tag.ts";
import { showWaiting, type WaitProgressContext } from "./wait-progress.ts";

/** A run of Codex that has ended. */
export interface WatchedRun {
  /** How it ended: with code 130 if the user ended it while a turn waited, because Codex does not report that. */
  readonly ended: Ended;
  /** The last answer of the proxy about the run; undefined if there was none. */
  readonly seen: RunSeen | undefined;
  /** True if a signal arrived, such as that of Ctrl-C. */
  readonly isInterrupted: boolean;
}

/** Runs `start`, which runs Codex, and meanwhile asks the proxy about its turns. Throws what `start` throws. */
export async function runWithProgress(
  context: Omit<WaitProgressContext, "isTerminal">,
  start: () => Promise<Ended>,
): Promise<WatchedRun> {
  const progress = showWaiting({ ...context, isTerminal: process.stderr.isTTY === true });
  const signals = onSignal(progress.stop);
  const ended = await start().finally(() => {
    progress.stop();
    signals.stop();
  });
  const seen = progress.last();
  const isInterrupted = signals.arrived();
  const isWaiting = (seen?.waiting?.turns ?? 0) > 0;
  const isPlainFailure = ended.kind === "exit" && ended.code !== 0;
  return {
    ended: isPlainFailure && isInterrupted && isWaiting ? { kind: "exit", code: INTERRUPTED } : ended,
    seen,
    isInterrupted,
  };
}

// --- internal ---

/** The exit code after Ctrl-C. */
const INTERRUPTED = 130;
const SIGNALS = ["SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP"] as const;

/** Calls `act` when the user ends the run. `runCodex` passes the signals on to Codex. */
function onSignal(act: () => void): { arrived(): boolean; stop(): void } {
  let hasArrived = false;
  const note = () => {
    hasArrived = true;
    act();
  };
  for (const signal of SIGNALS) process.on(signal, note);
  return {
    arrived: () => hasArrived,
    stop: () => {
      for (const signal of SIGNALS) process.off(signal, note);
    },
  };
}
