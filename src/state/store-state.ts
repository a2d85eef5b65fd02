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
}

/** The account called `name`, by alias or id. */
export function accountNamed(state: StoreState, name: string): AccountRecord | undefined {
  return (
    state.accounts.find((account) => account.alias === name) ??
    state.accounts.find((account) => account.id === name.toLowerCase())
  );
}
