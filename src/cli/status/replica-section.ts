// The section of a status frame about the replicas of the pool. Pure.

import { replicaWords } from "../../core/cluster-words.ts";
import type { StatusAnswer } from "../../core/status-schema.ts";
import { table } from "../terminal/table.ts";

/** A row for each replica: its name, state and version. None for a proxy that works alone. */
export function replicaRows(status: Pick<StatusAnswer, "cluster">, nowMs: number): string[] {
  const replicas = replicaWords(status, nowMs);
  if (replicas.length === 0) return [];
  return table(replicas.map(({ name, version, state }) => [`  ${name}`, state, version]))
    .trimEnd()
    .split("\n");
}
