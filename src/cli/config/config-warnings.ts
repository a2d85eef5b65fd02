// Warnings about a config.toml that is valid: keys, values and tables in it that have no effect.

import { reconcile } from "../../auth/homes.ts";
import { uselessOptions } from "../../core/useless-options.ts";
import type { AccountRecord } from "../../state/account-record.ts";
import { readConfigFile } from "../../state/config-source.ts";
import type { Config } from "../../state/settings.ts";
import { openStore } from "../../state/store.ts";
import type { CommandContext } from "../context.ts";

/**
 * The warnings about the config.toml of the root, each with the path of the file. Tables of accounts are checked only if
 * the root has accounts that can be read. Writes nothing. Throws `invalid_config` and `file_unusable` for a config.toml
 * that is not valid.
 */
export function configWarnings(context: CommandContext): string[] {
  const { layout } = context;
  const { config, unknown, ignored } = readConfigFile(layout);
  const accounts = accountsOf(context);
  const tables = unknownAliases(config.accounts, accounts).map(
    (alias) => `[accounts.${alias}] has no effect, because there is no account ${alias}`,
  );
  const options = uselessSettings(config.accounts, accounts ?? []);
  return [...unknown, ...ignored, ...tables, ...options].map((warning) => `${layout.config}: ${warning}`);
}

/** The tables `[accounts.ALIAS]` of aliases that no account has; none if the accounts are unknown. */
export function unknownAliases(
  options: Config["accounts"],
  accounts: readonly { readonly alias: string }[] | undefined,
): string[] {
  if (accounts === undefined) return [];
  const aliases = new Set(accounts.map(({ alias }) => alias.toLowerCase()));
  return Object.keys(options).filter((alias) => !aliases.has(alias));
}

/** A text for each option of an account in `options` that has no effect. */
export function uselessSettings(
  options: Config["accounts"],
  accounts: readonly Pick<AccountRecord, "alias" | "billing">[],
): string[] {
  return accounts.flatMap(({ alias, billing }) =>
    uselessOptions(options[alias.toLowerCase()] ?? {}, billing !== undefined).map(
      ({ field, why }) => `${field} of [accounts.${alias}] has no effect on that account: ${why}`,
    ),
  );
}

// --- internal ---

/** The accounts of the root; undefined if there are none yet, or if they cannot be read, which other commands report. */
function accountsOf({ deps, layout }: CommandContext): readonly AccountRecord[] | undefined {
  const silent = { ...deps, log: { info: () => {}, warn: () => {} } };
  try {
    // The backend does not matter here.
    const { state } = openStore(layout.store, () => "", silent, { readOnly: true });
    reconcile(state, layout, deps.clock.now(), { readOnly: true });
    return state.accounts.length === 0 ? undefined : state.accounts;
  } catch {
    return undefined;
  }
}
