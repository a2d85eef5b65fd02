// Lets a command undo its work when a signal interrupts it.

import { constants } from "node:os";
import { CodexlbError } from "../errors.ts";

export interface Interruption extends Disposable {
  /** Aborted by the first SIGINT, SIGTERM or SIGHUP; the reason is the name of that signal. */
  readonly signal: AbortSignal;
  /** The error to exit with after the interruption. `result` says what the command has done about it. */
  error(result: string, next?: string): CodexlbError;
}

/** From now on these signals do not end the process. A second one has no effect, so that the command can clean up. */
export function catchInterruption(): Interruption {
  const controller = new AbortController();
  const interrupt = (name: NodeJS.Signals) => controller.abort(name);
  for (const name of SIGNALS) process.on(name, interrupt);
  return {
    signal: controller.signal,
    error: (result, next = "run the command again") => {
      const name = controller.signal.reason as (typeof SIGNALS)[number];
      return new CodexlbError("interrupted", `interrupted by ${name}; ${result}`, {
        exitCode: 128 + constants.signals[name],
        next,
      });
    },
    [Symbol.dispose]: () => {
      for (const name of SIGNALS) process.off(name, interrupt);
    },
  };
}

// --- internal ---

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
