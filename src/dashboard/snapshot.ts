// Makes the snapshot of the proxy's state for the dashboard's page.

import type { ProxyInfo } from "../admin/operate.ts";
import type { Forecasts } from "../core/forecast/status-forecast.ts";
import { statusDocument } from "../core/status.ts";
import { StatusAnswer } from "../core/status-schema.ts";
import type { Deps } from "../deps.ts";
import type { UsageStore } from "../state/usage/usage-store.ts";
import type { Affinity } from "../upstream/affinity.ts";
import type { Pool } from "../upstream/pool.ts";
import { VERSION } from "../version.ts";
import { MOST_REQUESTS, MOST_SESSIONS, type Snapshot } from "./messages.ts";

export interface SnapshotContext {
  readonly deps: Pick<Deps, "clock">;
  readonly pool: Pick<Pool, "facts" | "view" | "live">;
  readonly affinity: Pick<Affinity, "latest">;
  readonly forecasts: () => Forecasts | undefined;
  readonly about: () => ProxyInfo;
  readonly usage: Pick<UsageStore, "added">;
}

export function snapshotOf({ deps, pool, affinity, forecasts, about, usage }: SnapshotContext): Snapshot {
  const facts = pool.facts();
  const { name, pid, startedMs } = about();
  const labels = new Map([
    ...facts.accounts.map(({ id, alias }) => [id, alias] as const),
    ...facts.children.map((child) => [child.id, child.name || child.url] as const),
  ]);
  return {
    atMs: deps.clock.now(),
    proxy: { name, version: VERSION, pid, startedMs },
    status: StatusAnswer.parse(statusDocument(facts, pool.view(), forecasts())),
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
    recordedTurns: usage.added(),
  };
}

/** A text that differs if two snapshots differ in more than the passing of time. */
export function contentOf(snapshot: Snapshot): string {
  return JSON.stringify(snapshot, (name, value) => (PASSING.has(name) ? undefined : value));
}

// --- internal ---

/** Fields that change with time alone. */
const PASSING: ReadonlySet<string> = new Set(["atMs", "generated_at", "cooldown_seconds", "age_seconds"]);
