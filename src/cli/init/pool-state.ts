// The accounts and the proxy of the root, as the steps of `codexlb init` see them.

import type { ListedAccount } from "../../auth/account-ops.ts";
import { identityOfListed } from "../../auth/account-ops.ts";
import { personName } from "../../auth/identity.ts";
import { placeHere } from "../accounts/account-place.ts";
import { withAccounts } from "../accounts/with-accounts.ts";
import { configOf } from "../config/root-config.ts";
import { type CommandContext, rootExists } from "../context.ts";

/** The accounts of the root. Changes nothing. */
export async function accountsOf(context: CommandContext): Promise<readonly ListedAccount[]> {
  if (!rootExists(context)) return [];
  return withAccounts(context, await placeHere(context), { write: false }, (ops) => ops.list());
}

/** True if a proxy on the root could serve turns: it has accounts, or child proxies. */
export async function canServe(context: CommandContext): Promise<boolean> {
  if ((await configOf(context)).proxy.child_proxy_urls.length > 0) return true;
  return (await accountsOf(context)).length > 0;
}

/** `alice (alice@example.com), bob`. */
export function namesOf(accounts: readonly ListedAccount[]): string {
  const identities = accounts.map(identityOfListed);
  return identities
    .map((one) => {
      const person = personName(one, identities);
      return person === undefined || person === one.alias ? one.alias : `${one.alias} (${person})`;
    })
    .join(", ");
}

/** The account that served last, and when (Unix ms); undefined if none has served. */
export function servedLast(
  accounts: readonly ListedAccount[],
): { readonly alias: string; readonly atMs: number } | undefined {
  const served = accounts
    .map((account) => ({ alias: account.alias, atMs: Number(account.last_used_at_ms ?? 0) }))
    .filter(({ atMs }) => atMs > 0)
    .sort((a, b) => b.atMs - a.atMs);
  return served[0];
}
