// WebSocket: a client's socket and the upstream's behind it. Messages are read, not spliced: each turn goes through the
// attempt loop, and a session changes its account only between turns.
//
//   a turn fails before output, or its account is no longer the right one:
//     the request stands on its own  -> the attempt loop sends it to another account; the client notices nothing
//     it refers to an earlier answer -> hand over: the client is told in its own protocol to reconnect, and comes
//                                       back at once with the whole history, which another account can take
//   a turn fails after output        -> the same, if another account could go on with it
//
// Every queue is bounded. If the client reads slowly, the upstream has to wait. If the upstream reads slowly, the
// tunnel is closed once too much is unread, because the proxy cannot make the client wait.

import type { Choice } from "../core/policy.ts";
import { eventType, isCompaction, readTurnSignal } from "../core/turn.ts";
import { dataPlaneErrorBody, messageOf } from "../errors.ts";
import type { Lease } from "../upstream/leases.ts";
import type { Shortage } from "../upstream/shortage.ts";
import { afterOutput } from "./after-output.ts";
import { busy, collecting } from "./bodies.ts";
import { poolVersion, poolVersionEvent } from "./catalogues.ts";
import type { Incoming, ProxyContext } from "./context.ts";
import type { Far } from "./dial-account.ts";
import type { Handovers } from "./handovers.ts";
import { downstreamHeaders } from "./headers.ts";
import { poolHeaders, poolLimitsEvent } from "./passes.ts";
import { asTold, type Refusal, refusalEvent, refusalFor } from "./refusal.ts";
import { TOO_BIG } from "./socket-turn.ts";
import { createIdleWatch, type IdleWatch } from "./timeouts.ts";
import { type TurnFailure, type TurnSocket, takeTurn } from "./turn-attempts.ts";

/** The client's end, as Bun.serve gives it. */
export interface ClientSocket {
  send(message: string | Uint8Array): number;
  /** Bytes that the client has not read yet. */
  getBufferedAmount(): number;
  close(code?: number, reason?: string): void;
  terminate(): void;
}

/** An open tunnel; the server tells it what happens at the client's end. */
export interface Tunnel {
  /** Headers for the client's 101. */
  readonly headers: Headers;
  opened(client: ClientSocket): void;
  fromClient(message: string | Uint8Array): void;
  /** The client has read some of the buffered data. */
  drained(): void;
  /** The client's end is closed, or never opened. */
  closedByClient(): void;
  /** Closes immediately, because the key that it was opened with has been removed. */
  revoke(): void;
  /** Closes as soon as no turn is under way: the client reconnects when it has the next one. */
  drain(): void;
}

/** Largest message of a client: the backend's own limit. Codex sends larger ones over HTTP. */
export const MESSAGE_LIMIT_BYTES = 16 * 1024 * 1024;

export interface TunnelContext extends ProxyContext {
  readonly handovers: Handovers;
}

