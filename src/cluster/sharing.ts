// What a proxy shares with others: nothing if it works alone, or the accounts, keys and renewals of a pool.

import type { AccountOps } from "../auth/account-ops.ts";
import type { KeyShares } from "../auth/key-share.ts";
import type { KeyOps } from "../auth/keys.ts";
import { ALONE, type RenewalTurns } from "../auth/renewal-turns.ts";
import type { MovedTurn } from "../core/pool-facts.ts";
import type { ErrorCode } from "../errors.ts";
import type { LocalFacts } from "./local-facts.ts";
import { NO_PUT_BACK, type PutBackNotes } from "./put-back.ts";
import type { SharingCounts } from "./replica-counts.ts";
import { OWN_SPENDING, type SharedSpending } from "./shared-spending.ts";
import { NO_SIGNALS, type Signals } from "./signals.ts";
import { OWN_TURNS, type TurnShares } from "./turn-shares.ts";
import { ALL_WORK, type WorkLeases } from "./work-leases.ts";

export interface Sharing {
  readonly turns: RenewalTurns;
  readonly switches: SharedSwitches;
  /** What the replicas notice: sent, received and asked for. */
  readonly signals: Signals;
  /** Accounts that operators have put back into service, until the others know it. */
  readonly putBack: PutBackNotes;
  /** Which background jobs this process does. */
  readonly leases: WorkLeases;
  /** What client keys have used on all replicas; undefined if there are no others. */
  readonly keyShares: KeyShares | undefined;
  /** What API keys have spent on all replicas. */
  readonly spending: SharedSpending;
  /** How many turns the other replicas leave of the limits of accounts. */
  readonly turnShares: TurnShares;
  /** `ops`, whose changes also reach the other replicas. */
  accounts(ops: AccountOps): AccountOps;
  keys(ops: KeyOps): KeyOps;
  /** Takes what the pool has, for at most a few seconds, and keeps `facts` up to date until `stop`. Never throws. */
  start(facts: LocalFacts): Promise<void>;
  /** Sends what the engine does not have yet, for at most a few seconds, and ends the connection. Never throws. */
  stop(): Promise<void>;
  /** Undefined for a proxy that works alone. */
  state(): SharingState | undefined;
}

/** Switches of turns from one account to another. The turns themselves are exchanged by their record, usage.db. */
export interface SharedSwitches {
  /** Sends a switch of this proxy to the other replicas, in the background. Undefined for a proxy that works alone. */
  readonly send: ((moved: MovedTurn) => void) | undefined;
  /** From now on, `taken` gets the switches of other replicas. */
  take(taken: (moved: MovedTurn) => void): void;
}

/** The state of a replica. */
export interface SharingState {
  readonly pool: string;
  readonly replica: string;
  /** The engine's URL without user and password. */
  readonly engine: string;
  /** Since when the pool cannot be used, Unix ms, and why; undefined if it can. */
  readonly degraded: { readonly sinceMs: number; readonly why: string; readonly code: ErrorCode } | undefined;
  /** How many changes of operators the engine does not have yet. */
  readonly pending: number;
  /** True if the replica has compared itself with the pool since its start. */
  readonly hasRead: boolean;
  readonly counts: SharingCounts;
  /** All replicas of the pool, with this one, as last read from the engine. */
  readonly replicas: readonly ReplicaState[];
}

/** A replica of the pool. */
export interface ReplicaState {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  /** When it was last connected to the engine, Unix ms. */
  readonly seenMs: number;
  /** False if it was stopped, or had missed its regular report when the engine was read. */
  readonly isConnected: boolean;
  /** Its proxy was stopped by an operator, and has not started since. */
  readonly isStopped: boolean;
}

/** A proxy without a cluster. */
export const NOT_SHARED: Sharing = {
  turns: ALONE,
  switches: { send: undefined, take: () => {} },
  signals: NO_SIGNALS,
  putBack: NO_PUT_BACK,
  leases: ALL_WORK,
  keyShares: undefined,
  spending: OWN_SPENDING,
  turnShares: OWN_TURNS,
  accounts: (ops) => ops,
  keys: (ops) => ops,
  start: async () => {},
  stop: async () => {},
  state: () => undefined,
};
