// The same ChatGPT account under two aliases: each renewal of one login ends the other, sooner or later.

import { identityOfListed } from "../../auth/account-ops.ts";
import { sameIdentity, twinProblems } from "../../auth/identity.ts";
import type { CommandContext } from "../context.ts";
import type { Place } from "./account-place.ts";
import { withAccounts } from "./with-accounts.ts";

/** What is to be said of the account that was just enrolled as `alias`; undefined when it is the only one of its kind. */
export async function twinProblem(
  context: CommandContext,
  place: Place,
  alias: string,
): Promise<string | undefined> {
  // A hint only: a proxy that does not list its accounts has enrolled it all the same.
  const accounts = await withAccounts(context, place, { write: false }, (ops) => ops.list()).catch(() => []);
  const identities = accounts.map(identityOfListed);
  const own = identities.find((identity) => identity.alias === alias);
  if (own === undefined) return undefined;
  const twins = identities.filter((other) => sameIdentity([other], own).length > 0);
  return twinProblems(identities, twins)[0];
}
