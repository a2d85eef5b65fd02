// The state of a replica in the responses of the admin API and in the status document.

import type { SharingState } from "../cluster/sharing.ts";
import type { StatusDocument } from "../core/status-schema.ts";
import type { UnsentChanges } from "./answers.ts";

/** The field of the status document; absent for a proxy that works alone. */
export function clusterField(state: SharingState | undefined): Pick<StatusDocument, "cluster"> {
  if (state === undefined) return {};
  const { pool, replica, degraded, pending } = state;
  const since =
    degraded === undefined
      ? {}
      : { degraded_since_ms: degraded.sinceMs, error: degraded.why, error_code: degraded.code };
  const replicas = state.replicas.map(({ seenMs, isConnected, isStopped, ...about }) => ({
    ...about,
    last_seen_ms: seenMs,
    connected: isConnected,
    ...(isStopped ? { stopped: true } : {}),
  }));
  return { cluster: { pool, replica, pending, ...since, replicas } };
}

/** The field of the response to a change; absent if the other replicas have all changes, or if there are none. */
export function unsentField(state: SharingState | undefined): { readonly unsent_changes?: UnsentChanges } {
  if (state === undefined || state.pending === 0) return {};
  const { pool, pending: count, degraded } = state;
  return { unsent_changes: { pool, count, ...(degraded === undefined ? {} : { error: degraded.why }) } };
}

/** The state in full; null for a proxy that works alone. */
export function sharingBody(state: SharingState | undefined) {
  const { cluster } = clusterField(state);
  return cluster === undefined || state === undefined ? null : { ...cluster, engine: state.engine };
}
