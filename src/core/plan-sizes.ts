// How much quota a plan has compared with others: for simulations of accounts whose history does not show it, and for the
// forecast, which adds up the percentages of different plans.

import packaged from "./plan-sizes.json";

/** The plans whose size is known, as the backend calls them. */
export const KNOWN_PLANS: readonly string[] = packaged.plans.map(({ plan }) => plan);

/** The date of the packaged sizes, as `YYYY-MM-DD`. */
export const PLAN_SIZES_AS_OF: string = packaged.as_of;

/** The size of a plan, in Plus accounts; undefined if it is not known. */
export function planSizeOf(plan: string): number | undefined {
  return packaged.plans.find((one) => one.plan === plan.toLowerCase())?.size;
}
