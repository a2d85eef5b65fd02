// What forwarding and tunnelling need from the rest of the program.

import type { Holder } from "../auth/access.ts";
import type { Hop } from "../core/hops.ts";
import type { Deps } from "../deps.ts";
import type { EventLog } from "../state/events.ts";
import type { Catalogues } from "../upstream/catalogues.ts";
import type { Origin } from "../upstream/placement.ts";
import type { Pool } from "../upstream/pool.ts";
import type { BodyBudget } from "./body-budget.ts";
import type { Connection } from "./connections.ts";
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
  readonly deps: Pick<Deps, "clock" | "log">;
  readonly pool: Pool;
  readonly events: EventLog;
  readonly settings: () => ProxySettings;
  readonly retries: RetryBudget;
  readonly bodies: BodyBudget;
  readonly catalogues: Catalogues;
  /** This proxy. */
  readonly self: () => Hop;
}

/** One request of a client, as far as both transports share it. */
export interface IncomingRequest {
  readonly request: Request;
  /** Aborted when the client disconnects, or when it may no longer be served. */
  readonly signal: AbortSignal;
  /** To be called once when the response is over, however it ended. */
  readonly ended: () => void;
  /** True if the key that let it in has since been removed. */
  readonly isRevoked: () => boolean;
  /** The authenticated client, if clients must authenticate. */
  readonly holder: Holder | undefined;
  /** True if the client requests a WebSocket. */
  readonly isHandshake: boolean;
  readonly connection: Connection;
  readonly requestId: number;
  readonly path: string;
  /** Query with its `?`, or "". */
  readonly search: string;
  /** The proxies of a chain that it has passed; none when it comes from a client. */
  readonly hops: readonly Hop[];
  /** The account that the client has chosen for itself. */
  readonly pinnedId: string | undefined;
  /** How many passing failures the proxies before allow; undefined when it comes from a client. */
  readonly attemptsLeft: number | undefined;
}

/** The session of a request, the proxies it has passed, and its model. */
export function originOf(
  { hops, pinnedId }: IncomingRequest,
  session: string | undefined,
  model: string | undefined,
): Origin {
  return { session, hops, pinnedId, model };
}

/** Passing failures after which the attempts for a request end: of this proxy's, and of those before it, the fewer. */
export function mostAttempts({ settings }: ProxyContext, { attemptsLeft }: IncomingRequest): number {
  const { maxAttempts } = settings();
  return attemptsLeft === undefined ? maxAttempts : Math.max(1, Math.min(maxAttempts, attemptsLeft));
}
