// A hint for commands that select by an account which may be misspelled.

import { unknownAccountNext } from "../../auth/enrol.ts";
import { accountId } from "../../state/account-record.ts";
import type { RemoteFlags } from "../common-flags.ts";
import type { CommandContext } from "../context.ts";
import { placeOf } from "./account-place.ts";
import { withAccounts } from "./with-accounts.ts";

/**
 * Says that no account is called `name` (an alias or an id), with what was probably meant. Undefined if there is such an
 * account, if `name` is one of `others`, or if the proxy does not answer or refuses to list the accounts.
 */
export async function unknownAccountHint(
  context: CommandContext,
  flags: RemoteFlags,
  name: string,
  others: readonly string[] = [],
): Promise<string | undefined> {
  const aliases = await knownAliases(context, flags);
  if (aliases === undefined) return undefined;
  if (aliases.some((alias) => accountId(alias) === name)) return undefined;
  const known = [...new Set([...aliases, ...others])].sort();
  if (known.includes(name)) return undefined;
  return `no account is called ${JSON.stringify(name)}; ${unknownAccountNext(name, known)}`;
}

/** The aliases of the proxy's accounts; undefined if the proxy does not answer or refuses to list the accounts. */
export async function knownAliases(
  context: CommandContext,
  flags: RemoteFlags,
): Promise<string[] | undefined> {
  try {
    const place = await placeOf(context, flags);
    const accounts = await withAccounts(context, place, { write: false }, (ops) => ops.list());
    return accounts.map(({ alias }) => alias);
  } catch {
    // The accounts are only a hint.
    return undefined;
  }
}
