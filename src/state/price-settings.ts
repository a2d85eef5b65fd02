// The user's prices of models as settings: `prices."MODEL".input` and so on. Their names are the user's choice, so they
// are not in the table of settings.

import { price } from "./setting-types.ts";
import { type Config, PRICES_TABLE } from "./settings.ts";

/** One part of a price. */
export interface PriceSetting {
  /** `prices."gpt-7".input`. */
  readonly key: string;
  /** The same, as names of tables and of a key. */
  readonly path: readonly string[];
  /** USD per million tokens. */
  readonly value: number;
}

/** The prices in `config`, three settings for each model. */
export function priceSettings({ prices }: Pick<Config, "prices">): PriceSetting[] {
  return Object.entries(prices).flatMap(([model, { input, cachedInput, output }]) =>
    Object.entries({ input, cached_input: cachedInput, output }).map(([part, value]) => ({
      key: `${PRICES_TABLE}.${JSON.stringify(model)}.${part}`,
      path: [PRICES_TABLE, model, part],
      value,
    })),
  );
}

/** The prices among shown settings. Incomplete and unknown ones are left out. */
export function pricesFrom(
  shown: readonly { readonly key: string; readonly value: unknown }[],
): Config["prices"] {
  const given = new Map<string, Record<string, unknown>>();
  for (const { key, value } of shown) {
    const [, quoted, part] = PRICE_KEY.exec(key) ?? [];
    if (quoted === undefined || part === undefined) continue;
    const model = String(JSON.parse(quoted));
    given.set(model, { ...given.get(model), [part]: value });
  }
  return Object.fromEntries(
    [...given].flatMap(([model, parts]) => {
      const { data } = price().safeParse(parts);
      return data === undefined ? [] : [[model, data]];
    }),
  );
}

// --- internal ---

/** The model is a JSON text. */
const PRICE_KEY = /^prices\.("(?:[^"\\]|\\.)*")\.(\w+)$/;
