// Words for a person about the replicas of a pool, and about a replica that cannot use the pool.

import type { StatusAnswer } from "./status-schema.ts";
import { ago, pastTime } from "./time-words.ts";

/** Replicas report to the server every five seconds. After this time a replica has missed a report, ms. */
export const MISSED_MS = 8_000;
/** The same for a status of an earlier version, which may itself have read the server some seconds before, ms. */
const SEEN_MS = 15_000;

/** A replica of the pool. `isConnected`: it can use the pool's server. */
export interface ReplicaWords {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly state: string;
  readonly isConnected: boolean;
}

/** All replicas of the pool, this one first, then by name. None for a proxy that works alone. */
export function replicaWords({ cluster }: Pick<StatusAnswer, "cluster">, nowMs: number): ReplicaWords[] {
  const { replica, replicas = [], degraded_since_ms: sinceMs } = cluster ?? {};
  const isSelf = ({ id }: { readonly id: string }) => id === replica;
  return [...replicas]
    .sort((a, b) => Number(isSelf(b)) - Number(isSelf(a)) || (a.name < b.name ? -1 : 1))
    .map((one) => {
      const { id, name, version, last_seen_ms: seenMs, connected = nowMs - seenMs < SEEN_MS } = one;
      // Without the server, this replica does not know whether the others are connected.
      const isConnected = sinceMs === undefined && (isSelf(one) || connected);
      const seen = isConnected ? "connected" : absentWords(one.stopped, ago(seenMs, nowMs));
      const isDegraded = isSelf(one) && sinceMs !== undefined;
      const state = isDegraded ? `degraded since ${pastTime(sinceMs, nowMs)}` : seen;
      return { id, name, version, state: isSelf(one) ? `${state}, this replica` : state, isConnected };
    });
}

/** `stopped 4 min ago`, or `last seen 4 min ago` for a replica that did not report its stop. */
export function absentWords(isStopped: boolean | undefined, seenAgo: string): string {
  return `${isStopped === true ? "stopped" : "last seen"} ${seenAgo}`;
}

/** `pool team: degraded since 05:41:09`; undefined for a proxy that works alone, and while the pool can be used. */
export function degradedWords({ cluster }: Pick<StatusAnswer, "cluster">, nowMs: number): string | undefined {
  const sinceMs = cluster?.degraded_since_ms;
  if (cluster === undefined || sinceMs === undefined) return undefined;
  return `pool ${cluster.pool}: degraded since ${pastTime(sinceMs, nowMs)}`;
}

/** The same, with the reason if another process is connected as the same replica. */
export function degradedNote(status: Pick<StatusAnswer, "cluster">, nowMs: number): string | undefined {
  const words = degradedWords(status, nowMs);
  if (words === undefined || !isDuplicate(status.cluster)) return words;
  return `${words}: another process is connected as this replica`;
}

/** True for a replica that is not connected because another process is, probably on a copy of its root. */
export function isDuplicate(cluster: { readonly error_code?: string | undefined } | undefined): boolean {
  return cluster?.error_code === "same_replica_twice";
}
