// What a running proxy reports of itself as a replica.

import { z } from "zod";
import type { UnsentChanges } from "../../admin/answers.ts";
import { answered, type Door, through } from "../../admin/door.ts";

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

/**
 * The warning about changes that were made on one replica only. `where`: that replica in words, for example `this
 * replica`.
 */
export function unsentWarning({ pool, count, error }: UnsentChanges, where: string): string {
  const [what, them] = count === 1 ? ["1 change was", "it"] : [`${count} changes were`, "them"];
  return `${what} made on ${where} only; the other replicas of ${pool} get ${them} when the server can be used again${error === undefined ? "" : `: ${error}`}`;
}
