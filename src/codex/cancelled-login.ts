// How a login ends that the user cancels.

import { constants } from "node:os";
import { CodexlbError } from "../errors.ts";

/** The error of a login that `signal` ended; the exit code is that of a shell. */
export function cancelledLogin(signal: NodeJS.Signals): CodexlbError {
  return new CodexlbError("interrupted", "the login was cancelled; nothing was changed", {
    next: "run the command again to log in",
    exitCode: 128 + constants.signals[signal],
  });
}

/** The signal that ended a program with `exitCode`, if a user ends programs with it; otherwise undefined. */
export function cancellingSignal(exitCode: number): NodeJS.Signals | undefined {
  return SIGNALS.find((signal) => exitCode === 128 + constants.signals[signal]);
}

// --- internal ---

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const;
