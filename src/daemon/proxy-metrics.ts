// The metrics of a running proxy.

import type { Sharing } from "../cluster/sharing.ts";
import type { TurnRecord } from "../core/turn-record.ts";
import { createMetrics, type Metrics } from "../metrics/metrics.ts";
import type { SlotQueue } from "../proxy/slot-queue.ts";
import type { WaitingTurns } from "../proxy/waiting-turns.ts";
import type { Descriptors } from "../state/descriptors.ts";
import type { Pool } from "../upstream/pool.ts";
import type { Base } from "./base.ts";
import type { Tracing } from "./tracing.ts";

/** What else is measured. */
export interface MetricSources {
  readonly descriptors: Pick<Descriptors, "limit">;
  readonly waiting: Pick<WaitingTurns, "summary">;
  readonly slots: Pick<SlotQueue, "count">;
  readonly tracing: Pick<Tracing, "counts"> | undefined;
  readonly sharing: Pick<Sharing, "state">;
}

/** The metrics of a proxy with `pool` that starts now. */
export function metricsOf(
  { deps, events, usage, traffic }: Base,
  pool: Pick<Pool, "watched" | "facts">,
  { descriptors, waiting, slots, tracing, sharing }: MetricSources,
): Metrics {
  return createMetrics({
    clock: deps.clock,
    pool,
    waitingTurns: () => waiting.summary().turns,
    queuedTurns: slots.count,
    traffic,
    startedMs: deps.clock.now(),
    mostDescriptors: descriptors.limit,
    log: events.backlog,
    usage,
    spans: tracing?.counts,
    sharing: sharing.state,
  });
}

/** Takes the record of each turn: counts it, and passes it to the record of usage while that is enabled. */
export function turnsOf({ traffic, usage, live }: Pick<Base, "traffic" | "usage" | "live">) {
  const add = (turn: TurnRecord): void => {
    traffic.turnEnded(turn);
    if (live.current().usage.enabled) usage.add(turn);
  };
  return () => {
    traffic.turnBegan();
    return add;
  };
}
