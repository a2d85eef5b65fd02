// The metrics of this proxy, for a monitoring program. A tree of proxies has one set of metrics per proxy.

import type { SharingState } from "../cluster/sharing.ts";
import type { Clock } from "../deps.ts";
import type { Pool } from "../upstream/pool.ts";
import { reportCluster } from "./cluster.ts";
import { type Exposition, expositionOf } from "./exposition.ts";
import { createLoopDelay } from "./loop-delay.ts";
import { reportPool } from "./pool.ts";
import { type ProcessContext, reportProcess } from "./process.ts";
import type { TrafficMetrics } from "./traffic.ts";

export interface Metrics {
  /** All values now, in the format that the Accept header `accept` names. */
  scrape(accept: string | undefined): Promise<Exposition>;
  stop(): void;
}

export interface MetricsContext extends ProcessContext {
  readonly clock: Clock;
  readonly pool: Pick<Pool, "watched" | "facts">;
  /** How many turns wait for a reset. */
  readonly waitingTurns: () => number;
  /** How many turns wait for a slot on a full account. */
  readonly queuedTurns: () => number;
  readonly traffic: Pick<TrafficMetrics, "report">;
  /** Undefined for a proxy that works alone. */
  readonly sharing: () => SharingState | undefined;
}

export function createMetrics(context: MetricsContext): Metrics {
  const { clock, pool, waitingTurns, queuedTurns, traffic, sharing } = context;
  const loopDelay = createLoopDelay(clock);
  return {
    scrape: (accept) =>
      expositionOf(accept, (report) => {
        const upstreams = reportPool(pool, clock.now(), report);
        traffic.report(report, upstreams);
        report("turnsWaiting", waitingTurns());
        report("turnsQueued", queuedTurns());
        reportCluster(sharing(), clock.now(), report);
        reportProcess(context, report);
        report("loopDelay", loopDelay.read());
      }),
    stop: loopDelay.stop,
  };
}
