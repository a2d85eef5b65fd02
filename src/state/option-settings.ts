// The options of accounts in config.toml as settings: `accounts.alice.priority` and so on. Their names contain aliases, so
// they are not in the table of settings.

import type { OPTION_NAMES } from "../core/account-options.ts";
import { fieldsOfOptions } from "../core/option-fields.ts";
import { ACCOUNTS_TABLE, type Config } from "./settings.ts";

/** One option of one account. */
export interface OptionSetting {
  /** `accounts.alice.floor_daily`. */
  readonly key: string;
  /** The same, as names of tables and of a key. */
  readonly path: readonly string[];
  readonly value: unknown;
}

/** The options that `config` sets. */
export function optionSettings({ accounts }: Pick<Config, "accounts">): OptionSetting[] {
  return Object.entries(accounts).flatMap(([alias, options]) =>
    Object.entries(fieldsOfOptions(options)).map(([field, value]) => ({
      key: optionKey(alias, field as keyof typeof OPTION_NAMES),
      path: [ACCOUNTS_TABLE, alias, field],
      value,
    })),
  );
}

/** The key of an option: `accounts.alice.floor_daily`. `alias` in any case. */
export function optionKey(alias: string, field: keyof typeof OPTION_NAMES): string {
  return `${ACCOUNTS_TABLE}.${alias.toLowerCase()}.${field}`;
}
