// What `codexlb proxy logs` says on a terminal if it has no event to show.

import { accountId } from "../../state/account-record.ts";
import { placeOf } from "../accounts/account-place.ts";
import { withAccounts } from "../accounts/with-accounts.ts";
import type { RemoteFlags } from "../common-flags.ts";
import type { CommandContext } from "../context.ts";
import { type FilterFlags, isFiltered } from "./log-filter.ts";

/**
 * Reports on stderr that the log has no event for `flags`, and whether the account in them is unknown. `lines`: how many
 * of the last lines were read without a filter; 0: all.
 */
export async function reportNoEvents(
  context: CommandContext,
  flags: FilterFlags & RemoteFlags,
  lines: number,
): Promise<void> {
  const { log } = context.deps;
  if (!isFiltered(flags)) {
    const where = lines === 0 ? "the log" : `the last ${lines} lines of the log`;
    return log.info(`${where} has no switches or failures${flags.all ? "" : "; --all shows other events"}`);
  }
  const given = (["account", "session", "since", "level"] as const)
    .filter((name) => flags[name] !== undefined)
    .map((name) => `--${name} ${flags[name]}`);
  log.info(`no event in the log matches ${given.join(" ")}`);
  const account = flags.account?.trim();
  const aliases = account === undefined ? undefined : await knownAliases(context, flags);
  if (account === undefined || aliases === undefined) return;
  if (aliases.some((alias) => alias === account || accountId(alias) === account)) return;
  const known = aliases.length === 0 ? "there are no accounts" : `accounts: ${aliases.join(", ")}`;
  log.info(`no account is called ${JSON.stringify(account)}; ${known}`);
}

// --- internal ---

/** The aliases of the accounts; undefined if the proxy does not answer or refuses to list them. */
async function knownAliases(context: CommandContext, flags: RemoteFlags): Promise<string[] | undefined> {
  try {
    const place = await placeOf(context, flags);
    const accounts = await withAccounts(context, place, { write: false }, (ops) => ops.list());
    return accounts.map(({ alias }) => alias).sort();
  } catch {
    // The log was read already. The accounts are only a hint.
    return undefined;
  }
}
