// One request of a client, or one turn on its WebSocket, during the attempt loop: what it asks for, which upstreams
// have failed it, how many attempts are left, and which upstream is next.

import type { Choice } from "../core/policy.ts";
import type { TurnTransport } from "../core/turn-record.ts";
import type { Lease } from "../upstream/leases.ts";
import type { StateRequest } from "../upstream/state-owners.ts";
import type { OutgoingRequest } from "../upstream/upstream.ts";
import { type IncomingRequest, mostAttempts, originOf, type ProxyContext } from "./context.ts";
import { outgoingHeaders } from "./headers.ts";
import type { RequestFacts } from "./session.ts";
import type { SlotTurn } from "./slot-queue.ts";
import { createStateSearch, type StateSearch } from "./state-search.ts";
import type { AttemptEnd, AttemptPurpose } from "./traffic-counts.ts";
import type { TurnRecorder } from "./turn/turn-recorder.ts";
import type { TurnTrace } from "./turn-trace.ts";

/** The properties of the request. */
export interface ExchangeOptions extends RequestFacts {
  readonly method: string;
  /** True if it uses quota, so an exhausted upstream cannot serve it. */
  readonly spends: boolean;
  /** True if it counts as a message of the account that serves it. */
  readonly isMessage: boolean;
  /** True if it may be sent to a second upstream after a passing failure. */
  readonly isReplayable: boolean;
  /** Records the turn, if the request is one and turns are recorded. */
  readonly recorder?: TurnRecorder | undefined;
  /** The trace of the turn, if it has one. */
  readonly trace?: TurnTrace | undefined;
  /** When the proxy had received the whole turn; undefined for a request that is not a turn. */
  readonly arrival?: Arrival | undefined;
  /** The size of the turn; undefined for a request that is not a turn. */
  readonly bytes?: number | undefined;
  /** The signal that is aborted when the client disconnects. Default: that of the incoming request. */
  readonly leaving?: (() => AbortSignal) | undefined;
  /** The upstream whose connection is open, which is tried first. */
  readonly home?: Home | undefined;
  /** The state that the request is about, if it belongs to one account. */
  readonly state?: StateRequest | undefined;
}

export interface Arrival {
  readonly transport: TurnTransport;
  /** Monotonic ms. */
  readonly at: number;
}

export interface Home {
  readonly upstreamId: string;
  /** Why the upstream was chosen, until it has served a turn. */
  readonly choice: Choice | undefined;
  /** False if no other upstream can take the request, because it refers to an earlier response on this connection. */
  readonly canLeave: boolean;
}

export interface Exchange {
  readonly incoming: IncomingRequest;
  readonly facts: RequestFacts;
  readonly isMessage: boolean;
  readonly isReplayable: boolean;
  readonly recorder: TurnRecorder | undefined;
  /** How long an upstream cools down after its first broken connection, ms. */
  readonly cooldownMs: number;
  /** Passing failures so far. */
  readonly failures: number;
  /** True once a second upstream has been picked. */
  hasMoved(): boolean;
  /** Picks the next upstream that has not failed this request; undefined if there is none. */
  pick(): Lease | undefined;
  /** The turn for the queue, if a slot on a full account is all that it needs; undefined otherwise. */
  queued(): SlotTurn | undefined;
  /** The request for the upstream that was picked. */
  outgoing(): OutgoingRequest;
  /** The request is about to be sent to an upstream. */
  sending(): void;
  /** An attempt with the upstream that was picked ended. */
  attempted(lease: Lease, end: AttemptEnd): void;
  /** Counts passing failures. Returns true while more are allowed. */
  fail(count: number): boolean;
  /** The search for state that belongs to one account; undefined if the request is about none. */
  readonly stateSearch: StateSearch | undefined;
  /** An upstream could not decrypt the history. From now on `pick` looks for one that can. */
  search(): void;
  isSearching(): boolean;
  /** The turn has waited for a slot. Like every wait, that does not count as a delay by the proxy. */
  waited(): void;
  /** The turn has waited for a reset: all upstreams may be tried again. */
  restart(): void;
  /** `lease`'s upstream has served the request, or sent the first output of the turn. */
  served(lease: Lease): void;
}

