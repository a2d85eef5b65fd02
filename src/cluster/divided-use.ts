// What the replicas of a pool divide among themselves: background jobs, and what is left of limits.

import type { Clock } from "../deps.ts";
import { type EngineLeases, engineLeases } from "./engine-leases.ts";
import { createKeyShares, type OpenKeyShares } from "./key-shares.ts";
import type { PoolRecords } from "./pool-records.ts";
import type { ReplicaFile } from "./replica-file.ts";
import type { SharedSpending } from "./shared-spending.ts";
import type { Signals } from "./signals.ts";
import { createSpendShares } from "./spend-shares.ts";
import { createTurnShares, type TurnShares } from "./turn-shares.ts";

export interface DividedUse {
  readonly leases: EngineLeases;
  readonly keyShares: OpenKeyShares;
  readonly spending: SharedSpending;
  readonly turnShares: TurnShares;
}

export interface DividedUseContext {
  readonly clock: Clock;
  readonly records: Pick<PoolRecords, "lease" | "release">;
  readonly signals: Pick<Signals, "put" | "watch">;
  readonly file: Pick<ReplicaFile, "replica" | "replicas">;
  /** The process, which has the leases: two that are the same replica must not do a job twice. */
  readonly processId: string;
  /** True while the pool in the engine is known to be this replica's. */
  readonly isUsable: () => boolean;
  /** True while this replica does not hear from the others. */
  readonly isCutOff: () => boolean;
}

export function divideUse({
  clock,
  records,
  signals,
  file,
  processId,
  isUsable,
  isCutOff,
}: DividedUseContext): DividedUse {
  const { replica, replicas } = file;
  const counts = { clock, signals, replica, replicas, isCutOff };
  return {
    leases: engineLeases({
      clock,
      lease: (jobs) => records.lease(processId, jobs),
      release: (jobs) => records.release(processId, jobs),
      isUsable,
      replicas,
    }),
    keyShares: createKeyShares(counts),
    spending: createSpendShares(counts),
    turnShares: createTurnShares(counts),
  };
}
