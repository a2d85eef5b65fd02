// What is known of the terminal: how wide it is, whether colours are wanted, and whose it is.

import { placeInTerminal } from "../../codex/foreground.ts";
import { showMeanwhile } from "../../print.ts";

/** Columns of the output: COLUMNS, else those of the terminal; undefined when the output is none. */
export function outputColumns(env: Readonly<Record<string, string | undefined>>): number | undefined {
  const told = Number(env.COLUMNS);
  if (Number.isInteger(told) && told > 0) return told;
  return process.stdout.isTTY ? process.stdout.columns : undefined;
}

/** Says what is waited for while `work` is under way, where somebody looks on; nothing of it stays. */
export async function waitingFor<T>(what: string, work: Promise<T>): Promise<T> {
  if (process.stderr.isTTY !== true) return work;
  const erase = showMeanwhile(`${what} ...`);
  try {
    return await work;
  } finally {
    erase();
  }
}

/** Colours are for terminals whose user has not said NO_COLOR (no-color.org). */
export function wantsColour(env: Readonly<Record<string, string | undefined>>): boolean {
  return process.stdout.isTTY === true && !env.NO_COLOR && env.TERM !== "dumb";
}

/** False for a job in the background, which may not set the terminal. True where that cannot be told. */
export function isForeground(): boolean {
  return placeInTerminal() !== "background";
}
