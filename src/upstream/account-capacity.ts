// The capacity of an account of either kind.

import type { AccountOptions } from "../core/account-options.ts";
import { capacityOfApi } from "../core/api-capacity.ts";
import { type Capacity, type CapacityView, capacityOfQuota } from "../core/capacity.ts";
import type { AccountRecord } from "../state/account-record.ts";

export function capacityOfAccount(
  { quota, billing }: Pick<AccountRecord, "quota" | "billing">,
  view: CapacityView,
  options: AccountOptions,
): Capacity {
  return billing === undefined
    ? capacityOfQuota(quota, view, options)
    : capacityOfApi(billing, options.monthlyCap, view.nowMs);
}
