// Words for a person about the replicas of a pool, and about a replica that cannot use the pool.

import { shortLine } from "../printable.ts";
import type { StatusAnswer } from "./status-schema.ts";
import { ago, pastTime } from "./time-words.ts";

/** Replicas report to the server every five seconds. After this time a replica has missed a report, ms. */
export const MISSED_MS = 8_000;
/** The same for a status of an earlier version, which may itself have read the server some seconds before, ms. */
const SEEN_MS = 15_000;

/** The longest name of a replica in a table, in UTF-16 units. `proxy.name` has no limit. */
const LONGEST_NAME = 64;

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
  const { replica, replicas = [] } = cluster ?? {};
  const degraded = cluster && degradedState(cluster, nowMs);
  // A replica that another process has replaced still reads the pool.
  const knowsOthers = degraded === undefined || isDuplicate(cluster);
  const isSelf = ({ id }: { readonly id: string }) => id === replica;
  return [...replicas]
    .sort((a, b) => Number(isSelf(b)) - Number(isSelf(a)) || (a.name < b.name ? -1 : 1))
    .map((one) => {
      const { id, name, version, last_seen_ms: seenMs, connected = nowMs - seenMs < SEEN_MS } = one;
      const isConnected = isSelf(one) ? degraded === undefined : knowsOthers && connected;
      const seen = isConnected ? "connected" : absentWords(one.stopped, ago(seenMs, nowMs));
      const state = isSelf(one) ? ownState(degraded, cluster) : seen;
      return { id, name: shownName(name), version, state, isConnected };
    });
}

/** The name of a replica for a table: on one line, and not too long. */
export function shownName(name: string): string {
  return shortLine(name, LONGEST_NAME);
}

/** `stopped 4 min ago`, or `last seen 4 min ago` for a replica that did not report its stop. */
export function absentWords(isStopped: boolean | undefined, seenAgo: string): string {
  return `${isStopped === true ? "stopped" : "last seen"} ${seenAgo}`;
}

/** `pool team: degraded since 05:41:09`; undefined for a proxy that works alone, and while the pool can be used. */
export function degradedWords({ cluster }: Pick<StatusAnswer, "cluster">, nowMs: number): string | undefined {
  const since = sinceWords(cluster, nowMs);
  return since && `pool ${cluster?.pool}: ${since}`;
}

/** The same, with the reason if another process is connected as the same replica. */
export function degradedNote({ cluster }: Pick<StatusAnswer, "cluster">, nowMs: number): string | undefined {
  const state = cluster && degradedState(cluster, nowMs);
  return state && `pool ${cluster.pool}: ${state}`;
}

/** `degradedNote` without the name of the pool. */
export function degradedState(replica: Degraded, nowMs: number): string | undefined {
  const since = sinceWords(replica, nowMs);
  return since && isDuplicate(replica) ? `${since}: another process is connected as this replica` : since;
}

/** True for a replica that is not connected because another process is, probably on a copy of its root. */
export function isDuplicate(cluster: Pick<Degraded, "error_code"> | undefined): boolean {
  return cluster?.error_code === "same_replica_twice";
}

// --- internal ---

/** What a replica reports of itself: since when it cannot use its pool (Unix ms), and the code of the error. */
interface Degraded {
  readonly degraded_since_ms?: number | undefined;
  readonly error_code?: string | undefined;
}

function sinceWords(replica: Degraded | undefined, nowMs: number): string | undefined {
  const sinceMs = replica?.degraded_since_ms;
  return sinceMs === undefined ? undefined : `degraded since ${pastTime(sinceMs, nowMs)}`;
}

function ownState(degraded: string | undefined, cluster: StatusAnswer["cluster"]): string {
  // The words about the other process name this replica already.
  return isDuplicate(cluster) && degraded ? degraded : `${degraded ?? "connected"}, this replica`;
}