/** `first` is dialled and open; `choice` says why it was chosen. */
export function createTunnel(
  context: TunnelContext,
  incoming: Incoming,
  session: string | undefined,
  first: Far,
  choice: Choice,
): Tunnel {
  const { pool, events, handovers, settings } = context;
  const { clock } = context.deps;
  const leaving = new AbortController();
  let client: ClientSocket | undefined;
  let far = first;
  let placed: Choice | undefined = choice;
  let isBusy = false;
  /** Turns that the client asked for while one was under way; each takes its own way when its time comes. */
  const waiting: AskedTurn[] = [];
  let closed = false;
  let isClientSlow = false;
  let draining = false;
  /** Called when the tunnel closes in the middle of a turn. */
  let endTurn = () => {};

  const close = (tell: (client: ClientSocket) => void): void => {
    if (closed) return;
    closed = true;
    events.append("websocket.completed", {
      req_id: incoming.requestId,
      status: 101,
      account_id: far.upstreamId,
    });
    leaving.abort();
    endTurn();
    slowness.stop();
    for (const turn of waiting) turn.release();
    far.socket.close();
    if (client !== undefined) tell(client);
  };

  /** An unexpected error ends only this tunnel. */
  const safely = (what: string, run: () => void): void => {
    try {
      run();
    } catch (error) {
      fail(what, error);
    }
  };

  const fail = (what: string, error: unknown): void => {
    context.deps.log.warn(`${what} over WebSocket: ${messageOf(error)}`);
    close((end) => end.terminate());
  };

  /** A client that reads nothing for as long as an upstream may be silent counts as gone. */
  const slowness: IdleWatch = createIdleWatch(
    clock,
    () => settings().timeouts.idleMs,
    () => close((end) => end.terminate()),
  );
  /** Called when the client becomes slow, and when it has caught up. */
  let slowChanged = () => {};

  const toClient = (message: string | Uint8Array): void => {
    if (client === undefined) return;
    client.send(message);
    if (isClientSlow || client.getBufferedAmount() <= SLOW_CLIENT_BYTES) return;
    isClientSlow = true;
    far.socket.pause();
    slowness.begin();
    slowChanged();
  };

  /** Sends an upstream message that is not about limits. */
  const pass = (message: string | Uint8Array): void => {
    const edited =
      typeof message === "string" ? poolVersionEvent(context, incoming, far.upstreamId, message) : undefined;
    toClient(edited ?? message);
  };

  const drained = (): void => {
    if (!isClientSlow || client === undefined) return;
    if (client.getBufferedAmount() > SLOW_CLIENT_BYTES / 2) return slowness.begin();
    isClientSlow = false;
    slowness.end();
    far.socket.resume();
    slowChanged();
  };

  const toUpstream = (message: string | Uint8Array): void => {
    if (!far.socket.send(message)) close((end) => end.close(1013, "the upstream has stopped reading"));
  };

  /** The upstream closed the socket: so does the proxy, in the same way. */
  const passClosing = (code: number, reason: string): void =>
    close((end) => {
      if (code === 1005 || code === 1006 || code === 1015) end.terminate();
      else end.close(code, reason);
    });

  const rest = (): void => {
    isBusy = false;
    if (draining) return close(GOING_AWAY);
    if (!far.socket.isOpen()) return close((end) => end.close(1000));
    const next = waiting.shift();
    if (next !== undefined) return begin(next);
    far.socket.listen({
      message: (message) => safely("forwarding a message", () => betweenTurns(message)),
      closed: passClosing,
    });
  };

  const betweenTurns = (message: string | Uint8Array): void => {
    const signal = typeof message === "string" ? readTurnSignal(message, clock.now()) : undefined;
    if (signal?.kind !== "quota") return pass(message);
    if (signal.evidence !== undefined) pool.learn(far.upstreamId, signal.evidence);
    toClient(poolLimitsEvent(signal, pool.usage()) ?? message);
  };

  // --- a turn

  const begin = ({ message, release }: AskedTurn): void => {
    run(message)
      .catch((error) => fail("handling a turn", error))
      .finally(release);
  };

  /** Takes room for the turn in the budget. If there is none, asks the client to retry and returns undefined. */
  const asked = (message: string): AskedTurn | undefined => {
    const bytes = COPIES_OF_TURN * message.length;
    const release = context.bodies.tryTake(bytes);
    if (release !== undefined) return { message, release: collecting(bytes, release) };
    toClient(refusalEvent(busyRefusal()));
    return undefined;
  };

  const run = async (message: string): Promise<void> => {
    isBusy = true;
    const socket: TurnSocket = {
      far: () => far,
      adopt: (next) => {
        if (next.upstreamId !== far.upstreamId)
          events.append("websocket.moved", {
            req_id: incoming.requestId,
            from_account_id: far.upstreamId,
            account_id: next.upstreamId,
          });
        far.socket.close();
        far = next;
        if (isClientSlow) next.socket.pause();
        if (closed) next.socket.close();
      },
      placed: () => placed,
      served: () => {
        placed = undefined;
      },
    };
    const taken = await takeTurn(context, incoming, session, message, socket, leaving.signal);
    if (closed) return taken.kind === "begun" ? taken.lease.release() : undefined;
    switch (taken.kind) {
      case "begun": {
        if (session !== undefined) handovers.clear(session);
        // From here on, closing the tunnel also releases the account.
        endTurn = () => taken.lease.release();
        for (const held of taken.held) {
          if (isCompaction(held)) taken.lease.hold();
          pass(held);
        }
        if (!taken.over) return flow(taken.lease, taken.credit);
        endTurn();
        endTurn = () => {};
        return rest();
      }
      case "hand_over":
        return handOver(taken.failure, taken.shortage);
      case "failed":
        toClient(taken.event);
        return rest();
      case "too_big":
        return close((end) => end.close(TOO_BIG, taken.reason));
      case "aborted":
        return;
      default:
        return taken satisfies never;
    }
  };

  /** The rest of a turn whose beginning the client has. */
  const flow = (lease: Lease, credit: () => void): void => {
    const { upstream } = lease;
    const patienceMs = () => upstream.patienceMs(settings().timeouts.idleMs);
    const idle: IdleWatch = createIdleWatch(clock, patienceMs, () => {
      lease.broke();
      close((end) => end.terminate());
    });
    const finish = (): void => {
      endTurn = () => {};
      slowChanged = () => {};
      idle.stop();
      lease.release();
    };
    endTurn = finish;
    // An upstream that has to wait for the client does not count as silent.
    slowChanged = () => (isClientSlow ? idle.end() : idle.begin());
    const take = (message: string | Uint8Array): void => {
      if (typeof message !== "string") return toClient(message);
      const signal = readTurnSignal(message, clock.now());
      switch (signal.kind) {
        case "preamble":
          return pass(message);
        case "output":
          credit();
          if (isCompaction(message)) lease.hold();
          return toClient(message);
        case "quota":
          if (signal.evidence !== undefined) lease.learn(signal.evidence);
          return toClient(poolLimitsEvent(signal, pool.usage()) ?? message);
        case "completed":
          credit();
          toClient(message);
          finish();
          return rest();
        case "failed": {
          const verdict = upstream.judge(signal.failure, "turn");
          lease.settle(verdict);
          if (verdict.kind !== "client") lease.broke();
          finish();
          if (afterOutput(lease, verdict) === "cut") return reconnect();
          toClient(asTold(message, signal.failure));
          return rest();
        }
        default:
          return signal satisfies never;
      }
    };
    slowChanged();
    far.socket.listen({
      alive: () => slowChanged(),
      message: (message) => {
        slowChanged();
        safely("forwarding a turn", () => take(message));
      },
      closed: (code, reason) => {
        if (code !== TOO_BIG) lease.broke();
        passClosing(code, reason);
      },
    });
  };

  // --- when only the client can go on

  /** The client reconnects and sends everything, unless nobody could take it. */
  const handOver = (failure: TurnFailure | undefined, shortage: Shortage): void => {
    if (shortage.kind === "all_exhausted" || shortage.kind === "all_disabled") {
      const about = { limitBody: failure?.limitBody, usage: pool.usage(), brokenWhy: undefined };
      toClient(refusalEvent(refusalFor(shortage, about, clock.now())));
      return rest();
    }
    if (session !== undefined && handovers.tooMany(session)) {
      if (failure === undefined) return close((end) => end.terminate());
      toClient(failure.event);
      return rest();
    }
    reconnect();
  };

  const reconnect = (): void => {
    if (session !== undefined) handovers.count(session);
    events.append("websocket.handover", { req_id: incoming.requestId, account_id: far.upstreamId });
    toClient(RECONNECT);
    close((end) => end.close(1000));
  };

  const headers = downstreamHeaders(first.headers);
  poolHeaders(headers, pool.usage);
  headers.set(MESSAGE_LIMIT_HEADER, String(messageLimit(headers)));
  poolVersion(context, incoming, first.upstreamId, headers);
  return {
    headers,
    opened: (socket) => {
      client = socket;
      if (closed) return socket.terminate();
      rest();
    },
    fromClient: (message) =>
      safely("handling a message", () => {
        if (typeof message !== "string" || eventType(message) !== "response.create")
          return toUpstream(message);
        if (waiting.length >= MOST_WAITING) return close((end) => end.close(1008, "too many turns at once"));
        const turn = asked(message);
        if (turn === undefined) return;
        if (isBusy) waiting.push(turn);
        else begin(turn);
      }),
    drained,
    closedByClient: () => close(() => {}),
    revoke: () => close((end) => end.close(1008, "the key was removed")),
    drain: () => {
      draining = true;
      if (!isBusy) close(GOING_AWAY);
    },
  };
}

