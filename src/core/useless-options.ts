// Options that an account cannot use: a monthly cap without an API key, and floors with one. Pure.

import { changedOptions, OPTION_NAMES, type OptionChanges, type OptionValues } from "./account-options.ts";
import { optionEntries } from "./option-fields.ts";

/** An option without an effect. */
export interface UselessOption {
  /** Its name in config.toml and JSON. */
  readonly field: keyof typeof OPTION_NAMES;
  /** Why, about the account: `it has no API key`. */
  readonly why: string;
}

/** The options in `options` that are set, but have no effect. `hasKey`: the account has an API key. */
export function uselessOptions(options: OptionChanges, hasKey: boolean): UselessOption[] {
  return optionEntries(options).flatMap(([field, name]) => {
    const why = (hasKey ? WITH_KEY : WITHOUT_KEY)[field];
    // No value and 0 both mean that there is no cap or no floor.
    return why === undefined || !options[name] ? [] : [{ field, why }];
  });
}

/** `options` without those that have no effect. */
export function withoutUseless(options: OptionValues, hasKey: boolean): OptionValues {
  const removed = uselessOptions(options, hasKey).map(({ field }) => [OPTION_NAMES[field], null]);
  return removed.length === 0 ? options : changedOptions(options, Object.fromEntries(removed));
}

// --- internal ---

type Reasons = { readonly [Field in keyof typeof OPTION_NAMES]?: string };

const NO_QUOTA = "it has an API key, which has no quota that a floor could keep back";
const WITH_KEY: Reasons = { floor_daily: NO_QUOTA, floor_weekly: NO_QUOTA };
const WITHOUT_KEY: Reasons = { monthly_cap: "it has no API key" };
