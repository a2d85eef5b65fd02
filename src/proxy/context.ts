// The parts of the program that forwarding and tunnelling use, and the request that both handle.

import { type Advise, advised, advisedElsewhere } from "../advice.ts";
import type { Holder } from "../auth/access.ts";
import type { TagDemand } from "../core/account-tags.ts";
import type { Hop } from "../core/hops.ts";
import type { TurnRecord } from "../core/turn-record.ts";
import type { Deps } from "../deps.ts";
import type { EventLog } from "../state/events.ts";
import type { BindingSignals } from "../upstream/binding-signals.ts";
import type { Catalogues } from "../upstream/catalogues.ts";
import type { Origin } from "../upstream/placement.ts";
import type { Pool } from "../upstream/pool.ts";
import type { PooledResets } from "../upstream/pooled-resets.ts";
import type { Upstream } from "../upstream/upstream.ts";
import type { BodyBudget } from "./body-budget.ts";
import type { Connection } from "./connections.ts";
import type { RetryBudget } from "./retry-budget.ts";
import type { SlotQueue } from "./slot-queue.ts";
import type { TrafficCounts } from "./traffic-counts.ts";
import type { MovedTurns } from "./turn/moved-turns.ts";
import type { BeginTrace } from "./turn-trace.ts";
import type { WaitingTurns } from "./waiting-turns.ts";

export interface ProxySettings {
  readonly maxAttempts: number;
  /** How long an upstream cools down after its first broken connection, ms. */
  readonly cooldownMs: number;
  readonly timeouts: Timeouts;
}

/** Longest waits, ms. */
export interface Timeouts {
  /** For a connection to the backend; over WebSocket, for the whole handshake. */
  readonly connectMs: number;
  /** For the response head of a streamed turn, or the first event of a turn over WebSocket. */
  readonly headMs: number;
  /** For the next part of a response. */
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
  readonly counts: TrafficCounts;
  /** Takes the record of each turn; undefined if turns are not recorded. */
  readonly turns: () => ((record: TurnRecord) => void) | undefined;
  /** Begins the trace of a turn; undefined if turns are not traced. */
  readonly beginTrace: BeginTrace | undefined;
  /** Turns whose clients were asked to send them again. */
  readonly movedTurns: MovedTurns;
  readonly resets: PooledResets;
  /** Turns that wait for a reset. */
  readonly waiting: WaitingTurns;
  /** Turns that wait for a slot on a full account. */
  readonly slots: SlotQueue;
  /** The sessions of the other replicas; undefined if the proxy works alone. */
  readonly bindings: BindingSignals | undefined;
}

/** One request of a client: the facts that both transports need. */
export interface IncomingRequest {
  readonly request: Request;
  /** Aborted when the client disconnects, or when its key is removed. */
  readonly signal: AbortSignal;
  /** Call it once when the response is over, however it ended. */
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
  /** The proxies of a chain that the request has passed; empty if it comes from a client. */
  readonly hops: readonly Hop[];
  /** The `codexlb run` that sent the request. */
  readonly runId: string | undefined;
  /** How long the run lets its turns wait for a reset, ms; 0 if it does not ask for that. */
  readonly waitMs: number;
  /** The account that the client has chosen for itself. */
  readonly pinnedId: string | undefined;
  /** The tags of accounts that its run and its key name, the run's first. */
  readonly tags: readonly TagDemand[];
  /** Records that `upstream` served a turn of the request. */
  readonly noteTurn: (upstream: Pick<Upstream, "id" | "label">) => void;
  /** How many passing failures the proxy in front still allows; undefined if the request comes from a client. */
  readonly attemptsLeft: number | undefined;
  /** The id of the only account that may serve it, for a turn with which the proxy itself starts a window there. */
  readonly anchorsId?: string;
}

/** The session of a request, the proxies it has passed, and its model. */
export function originOf(
  { hops, pinnedId, tags }: IncomingRequest,
  session: string | undefined,
  model: string | undefined,
): Origin {
  return { session, hops, pinnedId, model, tags };
}

/** The program that sent a request, if it matters: a proxy in front, or Codex. */
export type ClientKind = "proxy" | "codex" | "other";

export function clientKindOf({ hops, request }: Pick<IncomingRequest, "hops" | "request">): ClientKind {
  if (hops.length > 0) return "proxy";
  return request.headers.get("originator")?.startsWith("codex") === true ? "codex" : "other";
}

/** How to advise commands to a client. One with a key, which may be another person's, learns no paths of this machine. */
export function adviceFor({ holder }: Pick<IncomingRequest, "holder">): Advise {
  return holder?.name === undefined ? advised : advisedElsewhere;
}

/** The number of passing failures after which a request fails: the lower limit of this proxy and the one in front. */
export function mostAttempts({ settings }: ProxyContext, { attemptsLeft }: IncomingRequest): number {
  const { maxAttempts } = settings();
  return attemptsLeft === undefined ? maxAttempts : Math.max(1, Math.min(maxAttempts, attemptsLeft));
}
