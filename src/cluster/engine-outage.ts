// Since when a replica cannot use the engine, and why. Reports the beginning and the end.

import type { Deps } from "../deps.ts";
import { fullMessageOf } from "../errors.ts";
import type { EventLog } from "../state/events.ts";
import type { SharingState } from "./sharing.ts";

export interface EngineOutage {
  /** Undefined while the engine can be used. */
  current(): SharingState["degraded"];
  /** True while the engine can be used. */
  isOver(): boolean;
  failed(error: unknown): void;
  succeeded(): void;
}

export interface EngineOutageContext {
  readonly deps: Pick<Deps, "clock" | "log">;
  readonly events: Pick<EventLog, "append">;
  /** The name of the pool. */
  readonly pool: string;
}

export function createEngineOutage({ deps, events, pool }: EngineOutageContext): EngineOutage {
  const { clock, log } = deps;
  let degraded: SharingState["degraded"];
  return {
    current: () => degraded,
    isOver: () => degraded === undefined,
    failed: (error) => {
      const why = fullMessageOf(error);
      const before = degraded;
      // The first failure is often only that the connection closed; a later one says why it does not come back.
      degraded = { sinceMs: before?.sinceMs ?? clock.now(), why };
      if (before !== undefined) return;
      events.append("cluster.degraded", { error: why });
      log.warn(`the pool ${pool} cannot be used for now, and this replica works with what it knows: ${why}`);
    },
    succeeded: () => {
      if (degraded === undefined) return;
      const seconds = Math.round((clock.now() - degraded.sinceMs) / 1000);
      degraded = undefined;
      events.append("cluster.recovered", { degraded_seconds: seconds });
      log.info(`the pool ${pool} can be used again after ${seconds} s`);
    },
  };
}
