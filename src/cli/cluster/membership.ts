// Whether a root is a replica.

import { advised } from "../../advice.ts";
import { openReplicaFile, type ReplicaFile } from "../../cluster/replica-file.ts";
import { CodexlbError } from "../../errors.ts";
import type { Layout } from "../../state/layout.ts";

/** Throws `cluster_refused` if the root is a replica. */
export function refuseReplica(layout: Layout): void {
  const file = openReplicaFile(layout.cluster);
  if (file === undefined) return;
  throw new CodexlbError("cluster_refused", `${layout.root} is already a replica of the pool ${file.pool}`, {
    next: `see: ${advised("cluster status")}`,
  });
}

/** The file of the replica. Throws `cluster_refused` if the root is none. */
export function requireReplica(layout: Layout): ReplicaFile {
  const file = openReplicaFile(layout.cluster);
  if (file !== undefined) return file;
  throw new CodexlbError("cluster_refused", `${layout.root} is not a replica of a pool`, {
    next: `join one with: ${advised("cluster join")}`,
  });
}
