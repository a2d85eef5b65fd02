// The limit on an account's concurrent turns (the option `concurrency`). Pure.

import { counted } from "./count-words.ts";

/** The turns in flight on an account. */
export interface TurnUse {
  /** On this replica. */
  readonly turns: number;
  /** On the other replicas, with those that they may have begun without this one knowing it yet. */
  readonly turnsElsewhere: number;
  /** How many replicas divide the limit, at least 1; 1 while the replicas hear from each other. */
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

/** `at its limit of 2 concurrent turns`; `bound` is below `limit` while the replicas do not hear from each other. */
export function fullWords(bound: number, limit: number): string {
  return bound < limit
    ? `at its share of ${atOnce(bound)}, because this replica does not hear from the others`
    : `at its limit of ${atOnce(bound)}`;
}

/** The reason of a turn that left its account because that was full, and of the next turn if it waits for a slot. */
export const FULL_REASON = "full";

/** `2 concurrent turns`. */
export function atOnce(turns: number): string {
  return counted(turns, "concurrent turn");
}
