// In which order the quota of accounts is spent, as the pool's choice does it: accounts above their floors first, among
// them those with the highest priority.

import { type AccountOptions, DEFAULT_OPTIONS, floorOf } from "../account-options.ts";
import type { WindowSummary } from "../quota-summary.ts";

export interface SpendingOrder extends Pick<AccountOptions, "priority" | "floorDaily" | "floorWeekly"> {
  /** True: what is below a floor is never spent. False: it is spent when no account has anything else left. */
  readonly keepsFloors: boolean;
}

/** The order of an account for which nothing is set. */
export const DEFAULT_ORDER: SpendingOrder = { ...DEFAULT_OPTIONS, keepsFloors: false };

/** What is left of a window above its floor, percentage points; undefined if it is not known. */
export function leftAboveFloor({ kind, left }: WindowSummary, order: SpendingOrder): number | undefined {
  return left === undefined ? undefined : Math.max(0, left * 100 - floorOf(kind, order));
}
