// The next steps of errors from another proxy. The proxy writes its advice for the machine that it runs on, so a command
// writes its own where it knows from the code what to advise.

import { remoteAccounts } from "../../admin/client.ts";
import type { Door } from "../../admin/door.ts";
import { logInNext } from "../../auth/auth-file.ts";
import { unknownAccountNext } from "../../auth/enrol.ts";
import { CodexlbError, type ErrorCode } from "../../errors.ts";

/**
 * `error` of the proxy behind `door`, with a next step for this command line if its code has one. `about` is the alias
 * or id that the command names. Asks the proxy for its accounts if it does not know that one.
 */
export async function withAdviceHere(
  error: unknown,
  door: Door,
  about: string | undefined,
): Promise<unknown> {
  if (!(error instanceof CodexlbError)) return error;
  const next = NEXT[error.code]?.() ?? (await unknownNext(error, door, about));
  return next === undefined ? error : new CodexlbError(error.code, error.message, { next, cause: error });
}

// --- internal ---

const NEXT: Readonly<Partial<Record<ErrorCode, () => string>>> = {
  invalid_auth_file: logInNext,
};

async function unknownNext(
  { code }: CodexlbError,
  door: Door,
  about: string | undefined,
): Promise<string | undefined> {
  if (code !== "account_not_found" || about === undefined) return undefined;
  const accounts = await remoteAccounts(door)
    .list()
    .catch(() => undefined);
  const aliases = accounts?.map(({ alias }) => alias);
  return aliases === undefined ? undefined : unknownAccountNext(about, aliases, "--into", "proxy");
}
