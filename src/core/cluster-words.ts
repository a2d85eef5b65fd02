// Words for a person about the replicas of a pool, and about a replica that cannot use the pool.

import type { StatusAnswer } from "./status-schema.ts";
import { ago, pastTime } from "./time-words.ts";

/** A replica reports itself to the server every five seconds. After this time it counts as disconnected, ms. */
export const SEEN_MS = 15_000;

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
      const { id, name, version, last_seen_ms: seenMs } = one;
      // Without the server, this replica does not know whether the others are connected.
      const isConnected = sinceMs === undefined && (isSelf(one) || nowMs - seenMs < SEEN_MS);
      const seen = isConnected ? "connected" : `last seen ${ago(seenMs, nowMs)}`;
      const isDegraded = isSelf(one) && sinceMs !== undefined;
      const state = isDegraded ? `degraded since ${pastTime(sinceMs, nowMs)}` : seen;
      return { id, name, version, state: isSelf(one) ? `${state}, this replica` : state, isConnected };
    });
}

/** `pool team: degraded since 05:41:09`; undefined for a proxy that works alone, and while the pool can be used. */
export function degradedWords({ cluster }: Pick<StatusAnswer, "cluster">, nowMs: number): string | undefined {
  const sinceMs = cluster?.degraded_since_ms;
  if (cluster === undefined || sinceMs === undefined) return undefined;
  return `pool ${cluster.pool}: degraded since ${pastTime(sinceMs, nowMs)}`;
}

/** The same with the reason if that is not the server: another process that is connected as the same replica. */
export function degradedNote(status: Pick<StatusAnswer, "cluster">, nowMs: number): string | undefined {
  const words = degradedWords(status, nowMs);
  if (words === undefined || !isDuplicate(status.cluster)) return words;
  return `${words}: another process is connected as this replica`;
}

/** True for a replica that is not connected because another process is, probably on a copy of its root. */
export function isDuplicate(cluster: { readonly error_code?: string | undefined } | undefined): boolean {
  return cluster?.error_code === "same_replica_twice";
}
