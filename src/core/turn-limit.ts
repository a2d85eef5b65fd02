// The limit of turns that an account serves at the same time (the option `concurrency`). Pure.

import { counted } from "./count-words.ts";

/** The turns in flight on an account. */
export interface TurnUse {
  /** On this replica. */
  readonly turns: number;
  /** On the other replicas, with those that they may have begun without this one knowing it yet. */
  readonly turnsElsewhere: number;
  /** Among how many replicas the limit is divided, at least 1; 1 while the replicas hear each other. */
  readonly turnSharers: number;
}

/** No turn is in flight. */
export const NO_TURNS: TurnUse = { turns: 0, turnsElsewhere: 0, turnSharers: 1 };

/**
 * The bound that the account has reached, so that it takes no more turns; undefined if it takes more. `limit`: 0 for no
 * limit.
 */
export function reachedBound(
  limit: number,
  { turns, turnsElsewhere, turnSharers }: TurnUse,
): number | undefined {
  if (limit === 0) return undefined;
  const bound = Math.max(1, Math.floor(limit / turnSharers));
  return turns + turnsElsewhere >= bound ? bound : undefined;
}

/** `at its limit of 2 turns at once`; `bound` is below `limit` while the replicas do not hear each other. */
export function fullWords(bound: number, limit: number): string {
  return bound < limit
    ? `at its share of ${atOnce(bound)}, because this replica does not hear the others`
    : `at its limit of ${atOnce(bound)}`;
}

/** The reason of a turn that left its account because that was full, and of the next turn if it waits for a place. */
export const FULL_REASON = "full";

/** `2 turns at once`. */
export function atOnce(turns: number): string {
  return `${counted(turns, "turn")} at once`;
}
