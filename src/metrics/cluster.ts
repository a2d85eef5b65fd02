// The state of a replica as metrics. A proxy that works alone has none of them.

import type { SharingState } from "../cluster/sharing.ts";
import type { Report } from "./report.ts";

export function reportCluster(state: SharingState | undefined, nowMs: number, report: Report): void {
  if (state === undefined) return;
  const { degraded, pending, counts } = state;
  report("clusterConnected", Number(degraded === undefined));
  report("clusterDegraded", degraded === undefined ? 0 : Math.max(0, nowMs - degraded.sinceMs) / 1000);
  report("clusterDuplicate", Number(degraded?.code === "same_replica_twice"));
  report("clusterPending", pending);
  for (const [result, count] of Object.entries(counts.comparisons))
    report("clusterComparisons", count, { result });
  for (const { values, count } of counts.renewals) {
    const [outcome = "", by = ""] = values;
    report("clusterRenewals", count, { outcome, by });
  }
}
