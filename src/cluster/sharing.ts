// What a proxy shares with others: nothing if it works alone, or the accounts, keys and renewals of a pool.

import type { AccountOps } from "../auth/account-ops.ts";
import type { KeyOps } from "../auth/keys.ts";
import { ALONE, type RenewalTurns } from "../auth/renewal-turns.ts";
import type { LocalFacts } from "./local-facts.ts";
import { NO_SIGNALS, type Signals } from "./signals.ts";

export interface Sharing {
  readonly turns: RenewalTurns;
  /** What the replicas notice: sent, received and asked for. */
  readonly signals: Signals;
  /** `ops`, whose changes also reach the other replicas. */
  accounts(ops: AccountOps): AccountOps;
  keys(ops: KeyOps): KeyOps;
  /** Takes what the pool has, for at most a few seconds, and keeps `facts` up to date until `stop`. Never throws. */
  start(facts: LocalFacts): Promise<void>;
  /**
   * Waits for renewals under way, sends what the engine does not have yet, each for at most a few seconds, and ends the
   * connection. Never throws.
   */
  stop(): Promise<void>;
  /** Undefined for a proxy that works alone. */
  state(): SharingState | undefined;
}

/** The state of a replica. */
export interface SharingState {
  readonly pool: string;
  readonly replica: string;
  /** The engine's URL without user and password. */
  readonly engine: string;
  /** Since when the engine cannot be used, Unix ms, and why; undefined if it can. */
  readonly degraded: { readonly sinceMs: number; readonly why: string } | undefined;
  /** How many changes of operators the engine does not have yet. */
  readonly pending: number;
}

/** A proxy without a cluster. */
export const NOT_SHARED: Sharing = {
  turns: ALONE,
  signals: NO_SIGNALS,
  accounts: (ops) => ops,
  keys: (ops) => ops,
  start: async () => {},
  stop: async () => {},
  state: () => undefined,
};
