// What forwarding and tunnelling need from the rest of the program.

import { type PooledUsage, pooledUsage } from "../core/pooled.ts";
import type { Deps } from "../deps.ts";
import type { EventLog } from "../state/events.ts";
import type { Pool } from "../upstream/pool.ts";

export interface ProxySettings {
  readonly maxAttempts: number;
  /** How long an upstream rests after its connection failed, ms. */
  readonly cooldownMs: number;
}

export interface ProxyContext {
  readonly deps: Pick<Deps, "clock" | "env" | "log">;
  readonly pool: Pool;
  readonly events: EventLog;
  readonly settings: () => ProxySettings;
}

/** One request of a client, as far as both transports share it. */
export interface Incoming {
  readonly request: Request;
  readonly requestId: number;
  readonly path: string;
  /** Query with its `?`, or "". */
  readonly search: string;
}

/** What the pool presents to Codex at this moment. */
export function usageNow({ pool }: Pick<ProxyContext, "pool">): PooledUsage {
  return pooledUsage(pool.facts().accounts, pool.view());
}
