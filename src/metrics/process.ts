// The process and its background work as metrics.

import { readdirSync } from "node:fs";
import type { Clock } from "../deps.ts";
import type { EventBacklog } from "../state/events.ts";
import type { UsageBacklog, UsageHealth } from "../state/usage/usage-store.ts";
import { COMMIT, TARGET, VERSION } from "../version.ts";
import type { Report } from "./report.ts";

export interface ProcessContext {
  readonly clock: Pick<Clock, "now">;
  /** Unix ms. */
  readonly startedMs: number;
  /** The most file descriptors that the process may open. */
  readonly mostDescriptors: number;
  readonly log: () => EventBacklog;
  /** The trace spans that were sent and dropped; undefined if turns are not traced. */
  readonly spans: (() => { readonly sent: number; readonly dropped: number }) | undefined;
  readonly usage: { health(): UsageHealth; backlog(): UsageBacklog };
}

export function reportProcess(context: ProcessContext, report: Report): void {
  const { clock, startedMs, mostDescriptors } = context;
  report("buildInfo", 1, { version: VERSION, commit: COMMIT, target: TARGET });
  report("residentMemory", process.memoryUsage.rss());
  const { user, system } = process.cpuUsage();
  report("cpu", (user + system) / 1e6);
  const open = openDescriptors();
  if (open !== undefined) report("openDescriptors", open);
  report("mostDescriptors", mostDescriptors);
  report("startTime", startedMs / 1000);
  const log = context.log();
  report("logLag", secondsSince(log.oldestMs, clock));
  report("logDropped", log.dropped);
  for (const [result, count] of Object.entries(context.spans?.() ?? {})) report("spans", count, { result });
  const { kind } = context.usage.health();
  const turns = context.usage.backlog();
  report("usageEnabled", Number(kind !== "off"));
  report("usageFailing", Number(kind === "failing"));
  report("usageLag", secondsSince(turns.oldestMs, clock));
  report("usageDropped", turns.dropped);
}

// --- internal ---

function secondsSince(ms: number | undefined, clock: Pick<Clock, "now">): number {
  return ms === undefined ? 0 : Math.max(0, clock.now() - ms) / 1000;
}

/** The number of open descriptors, without the one that lists them; undefined if the system does not list them. */
function openDescriptors(): number | undefined {
  try {
    return readdirSync(process.platform === "darwin" ? "/dev/fd" : "/proc/self/fd").length - 1;
  } catch {
    return undefined; // the metric is left out
  }
}
