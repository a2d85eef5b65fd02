// Checks the server of the cluster, the pool in it, and this root as a replica.

import { advised } from "../../advice.ts";
import { joinedPool } from "../../cluster/joined-pool.ts";
import type { ReplicaFile } from "../../cluster/replica-file.ts";
import { effectiveConfig, readConfigFile } from "../../state/config-source.ts";
import type { Config } from "../../state/settings.ts";
import { connectPool, type OpenPool } from "../cluster/open-pool.ts";
import type { CommandContext } from "../context.ts";
import { waitingFor } from "../terminal/terminal.ts";
import { type Finding, ok } from "./finding.ts";

/**
 * Returns nothing for a root without a cluster. Throws `invalid_config`, `cluster_unreachable` and `cluster_refused` for
 * what prevents the replica from working.
 */
export async function examineCluster(context: CommandContext): Promise<Finding[]> {
  const settings = clusterOf(context);
  const file = settings && joinedPool(context.layout, settings);
  if (file === undefined) return [];
  using pool = await waitingFor("checking the server of the cluster", connectPool(context));
  const problems = pool.info.problems.map(
    ({ severity, what, next }): Finding => ({
      check: "pool server",
      status: severity,
      detail: what,
      remedy: next,
    }),
  );
  return [...problems, await poolFinding(pool, file)];
}

// --- internal ---

const CHECK = "cluster";

/** The settings; undefined if they are not valid, which another check reports. */
function clusterOf({ layout, deps }: CommandContext): Config["cluster"] | undefined {
  try {
    return effectiveConfig(readConfigFile(layout), {}, deps.env).config.cluster;
  } catch {
    return undefined;
  }
}

async function poolFinding({ records, pool, engine, info }: OpenPool, file: ReplicaFile): Promise<Finding> {
  const found = await records.find();
  if (found === undefined)
    return {
      check: CHECK,
      status: "warning",
      detail: `${engine} does not have the pool ${pool}; the next replica that starts restores it`,
      remedy: `start the proxy: ${advised("proxy start")}`,
    };
  if (found !== file.poolId)
    return {
      check: CHECK,
      status: "bad",
      detail: `the pool ${pool} on ${engine} is not the one that this root has joined`,
      remedy: "correct cluster.url or cluster.pool",
    };
  const count = (await records.members()).length;
  return ok(CHECK, `${pool} on ${engine} (${info.product}), ${count} replica${count === 1 ? "" : "s"}`);
}
