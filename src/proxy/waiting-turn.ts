// A turn that waits for a reset: what decides how long it may, and what it waits for.

import type { TagDemand } from "../core/account-tags.ts";
import type { Hop } from "../core/hops.ts";
import type { Origin } from "../upstream/placement.ts";
import type { FirstReset, Shortage } from "../upstream/shortage.ts";

/** What decides how long the turns of a request may wait. */
export interface WaitTerms {
  /** The proxies of a chain that the request has passed. */
  readonly hops: readonly Hop[];
  /** How long the run lets its turns wait, ms. */
  readonly waitMs: number;
  /** The account whose window the turn is to start; undefined for a client's turn. */
  readonly anchorsId?: string | undefined;
}

/** A turn that no account can serve now. */
export interface UnservedTurn {
  readonly incoming: WaitTerms & {
    readonly requestId: number;
    readonly runId: string | undefined;
    readonly tags: readonly TagDemand[];
  };
  readonly origin: Origin;
  /** The memory that it takes while it waits. */
  readonly bytes: number;
  /** Aborted when the client disconnects. */
  readonly signal: AbortSignal;
  /** Called once a minute, for a client that gives up after a long silence. Default: nothing is sent. */
  readonly keepAlive?: (() => void) | undefined;
}

/** `again`: try the turn again. `refuse`: return the usage limit. `left`: the client has disconnected. */
export type WaitEnd = "again" | "refuse" | "left";

/** A turn in the queue. */
export interface WaitingTurn extends UnservedTurn {
  /** How long it may still wait, ms. */
  readonly leftMs: () => number;
  /** False if turns like this one must not wait any longer, because the settings have changed. */
  readonly mayWait: () => boolean;
  /** Unix ms. */
  readonly sinceMs: number;
  /** When the client gets the next keep-alive, Unix ms. */
  silentUntilMs: number;
  /** The earliest time at which it is tried again, Unix ms. */
  readonly notBeforeMs: number;
  /** The reset that it waits for, Unix ms. */
  untilMs: number;
  /** When its shortage is computed again, Unix ms. */
  shortageUntilMs: number;
  first: FirstReset | undefined;
  /** Ends the wait. */
  readonly ended: (end: WaitEnd) => void;
}

/** The first reset, if all accounts are exhausted and it is at most `leftMs` away; Unix ms. */
export function resetWithin({ kind, untilMs }: Shortage, nowMs: number, leftMs: number): number | undefined {
  if (kind !== "all_exhausted" || untilMs === undefined || leftMs <= 0) return undefined;
  return untilMs - nowMs <= leftMs ? untilMs : undefined;
}

/** Sets what `turn` waits for, according to the current shortage. */
export function expectReset(turn: WaitingTurn, { untilMs = 0, first }: Shortage, nowMs: number): void {
  turn.untilMs = untilMs;
  turn.first = first;
  turn.shortageUntilMs = nowMs + SHORTAGE_MS;
}

// --- internal ---

/** The reasons of a shortage are computed again at the reset, and this often before it. */
const SHORTAGE_MS = 30_000;