export function createExchange(
  context: ProxyContext,
  incoming: IncomingRequest,
  options: ExchangeOptions,
): Exchange {
  const { pool, counts } = context;
  const { clock } = context.deps;
  const { session, model, home, arrival, recorder, trace, state } = options;
  const { requestId, path, search } = incoming;
  const tried = new Set<string>();
  const maxAttempts = mostAttempts(context, incoming);
  const stateSearch = state && createStateSearch(pool, clock, state, options.method);
  const placement = {
    ...originOf(incoming, session, model),
    tried,
    spends: options.spends,
    requestId,
    owners: stateSearch?.owners,
    bytes: options.bytes,
    opensOnly: options.spends && options.bytes === undefined,
  };

  const purpose: AttemptPurpose =
    recorder !== undefined ? "turn" : incoming.isHandshake ? "handshake" : "other";

  let failures = 0;
  let isSearching = false;
  let isSent = false;

  const choose = (): Lease | undefined => {
    const searching = isSearching || stateSearch?.hasMissed() === true;
    if (home === undefined) return pool.pick({ ...placement, searching });
    const lease = tried.size === 0 ? pool.use(home.upstreamId, placement, home.choice) : undefined;
    if (lease !== undefined) return lease;
    return home.canLeave ? pool.pick({ ...placement, searching: isSearching }) : undefined;
  };

  const pick = (): Lease | undefined => {
    const lease = choose();
    if (lease === undefined) return undefined;
    recorder?.picked(lease);
    trace?.attemptBegan(lease.upstream);
    const isMove = tried.size > 0 && !tried.has(lease.upstream.id);
    tried.add(lease.upstream.id);
    return isMove ? { ...lease, choice: { ...lease.choice, switched: true } } : lease;
  };

  const waited = (): void => {
    isSent = true;
    recorder?.restart();
  };

  return {
    incoming,
    facts: { session, model },
    isMessage: options.isMessage,
    isReplayable: options.isReplayable,
    recorder,
    cooldownMs: context.settings().cooldownMs,
    get failures() {
      return failures;
    },
    hasMoved: () => tried.size > 1,
    pick,
    queued: () => {
      const { bytes } = options;
      // A proxy in front may have other accounts, and a turn that starts a window can start it later.
      if (bytes === undefined || incoming.hops.length > 0 || incoming.anchorsId !== undefined)
        return undefined;
      // Only the account of the open connection can take the turn, and it has failed the turn.
      if (home?.canLeave === false && tried.size > 0) return undefined;
      if (!pool.isFull(placement)) return undefined;
      const signal = options.leaving?.() ?? incoming.signal;
      return { requestId, session, bytes, signal, pick, isWaiting: () => pool.isFull(placement) };
    },
    outgoing: () => ({
      method: options.method,
      path,
      search,
      headers: outgoingHeaders(incoming.request.headers, { turn: options.spends }),
      hops: [...incoming.hops, context.self()],
      attemptsLeft: Math.max(1, maxAttempts - failures),
    }),
    sending: () => {
      if (isSent) return;
      isSent = true;
      if (arrival !== undefined) counts.sent(arrival.transport, (clock.monotonic() - arrival.at) / 1000);
    },
    attempted: ({ upstream }, end) => {
      counts.attempt(purpose, end, upstream.id);
      trace?.attemptEnded(end);
    },
    fail: (count) => {
      failures += count;
      return failures < maxAttempts && stateSearch?.isInTime() !== false;
    },
    stateSearch,
    search: () => {
      isSearching = true;
    },
    isSearching: () => isSearching,
    waited,
    restart: () => {
      tried.clear();
      failures = 0;
      isSearching = false;
      waited();
    },
    served: (lease) => {
      lease.settle({ kind: "ok" }, { turn: options.isMessage, held: isSearching });
      if (options.isMessage) incoming.noteTurn(lease.upstream);
      stateSearch?.served(lease.upstream.id);
    },
  };
}
