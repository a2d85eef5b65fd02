// Finds a ChatGPT account that is enrolled under two aliases. Each token refresh of one login invalidates the other.

import { identityOfListed } from "../../auth/account-ops.ts";
import { sameIdentity, twinProblems } from "../../auth/identity.ts";
import type { CommandContext } from "../context.ts";
import type { Place } from "./account-place.ts";
import { withAccounts } from "./with-accounts.ts";

/** A warning if the newly enrolled account `alias` is also enrolled under another alias; undefined if it is not. */
export async function duplicateLoginWarning(
  context: CommandContext,
  place: Place,
  alias: string,
): Promise<string | undefined> {
  // The warning is optional: the account is enrolled even if the proxy does not list its accounts.
  const accounts = await withAccounts(context, place, { write: false }, (ops) => ops.list()).catch(() => []);
  const identities = accounts.map(identityOfListed);
  const own = identities.find((identity) => identity.alias === alias);
  if (own === undefined) return undefined;
  const duplicates = identities.filter((other) => sameIdentity([other], own).length > 0);
  return twinProblems(identities, duplicates)[0];
}
