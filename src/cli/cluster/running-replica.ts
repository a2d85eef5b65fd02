// What a running proxy reports of itself as a replica.

import { z } from "zod";
import { answered, type Door, through } from "../../admin/door.ts";
import type { Log } from "../../deps.ts";

export type RunningReplica = NonNullable<z.output<typeof ReplicaAnswer>["cluster"]>;
const ReplicaAnswer = z.object({
  cluster: z
    .object({
      pool: z.string(),
      /** How many changes of operators the server does not have yet. */
      pending: z.number(),
      /** Since when the pool cannot be used, Unix ms, and why; absent if it can. */
      degraded_since_ms: z.number().optional(),
      error: z.string().optional(),
      error_code: z.string().optional(),
    })
    .nullable(),
});

/** The state of the proxy behind `door`; undefined if it works alone. Throws like `answered`. */
export async function replicaBehind(door: Door): Promise<RunningReplica | undefined> {
  const answer = await answered(door, ReplicaAnswer, through(door)(`${door.url}/admin/cluster`));
  return answer.cluster ?? undefined;
}

/** Warns if the pool does not have all changes of the replica behind `door` yet. Never throws: the change is made. */
export async function warnOfUnsentChanges(door: Door, log: Log): Promise<void> {
  const replica = await replicaBehind(door).catch(() => undefined);
  if (replica === undefined || replica.pending === 0) return;
  const { pool, pending, error } = replica;
  const [what, them] = pending === 1 ? ["1 change is", "it"] : [`${pending} changes are`, "them"];
  log.warn(
    `${what} made on this replica only; the other replicas of ${pool} get ${them} when the server can be used again${error === undefined ? "" : `: ${error}`}`,
  );
}
