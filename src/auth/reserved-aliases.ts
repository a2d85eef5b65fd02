// Aliases that no new account gets, because output or flags use them for something else.

import { CodexlbError } from "../errors.ts";
import { checkAlias } from "./homes.ts";

/** Throws `invalid_alias` for an alias that no new account may have. Accounts that have such an alias keep it. */
export function checkNewAlias(alias: string): void {
  checkAlias(alias);
  if (!isReservedAlias(alias)) return;
  throw new CodexlbError("invalid_alias", `${alias} cannot be an alias: ${RESERVED[alias.toLowerCase()]}`, {
    next: `choose another alias, such as ${alias.toLowerCase()}-1`,
  });
}

/** True if output or flags use `alias` for something other than an account. */
export function isReservedAlias(alias: string): boolean {
  return Object.hasOwn(RESERVED, alias.toLowerCase());
}

// --- internal ---

/** Aliases that would be ambiguous, in lower case, each with the reason. */
const RESERVED: Readonly<Record<string, string>> = {
  all: "it would read as all accounts",
  none: "flags use it for no value, and the status for no account",
  pool: "the status uses it for all accounts together",
  total: "usage reports use it for the sum of all accounts",
};