// --- internal ---

/** Codex asks for one turn at a time. */
const MOST_WAITING = 16;
/** The message, the frame it arrived in, and the frame it is sent in. */
const COPIES_OF_TURN = 3;
/** A client with this much unread is slow: the kernel's own buffers of a few megabytes are full by then. */
const SLOW_CLIENT_BYTES = 1024 * 1024;

/** A turn that the client has requested. It counts against the budget of bodies until it is released. */
interface AskedTurn {
  readonly message: string;
  release(): void;
}

function busyRefusal(): Refusal {
  const error = busy();
  return {
    status: error.status,
    code: error.code,
    retryAfterSeconds: error.retryAfterSeconds,
    body: JSON.stringify(dataPlaneErrorBody(error)),
  };
}

/** Tells Codex (0.171 and later) of the largest message: what is larger goes over HTTP at once. */
const MESSAGE_LIMIT_HEADER = "x-codex-websocket-max-message-bytes";

/** The smaller of the upstream's limit and ours, in bytes. */
function messageLimit(headers: Headers): number {
  const told = headers.get(MESSAGE_LIMIT_HEADER) ?? "";
  return /^\d{1,15}$/.test(told) && Number(told) > 0
    ? Math.min(Number(told), MESSAGE_LIMIT_BYTES)
    : MESSAGE_LIMIT_BYTES;
}

/** RFC 6455, 7.4.1: the endpoint is going away. */
const GOING_AWAY = (client: ClientSocket) => client.close(1001);

/** The error that Codex takes as "connect again and send everything" (its backend ends sockets so after an hour). */
const RECONNECT = JSON.stringify({
  type: "error",
  status: 400,
  error: {
    type: "invalid_request_error",
    code: "websocket_connection_limit_reached",
    message: "codexlb: this connection ends here; reconnect to continue on another account",
  },
});
