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

/** A turn to simulate. Costs are in USD at API prices, and stand for shares of the quota too. */
export interface ReplayTurn {
  readonly atMs: number;
  readonly endMs: number;
  readonly session: string | undefined;
  readonly model: string;
  readonly inputTokens: number;
  /** The cost if the session's last turn was on the same account: as much is in its cache as was then. */
  readonly warm: TurnCost;
  /** The cost if it was on another account: nothing is in the cache. */
  readonly cold: TurnCost;
  /** False if the price of its model is not known, and the cost is that of a usual model. */
  readonly isPriced: boolean;
}

export interface TurnCost {
  readonly usd: number;
  readonly cachedTokens: number;
}

/**
 * The price with which turns of unknown models count: that of gpt-6.2-sol. Between models with known prices, only the
 * ratios matter.
 */
const USUAL_PRICE: Price = { input: 2, cachedInput: 0.1, output: 10 };

/**
 * `turns`, which are in the order of their times, as turns to simulate. A turn that was refused gets the tokens of an
 * average turn. `prices`: those of config.toml.
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
      usd: costUsd({ ...tokens, cachedInput: cachedTokens }, price ?? USUAL_PRICE),
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
  return tokens === undefined ? 0 : costUsd(tokens, priceOf(model, prices) ?? USUAL_PRICE);
}

// --- internal ---

/** How much of the input would be in the cache if the session had stayed with its account. */
function warmTokens(
  { account }: RecordedTurn,
  tokens: TokenCounts,
  before: RecordedTurn | undefined,
  average: TokenCounts,
): number {
  // The record shows it, unless the session moved just then: its prompt began with the input of the turn before.
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
