// The state that survives a restart, as it is in memory.

import type { AccountRecord } from "./account-record.ts";

export interface StoreState {
  accounts: AccountRecord[];
  /** The account that served last. */
  activeId: string | undefined;
  pinnedId: string | undefined;
  /** Turns sent so far. */
  messageCounter: number;
  /** When the active account last changed, Unix ms; 0 if never. */
  lastRotationMs: number;
  /** What API keys that no account has any more have spent; absent: nothing. At most `MOST_SPENT_KEYS`. */
  spentKeys?: readonly SpentKey[] | undefined;
}

/** What a removed API key had spent in `month` (`2026-11`). `mark` is a hash of the key. */
export interface SpentKey {
  readonly mark: string;
  readonly month: string;
  readonly spentUsd: number;
}

/** Far above the number of keys that a person removes in a month. */
export const MOST_SPENT_KEYS = 64;

/** The account called `name`, by alias or id. */
export function accountNamed(state: StoreState, name: string): AccountRecord | undefined {
  return (
    state.accounts.find((account) => account.alias === name) ??
    state.accounts.find((account) => account.id === name.toLowerCase())
  );
}
