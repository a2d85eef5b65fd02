// The pool that a root has joined, if its settings name the same one.

import { advised } from "../advice.ts";
import { CodexlbError } from "../errors.ts";
import type { Layout } from "../state/layout.ts";
import type { Config } from "../state/settings.ts";
import { openReplicaFile, type ReplicaFile } from "./replica-file.ts";

/**
 * The file of the replica; undefined if the root works alone. A replica never works alone, because each login that it
 * renews would end for the others. Throws `invalid_config` if the settings name no server or another pool, and
 * `cluster_refused` if the root has not joined the pool.
 */
export function joinedPool(layout: Layout, { url, pool }: Config["cluster"]): ReplicaFile | undefined {
  const file = openReplicaFile(layout.cluster);
  if (file === undefined) {
    if (url === "") return undefined;
    throw new CodexlbError("cluster_refused", `${layout.root} has not joined the pool ${pool}`, {
      next: `join it with: ${advised("cluster join")}, or create it with: ${advised("cluster init")}`,
    });
  }
  const is = `${layout.root} is a replica of the pool ${file.pool}`;
  if (url === "")
    throw new CodexlbError("invalid_config", `${is}, but cluster.url is not set`, {
      next: `set cluster.url, or leave the pool with: ${advised("cluster leave")}`,
    });
  if (file.pool !== pool)
    throw new CodexlbError("invalid_config", `${is}, but cluster.pool is ${pool}`, {
      next: `correct cluster.pool, or leave the pool with: ${advised("cluster leave")}`,
    });
  return file;
}
