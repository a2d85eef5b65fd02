// What API keys spend on all replicas of a pool.

import type { AccountRecord } from "../state/account-record.ts";

export interface SharedSpending {
  /**
   * The account with an API key `record` is in use from now on, or has spent or reserved something. What the other
   * replicas have spent with the key is written into its billing.
   */
  counted(record: AccountRecord): void;
}

/** The spending of a proxy that works alone. */
export const OWN_SPENDING: SharedSpending = { counted: () => {} };
