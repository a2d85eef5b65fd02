// Properties of the terminal: whether to use colours, and whether this process is in its foreground.

import { placeInTerminal } from "../../codex/foreground.ts";
import { showMeanwhile } from "../../print.ts";

/** On a terminal, shows `what` until `work` has finished, and then erases it. */
export async function waitingFor<T>(what: string, work: Promise<T>): Promise<T> {
  if (process.stderr.isTTY !== true) return work;
  const erase = showMeanwhile(`${what} ...`);
  try {
    return await work;
  } finally {
    erase();
  }
}

/** True if the output is a terminal and the user has not set NO_COLOR (no-color.org). */
export function wantsColour(env: Readonly<Record<string, string | undefined>>): boolean {
  return process.stdout.isTTY === true && !env.NO_COLOR && env.TERM !== "dumb";
}

/** False for a background job, which may not change the modes of the terminal. True if it is unknown. */
export function isForeground(): boolean {
  return placeInTerminal() !== "background";
}
