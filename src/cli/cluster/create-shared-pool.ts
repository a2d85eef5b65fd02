// Creates a pool in the engine, with the root as its first replica.

import { rmSync } from "node:fs";
import { advised } from "../../advice.ts";
import { createReplicaFile, newId, type ReplicaFile } from "../../cluster/replica-file.ts";
import type { Deps } from "../../deps.ts";
import { CodexlbError } from "../../errors.ts";
import type { Layout } from "../../state/layout.ts";
import type { OpenPool } from "./open-pool.ts";

/**
 * The file of the new replica. Throws `cluster_refused` if the engine has a pool of this name; the root is then as
 * before. If the engine's answer does not arrive (`cluster_unreachable`), the root is a replica, because the pool may
 * exist; if it does not, the replica's proxy creates it.
 */
export async function createSharedPool(
  { pool, engine, info, records }: Pick<OpenPool, "pool" | "engine" | "info" | "records">,
  layout: Layout,
  deps: Pick<Deps, "random">,
): Promise<ReplicaFile> {
  const exists = () =>
    new CodexlbError("cluster_refused", `the pool ${pool} exists already on ${engine}`, {
      next: `join it with another root: ${advised("cluster join")}; or choose another cluster.pool`,
    });
  if ((await records.find()) !== undefined) throw exists();
  // Written first, so that a killed command leaves no pool without a replica.
  const file = createReplicaFile(layout.cluster, newId(deps), pool, newId(deps));
  try {
    // Another command may have created the pool in the meantime.
    if ((await records.create(file.poolId, info.runId, false)) !== file.poolId) throw exists();
  } catch (error) {
    if (!(error instanceof CodexlbError && error.code === "cluster_unreachable")) rmSync(layout.cluster);
    throw error;
  }
  return file;
}
