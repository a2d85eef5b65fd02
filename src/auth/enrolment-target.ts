// Checks whether an account can be enrolled under an alias, before the user signs in or types a key.

import { advised } from "../advice.ts";
import { CodexlbError } from "../errors.ts";
import type { ListedAccount } from "./account-ops.ts";
import { listedBaseUrl } from "./listed-api-key.ts";
import { checkNewAlias } from "./reserved-aliases.ts";

/** An enrolment that was asked for. */
export interface EnrolmentTarget {
  readonly alias: string;
  readonly kind: "api-key" | "login";
  /** Replace an account of the other kind. */
  readonly replace: boolean;
}

/**
 * Throws `invalid_alias` for an alias that no new account may have, and `identity_differs` if the account of that alias
 * has a login instead of a key, or a key instead of a login, and `replace` is not set. `accounts`: those enrolled.
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
    ? new CodexlbError("identity_differs", `${alias} has an API key, so you cannot log in to it`, {
        next: `replace the key with: ${advised("account add-key", alias, "--key-stdin")}; to enrol a ChatGPT account, use another alias, or add --replace to discard the key`,
      })
    : new CodexlbError("identity_differs", `${alias} is a ChatGPT account, so it cannot get an API key`, {
        next: "use another alias for the key, or add --replace to discard the login",
      });
}
