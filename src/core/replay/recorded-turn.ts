// The recorded turns of a user, and what each one costs in a simulation that serves it on another account.

import { costUsd, type Price, type PriceTable, priceOf } from "../prices.ts";
import type { TokenCounts } from "../turn-record.ts";

/** What a simulation needs of the record of a turn. */
export interface RecordedTurn {
  /** Unix ms. */
  readonly startedMs: number;
  readonly durationMs: number;
  readonly session: string | undefined;
  readonly model: string;
  /** The key of the account that served it (`accountKey`); undefined if no account did. */
  readonly account: string | undefined;
  /** Undefined: the turn was refused, so its tokens are not known. */
  readonly tokens: TokenCounts | undefined;
}

/** A turn to simulate. Costs are in USD at API prices, and also stand for shares of the quota. */
export interface ReplayTurn {
  readonly atMs: number;
  readonly endMs: number;
  readonly session: string | undefined;
  readonly model: string;
  readonly inputTokens: number;
  /** The cost if the session's previous turn ran on the same account, so that the session's prompt is in its cache. */
  readonly warm: TurnCost;
  /** The cost if it ran on another account, so that nothing is in the cache. */
  readonly cold: TurnCost;
  /** False if the price of its model is not known, so that the price of a typical model was used. */
  readonly isPriced: boolean;
}

export interface TurnCost {
  readonly usd: number;
  readonly cachedTokens: number;
}

/**
 * The price for turns of unknown models: that of gpt-6.2-sol. Between models with known prices, only the ratios matter.
 */
const TYPICAL_PRICE: Price = { input: 2, cachedInput: 0.1, output: 10 };

/**
 * The turns to simulate for `turns`, which are in order of time. A turn that was refused gets the tokens of an average
 * turn. `prices`: those of config.toml.
 */
export function replayTurns(turns: readonly RecordedTurn[], prices: PriceTable): ReplayTurn[] {
  const last = new Map<string, RecordedTurn>();
  const average = averageOf(turns);
  return turns.map((turn) => {
    const { session, tokens = average, model, startedMs, durationMs } = turn;
    const price = priceOf(model, prices);
    const before = session === undefined ? undefined : last.get(session);
    if (session !== undefined) last.set(session, turn);
    const costWith = (cachedTokens: number): TurnCost => ({
      usd: costUsd({ ...tokens, cachedInput: cachedTokens }, price ?? TYPICAL_PRICE),
      cachedTokens,
    });
    const isFirst = before === undefined;
    return {
      atMs: startedMs,
      endMs: startedMs + durationMs,
      session,
      model,
      inputTokens: tokens.input,
      warm: costWith(warmTokens(turn, tokens, before, average)),
      cold: costWith(isFirst ? tokens.cachedInput : 0),
      isPriced: price !== undefined,
    };
  });
}

/** What the turn used where it was served, in USD at API prices; 0 if that is not known. */
export function recordedCost({ tokens, model }: RecordedTurn, prices: PriceTable): number {
  return tokens === undefined ? 0 : costUsd(tokens, priceOf(model, prices) ?? TYPICAL_PRICE);
}

// --- internal ---

/** How much of the input would be in the cache if the session had stayed with its account. */
function warmTokens(
  { account }: RecordedTurn,
  tokens: TokenCounts,
  before: RecordedTurn | undefined,
  average: TokenCounts,
): number {
  // The record shows it, unless the session moved before this turn. Then the prompt began with the previous turn's
  // input.
  if (before === undefined || before.account === account) return tokens.cachedInput;
  const shared = Math.min(tokens.input, (before.tokens ?? average).input);
  return Math.max(tokens.cachedInput, shared);
}

function averageOf(turns: readonly RecordedTurn[]): TokenCounts {
  const known = turns.flatMap(({ tokens }) => (tokens === undefined ? [] : [tokens]));
  const mean = (of: (tokens: TokenCounts) => number) =>
    known.length === 0 ? 0 : Math.round(known.reduce((sum, one) => sum + of(one), 0) / known.length);
  return {
    input: mean(({ input }) => input),
    cachedInput: mean(({ cachedInput }) => cachedInput),
    output: mean(({ output }) => output),
    reasoning: mean(({ reasoning }) => reasoning),
  };
}
