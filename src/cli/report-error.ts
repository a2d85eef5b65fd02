// Prints errors, expected and unexpected ones: the message, the next step, and the stack trace if CODEXLB_DEBUG is 1.

import { REPORT_BUG } from "../core/project-pages.ts";
import { CodexlbError, messageOf, systemCodeOf, systemNext } from "../errors.ts";
import { printError, printErrorMessage } from "../print.ts";
import { shortLine } from "../printable.ts";

/** Prints `codexlb: <what failed and why>`, and the next step on the next line. Returns the exit code. */
export function report(error: unknown): number {
  printErrorMessage(shortLine(messageOf(error)), "codexlb: ");
  const known = error instanceof CodexlbError ? error : undefined;
  const next = known?.next ?? nextOf(error);
  for (const [index, line] of next.split("\n").entries())
    printErrorMessage(shortLine(line), index === 0 ? "  " : "");
  if (process.env.CODEXLB_DEBUG === "1" && error instanceof Error) printError(`${error.stack}\n`);
  return known?.exitCode ?? 1;
}

/**
 * Reports errors that no code has caught, and exits. A proxy (`keepRunning`) only reports rejected promises, and keeps
 * serving.
 */
export function handleUncaughtErrors(keepRunning: boolean): void {
  process.on("uncaughtException", (error) => {
    if (isOnlyListener("uncaughtException")) process.exit(report(error));
  });
  process.on("unhandledRejection", (error) => {
    if (!isOnlyListener("unhandledRejection")) return;
    const code = report(error);
    if (!keepRunning) process.exit(code);
  });
}

// --- internal ---

/** False if the full screen handles the event, too: it restores the terminal first, and reports the error itself. */
function isOnlyListener(event: "uncaughtException" | "unhandledRejection"): boolean {
  return process.listenerCount(event) === 1;
}

/** An error of the system is not a bug of this program. */
function nextOf(error: unknown): string {
  return SYSTEM_ERRORS.has(systemCodeOf(error) ?? "")
    ? (systemNext(error) ?? CHECK_SYSTEM)
    : REPORT_WITH_TRACE;
}

const SYSTEM_ERRORS: ReadonlySet<string> = new Set([
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

const CHECK_SYSTEM = "check the path and its permissions";
const REPORT_WITH_TRACE = `${REPORT_BUG}, with the output of CODEXLB_DEBUG=1`;
