// Whether an account can be enrolled under an alias, as far as that is known before its login or key is. A command checks
// it first, so that nobody signs in or types a key in vain.

import { advised } from "../advice.ts";
import { CodexlbError } from "../errors.ts";
import type { ListedAccount } from "./account-ops.ts";
import { checkAlias } from "./homes.ts";
import { listedBaseUrl } from "./listed-api-key.ts";

/** An enrolment that was asked for. */
export interface EnrolmentTarget {
  readonly alias: string;
  readonly kind: "api-key" | "login";
  /** Replace an account of the other kind. */
  readonly replace: boolean;
}

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

/**
 * Throws `invalid_alias` for an alias that no new account may have, and `identity_differs` if the account of that alias
 * has a login instead of a key, or a key instead of a login, and is not to be replaced. `accounts`: those enrolled.
 */
export function checkEnrolment(
  { alias, kind, replace }: EnrolmentTarget,
  accounts: readonly ListedAccount[],
): void {
  const known = accounts.find((account) => account.alias === alias);
  if (known === undefined) return checkNewAlias(alias);
  const isKey = listedBaseUrl(known) !== undefined;
  if (replace || isKey === (kind === "api-key")) return;
  throw isKey
    ? new CodexlbError("identity_differs", `${alias} has an API key, so it cannot be logged in to`, {
        next: `replace the key with: ${advised("account add-key", alias, "--key-stdin")}; to enrol a ChatGPT account, use another alias, or add --replace to discard the key`,
      })
    : new CodexlbError("identity_differs", `${alias} is a ChatGPT account, so it cannot get an API key`, {
        next: "use another alias for the key, or add --replace to discard the login",
      });
}

// --- internal ---

/** Aliases that would be ambiguous, in lower case, each with the reason. */
const RESERVED: Readonly<Record<string, string>> = {
  all: "it would read as all accounts",
  none: "flags use it for no value, and codexlb status for no account",
  pool: "codexlb status uses it for all accounts together",
  total: "codexlb usage uses it for the sum of all accounts",
};
