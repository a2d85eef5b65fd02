// Knows since when the engine of a replica cannot be used, and why.

import type { Deps } from "../deps.ts";
import { fullMessageOf } from "../errors.ts";
import type { EventLog } from "../state/events.ts";
import type { SharingState } from "./sharing.ts";

export interface Degradation {
  /** Undefined while the engine can be used. */
  now(): SharingState["degraded"];
  failed(error: unknown): void;
  succeeded(): void;
}

/** `pool`: its name. Writes an event and a message when the engine is lost, and when it can be used again. */
export function createDegradation(
  { clock, log }: Pick<Deps, "clock" | "log">,
  events: Pick<EventLog, "append">,
  pool: string,
): Degradation {
  let degraded: SharingState["degraded"];
  return {
    now: () => degraded,
    failed: (error) => {
      const why = fullMessageOf(error);
      const before = degraded;
      // The first failure is often only that the connection closed; a later one says why it does not come back.
      degraded = { sinceMs: before?.sinceMs ?? clock.now(), why };
      if (before !== undefined) return;
      events.append("cluster.degraded", { error: why });
      log.warn(`the pool ${pool} cannot be used for now: ${why}; this replica works with what it knows`);
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
