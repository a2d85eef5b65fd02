// A replica without the server of its pool, in words for a person.

import type { StatusAnswer } from "./status-schema.ts";
import { pastTime } from "./time-words.ts";

/** `pool team: degraded since 05:41:09`; undefined for a proxy that works alone, and while the server can be used. */
export function degradedWords({ cluster }: Pick<StatusAnswer, "cluster">, nowMs: number): string | undefined {
  const sinceMs = cluster?.degraded_since_ms;
  if (cluster === undefined || sinceMs === undefined) return undefined;
  return `pool ${cluster.pool}: degraded since ${pastTime(sinceMs, nowMs)}`;
}
