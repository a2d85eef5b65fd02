// Knows since when a replica cannot use its pool, and why.

import type { Deps } from "../deps.ts";
import { CodexlbError, fullMessageOf } from "../errors.ts";
import type { EventLog } from "../state/events.ts";
import type { SharingState } from "./sharing.ts";

export interface Degradation {
  /** Undefined while the pool can be used. */
  now(): SharingState["degraded"];
  failed(error: unknown): void;
  succeeded(): void;
}

/**
 * `pool`: its name. Writes an event and a message when the pool can no longer be used, when the reason becomes another
 * process that is the same replica, and when the pool can be used again.
 */
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
      const code = error instanceof CodexlbError ? error.code : "internal";
      const before = degraded;
      // The first failure is often only that the connection closed; a later one says why it does not come back.
      degraded = { sinceMs: before?.sinceMs ?? clock.now(), why, code };
      if (before !== undefined && (code !== "same_replica_twice" || before.code === code)) return;
      events.append("cluster.degraded", { error: why, code });
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
