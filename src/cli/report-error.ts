// What nobody has thought of: told in one line, as everything that goes wrong, and where it happened only to whoever
// asks.

import { CodexlbError, messageOf, systemCodeOf } from "../errors.ts";
import { printError } from "../print.ts";
import { shortLine } from "../printable.ts";

/** `codexlb: <what failed and why>`, then the next step on a line of its own; returns the exit code. */
export function report(error: unknown): number {
  printError(`codexlb: ${shortLine(messageOf(error))}\n`);
  const known = error instanceof CodexlbError ? error : undefined;
  const next = known === undefined ? nextOf(error) : known.next;
  if (next !== undefined)
    printError(
      `  ${next
        .split("\n")
        .map((line) => shortLine(line))
        .join("\n")}\n`,
    );
  if (process.env.CODEXLB_DEBUG === "1" && error instanceof Error) printError(`${error.stack}\n`);
  return known?.exitCode ?? 1;
}

/**
 * Errors that nobody waited for: the program ends with them, but for one that serves others (`goOn`), which tells of
 * them and serves on.
 */
export function catchSurprises(goOn: boolean): void {
  process.on("uncaughtException", (error) => {
    if (isAlone("uncaughtException")) process.exit(report(error));
  });
  process.on("unhandledRejection", (error) => {
    if (!isAlone("unhandledRejection")) return;
    const code = report(error);
    if (!goOn) process.exit(code);
  });
}

// --- internal ---

/** Who has the whole screen gives it back first, and hears of it by itself. */
function isAlone(event: "uncaughtException" | "unhandledRejection"): boolean {
  return process.listenerCount(event) === 1;
}

/** What the system refuses is no mistake of the program. */
function nextOf(error: unknown): string {
  return OF_THE_SYSTEM.has(systemCodeOf(error) ?? "") ? LOOK : ASK;
}

const OF_THE_SYSTEM: ReadonlySet<string> = new Set([
  "EACCES",
  "EDQUOT",
  "EIO",
  "EISDIR",
  "ELOOP",
  "EMFILE",
  "ENAMETOOLONG",
  "ENFILE",
  "ENOSPC",
  "ENOTDIR",
  "EPERM",
  "EROFS",
]);

const LOOK = "look at what is there, who may use it, and whether there is room";
const ASK = "this should not happen: please report it, with what CODEXLB_DEBUG=1 shows";
