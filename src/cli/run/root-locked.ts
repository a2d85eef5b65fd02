// How `codexlb proxy --until-deserted` says to `codexlb run`, which starts it, that another process owns the root.

import { CodexlbError } from "../../errors.ts";

/** Its exit status then: EX_TEMPFAIL of sysexits.h. */
export const ROOT_LOCKED_EXIT = 75;

/** `error` with that exit status if it is `root_locked`; any other error as it is. */
export function withRootLockedExit(error: unknown): unknown {
  if (!(error instanceof CodexlbError) || error.code !== "root_locked") return error;
  return new CodexlbError(error.code, error.message, {
    next: error.next,
    cause: error,
    exitCode: ROOT_LOCKED_EXIT,
  });
}
