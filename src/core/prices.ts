// The prices of models on OpenAI's API, for an estimate of what turns would cost there. Turns through ChatGPT accounts
// are not billed by tokens, so a cost is never more than an estimate.

import packaged from "./model-prices.json";

/** The price of a model, in USD per million tokens. */
export interface Price {
  readonly input: number;
  readonly cachedInput: number;
  readonly output: number;
}

/** Prices by model, which replace packaged ones. */
export type PriceTable = Readonly<Record<string, Price>>;

/** The date of the packaged prices, as `YYYY-MM-DD`. */
export const PRICES_AS_OF: string = packaged.as_of;

/**
 * The price of `model`: from `own`, or else from the packaged table. A name with a date (`gpt-5-2025-08-07`) has the
 * price of the name without it. Undefined if the price is not known.
 */
export function priceOf(model: string, own: PriceTable): Price | undefined {
  return priceIn(model, own) ?? priceIn(model.replace(DATE, ""), own);
}

/** True if `own` has the price of `model`. */
export function hasOwnPrice(model: string, own: PriceTable): boolean {
  const price = priceOf(model, own);
  return price !== undefined && Object.values(own).includes(price);
}

/** The tokens that a price applies to. */
export interface PricedTokens {
  readonly input: number;
  /** Part of `input`. */
  readonly cachedInput: number;
  /** Reasoning is part of it. */
  readonly output: number;
}

/** The price of the model with the most expensive output. */
export function highestPrice(own: PriceTable): Price {
  return Object.values({ ...PACKAGED, ...own }).reduce((a, b) => (b.output > a.output ? b : a));
}

/** What `tokens` cost at `price`, in USD. */
export function costUsd({ input, cachedInput, output }: PricedTokens, price: Price): number {
  return (
    ((input - cachedInput) * price.input + cachedInput * price.cachedInput + output * price.output) / 1e6
  );
}

// --- internal ---

const DATE = /-\d{4}-\d{2}-\d{2}$/;

const PACKAGED: PriceTable = Object.fromEntries(
  packaged.models.map(({ model, input, cached_input, output }) => [
    model,
    { input, cachedInput: cached_input, output },
  ]),
);

function priceIn(model: string, own: PriceTable): Price | undefined {
  if (Object.hasOwn(own, model)) return own[model];
  return Object.hasOwn(PACKAGED, model) ? PACKAGED[model] : undefined;
}
