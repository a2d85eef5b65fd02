// Makes the snapshot of the proxy's state for the dashboard's page.

import type { ProxyInfo } from "../admin/operate.ts";
import { clusterField } from "../admin/sharing-fields.ts";
import type { SharingState } from "../cluster/sharing.ts";
import { passedOver } from "../core/explain.ts";
import type { Forecasts } from "../core/forecast/status-forecast.ts";
import type { OptionSource } from "../core/option-words.ts";
import type { PoolFacts } from "../core/pool-facts.ts";
import { queuedField, statusDocument, waitingField } from "../core/status.ts";
import { StatusAnswer, type StatusDocument } from "../core/status-schema.ts";
import type { Deps } from "../deps.ts";
import type { SlotQueue } from "../proxy/slot-queue.ts";
import type { WaitingTurns } from "../proxy/waiting-turns.ts";
import type { UsageStore } from "../state/usage/usage-store.ts";
import type { Affinity } from "../upstream/affinity.ts";
import type { Pool } from "../upstream/pool.ts";
import { VERSION } from "../version.ts";
import { MOST_REQUESTS, MOST_SESSIONS, type Snapshot } from "./messages.ts";

export interface SnapshotContext {
  readonly deps: Pick<Deps, "clock">;
  readonly pool: Pick<Pool, "facts" | "view" | "live" | "explain">;
  readonly affinity: Pick<Affinity, "latest">;
  readonly forecasts: () => Forecasts | undefined;
  /** The sources of the options of all accounts, by their ids. */
  readonly options: () => readonly (readonly [id: string, sources: readonly OptionSource[]])[];
  readonly about: () => ProxyInfo;
  readonly usage: Pick<UsageStore, "added">;
  readonly waiting: Pick<WaitingTurns, "summary">;
  readonly slots: Pick<SlotQueue, "count">;
  readonly anchoring: () => StatusDocument["anchor"];
  /** What the proxy shares with other replicas; undefined if it works alone. */
  readonly sharing: () => SharingState | undefined;
}

export function snapshotOf(context: SnapshotContext): Snapshot {
  const { deps, pool, affinity, forecasts, options, about, usage, waiting, slots, anchoring, sharing } =
    context;
  const facts = pool.facts();
  const { name, pid, startedMs } = about();
  const labels = new Map([
    ...facts.accounts.map(({ id, alias }) => [id, alias] as const),
    ...facts.children.map((child) => [child.id, child.name || child.url] as const),
  ]);
  return {
    atMs: deps.clock.now(),
    proxy: { name, version: VERSION, pid, startedMs },
    status: StatusAnswer.parse({
      ...statusDocument(facts, pool.view(), forecasts()),
      ...waitingField(waiting.summary()),
      ...queuedField(slots.count()),
      anchor: anchoring(),
      ...clusterField(sharing()),
    }),
    requests: pool
      .live()
      .slice(0, MOST_REQUESTS)
      .map(({ requestId, label, session, model, startedMs: sinceMs }) => ({
        id: requestId,
        upstream: label,
        session,
        model,
        startedMs: sinceMs,
      })),
    sessions: affinity.latest(MOST_SESSIONS).map(({ session, upstreamId, held }) => ({
      session,
      upstream: labels.get(upstreamId) ?? upstreamId,
      held,
    })),
    options: Object.fromEntries(options().filter(([, sources]) => sources.length > 0)),
    passedOver: passedOverIn(facts, pool),
    recordedTurns: usage.added(),
  };
}

/** A text that differs if two snapshots differ in more than the passing of time. */
export function contentOf(snapshot: Snapshot): string {
  return JSON.stringify(snapshot, (name, value) => (PASSING.has(name) ? undefined : value));
}

// --- internal ---

/** Without priorities and floors, no explanation is computed. */
function passedOverIn({ accounts }: PoolFacts, pool: SnapshotContext["pool"]): Snapshot["passedOver"] {
  const isOrdered = accounts.some(({ candidate: { options } }) => {
    const { priority, floorDaily, floorWeekly } = options;
    return priority !== 0 || floorDaily > 0 || floorWeekly > 0;
  });
  return isOrdered ? Object.fromEntries(passedOver(pool.explain(undefined, undefined))) : {};
}

/** Fields that change with time alone. */
const PASSING: ReadonlySet<string> = new Set([
  "atMs",
  "generated_at",
  "cooldown_seconds",
  "age_seconds",
  "passedOver",
  "last_seen_ms",
]);
