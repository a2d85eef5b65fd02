// What the pool reports to the part that shares it with other replicas.

import type { HealthEvent } from "../core/health.ts";
import type { UpstreamRecord } from "../state/account-record.ts";

/** Learns what the other replicas of the pool should know. */
export interface PoolObserver {
  /** The health or figures of an upstream have changed. `evidenceMs`: the time of the evidence, Unix ms; default: now. */
  changed(record: UpstreamRecord, evidenceMs?: number): void;
  /** A turn has begun or ended on an upstream. */
  turnsChanged(record: UpstreamRecord): void;
  /** The backend refuses `model` because of the limit `limitId`, until `untilMs` (Unix ms). */
  modelRefused(model: string, limitId: string, untilMs: number): void;
}

/** The time of the evidence for the end of a cooldown, Unix ms; undefined for another event. */
export function evidenceOf(event: HealthEvent): number | undefined {
  if (event.kind === "served") return event.startedMs;
  return event.kind === "room" ? event.asOfMs : undefined;
}
