// The exit code with which `codexlb proxy --until-deserted` reports to `codexlb run` that another process owns the
// root.

import { CodexlbError } from "../../errors.ts";

/** The exit code: EX_TEMPFAIL of sysexits.h. */
export const ROOT_LOCKED_EXIT = 75;

/** Returns `error` with that exit code if it is `root_locked`; other errors are returned unchanged. */
export function withRootLockedExit(error: unknown): unknown {
  if (!(error instanceof CodexlbError) || error.code !== "root_locked") return error;
  return new CodexlbError(error.code, error.message, {
    next: error.next,
    cause: error,
    exitCode: ROOT_LOCKED_EXIT,
  });
}
