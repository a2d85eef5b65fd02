// What forwarding and tunnelling need from the rest of the program.

import type { Deps } from "../deps.ts";
import type { EventLog } from "../state/events.ts";
import type { Pool } from "../upstream/pool.ts";
import type { Catalogues } from "./catalogues.ts";
import type { RetryBudget } from "./retry-budget.ts";

export interface ProxySettings {
  readonly maxAttempts: number;
  /** How long an upstream rests after its connection failed for the first time, ms. */
  readonly cooldownMs: number;
  readonly timeouts: Timeouts;
}

/** How long is waited for what, ms. */
export interface Timeouts {
  /** For a connection to the backend; over WebSocket for the whole handshake. */
  readonly connectMs: number;
  /** For the response head of a streamed turn, or the first event of a turn over WebSocket. */
  readonly headMs: number;
  /** Between two parts of an answer. */
  readonly idleMs: number;
}

export interface ProxyContext {
  readonly deps: Pick<Deps, "clock" | "env" | "log">;
  readonly pool: Pool;
  readonly events: EventLog;
  readonly settings: () => ProxySettings;
  readonly retries: RetryBudget;
  readonly catalogues: Catalogues;
}

/** One request of a client, as far as both transports share it. */
export interface Incoming {
  readonly request: Request;
  readonly requestId: number;
  readonly path: string;
  /** Query with its `?`, or "". */
  readonly search: string;
}
