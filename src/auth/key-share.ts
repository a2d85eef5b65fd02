// What a key has used on the other replicas of a pool (cluster/key-shares.ts). Not for a proxy that works alone.

import type { KeyLimits } from "../core/key-limits.ts";

/** What a key has used on this replica. */
export interface OwnKeyUse {
  readonly limits: KeyLimits;
  /** The day of `tokens`, Unix ms. */
  readonly dayStartMs: number;
  readonly dayEndMs: number;
  readonly tokens: number;
  /** The most tokens that a turn has used; 0 if no turn has ended. */
  readonly largestTurn: number;
  readonly inFlight: number;
  /** Turns since the start of the process. */
  readonly turns: number;
  /** The turns of the last minute: how many seconds ago, and how many. */
  readonly minute: readonly (readonly [number, number])[];
}

export interface KeyShare {
  /** The tokens that the other replicas have used today. */
  tokens(): number;
  /** The turns that began on the other replicas within the last 60 seconds. */
  turns(): number;
  /** True if a turn may use tokens although the others may be using them as well. `left`: how many the day has left. */
  mayUseTokens(left: number): boolean;
  /** True if a turn may begin although others may begin elsewhere. `left`: how many the minute has left. */
  mayBegin(left: number): boolean;
  /**
   * In how many seconds, at least 1, fewer than `most` turns remain in the last minute, on all replicas together.
   * `atMs`: monotonic.
   */
  secondsUntilBelow(most: number, atMs: number): number;
  /** Something was counted here. */
  counted(): void;
}

export interface KeyShares {
  /** The share of the key with this id. `own`: what it has used here; undefined while it has no limits. */
  open(id: string, own: () => OwnKeyUse | undefined): KeyShare;
  /** The key was removed. */
  close(id: string): void;
}
