// Connects a client's WebSocket with an upstream's. The proxy reads the messages: each turn goes through the attempt
// loop, and a session changes its account only between turns.
//
//   a turn fails before output, or its account is no longer the right one:
//     the request is self-contained       -> the attempt loop sends it to another account; the client notices nothing
//     it refers to an earlier response    -> the client is asked in its own protocol to reconnect; it immediately sends
//                                            the whole history, which another account can take
//   a turn fails after output             -> the client is asked to reconnect, if another account has room
//
// Every queue is bounded. If the client reads slowly, the upstream has to wait. If the upstream reads slowly, the
// tunnel is closed once too much is unread, because the proxy cannot make the client wait.

import type { Choice } from "../../core/policy.ts";
import { eventType, readTurnSignal } from "../../core/turn.ts";
import { messageOf } from "../../errors.ts";
import { busy, collecting } from "../bodies.ts";
import { poolVersion, poolVersionEvent } from "../catalogues.ts";
import type { IncomingRequest } from "../context.ts";
import { downstreamHeaders } from "../headers.ts";
import { limitsOfClient, mayHideTurn } from "../key-limits.ts";
import { poolHeaders, poolLimitsEvent } from "../pool-limits.ts";
import { refusalEvent, refusalOfError } from "../refusal.ts";
import { type ClientSocket, createClientEnd } from "./client-end.ts";
import { createClosing } from "./closing.ts";
import type { UpstreamConnection } from "./dial-upstream.ts";
import { COPIES_OF_TURN, type TunnelContext, type TunnelParts } from "./tunnel-parts.ts";
import { serveTurn } from "./turn.ts";
import type { TurnEnd } from "./turn-end.ts";
import { createUpstreamEnd } from "./upstream-end.ts";
import type { Message } from "./upstream-socket.ts";

/** An open tunnel. The server calls its methods for the events of the client's socket. */
export interface Tunnel {
  /** Headers for the client's 101. */
  readonly headers: Headers;
  opened(client: ClientSocket): void;
  fromClient(message: Message): void;
  /** The client has read some of the buffered data. */
  drained(): void;
  /** The client's end is closed, or never opened. */
  closedByClient(): void;
  /** Closes immediately, because the key that it was opened with has been removed. */
  revoke(): void;
  /** Closes as soon as no turn is in progress: the client reconnects when it has the next one. */
  drain(): void;
}

/** The largest message of a client, which is the backend's own limit. Codex sends larger ones over HTTP. */
export const MESSAGE_LIMIT_BYTES = 16 * 1024 * 1024;

/** `first` is an open connection; `choice` says why its upstream was chosen. */
export function createTunnel(
  context: TunnelContext,
  incoming: IncomingRequest,
  session: string | undefined,
  first: UpstreamConnection,
  choice: Choice,
): Tunnel {
  const { pool, events, settings, deps } = context;
  const { requestId } = incoming;
  const closing = createClosing();
  let state: State = { kind: "idle" };
  /** Turns that the client requested during another turn. */
  const waiting: RequestedTurn[] = [];

  const upstream = createUpstreamEnd(first, choice, (fromId, toId) =>
    events.append("websocket.moved", { req_id: requestId, from_account_id: fromId, account_id: toId }),
  );
  const client = createClientEnd(
    deps.clock,
    () => settings().timeouts.idleMs,
    upstream,
    () => close(BROKEN),
  );
  const parts: TunnelParts = { incoming, session, client, upstream, closing };

  const close = (code: number, reason?: string): void => {
    if (state.kind === "closed") return;
    state = { kind: "closed" };
    events.append("websocket.completed", {
      req_id: requestId,
      status: 101,
      account_id: upstream.current().upstreamId,
    });
    closing.close();
    client.stop();
    for (const turn of waiting) turn.release();
    upstream.close();
    client.close(code, reason);
  };

  /** An unexpected error ends only this tunnel. */
  const fail = (what: string, error: unknown): void => {
    deps.log.warn(`${what} over WebSocket: ${messageOf(error)}`);
    close(BROKEN);
  };

  const idle = (): void => {
    const isLast = state.kind === "turn" && state.isLast;
    state = { kind: "idle" };
    if (isLast) return close(GOING_AWAY);
    const { socket } = upstream.current();
    if (!socket.isOpen()) return close(NORMAL);
    const next = waiting.shift();
    if (next !== undefined) return begin(next);
    socket.listen({
      message: (message) => {
        try {
          client.send(betweenTurns(message));
        } catch (error) {
          fail("forwarding a message", error);
        }
      },
      closed: close,
    });
  };

  /** The message for the client in place of an upstream's message between turns. */
  const betweenTurns = (message: Message): Message => {
    if (typeof message !== "string") return message;
    const { upstreamId } = upstream.current();
    const signal = readTurnSignal(message, deps.clock.now());
    if (signal.kind !== "quota") return poolVersionEvent(context, incoming, upstreamId, message) ?? message;
    if (signal.evidence !== undefined) pool.learn(upstreamId, signal.evidence);
    return poolLimitsEvent(signal, pool.usage()) ?? message;
  };

  const begin = (turn: RequestedTurn): void => {
    state = { kind: "turn", isLast: false };
    serveTurn(context, parts, turn.message)
      .then(ended, (error) => fail("handling a turn", error))
      .finally(turn.release);
  };

  const ended = (end: TurnEnd): void => {
    if (state.kind === "closed" || end.kind === "closed") return;
    if (end.kind === "close") close(end.code, end.reason);
    else idle();
  };

  /** Takes room for the turn in the budget. If there is none, asks the client to retry and returns undefined. */
  const asked = (message: string): RequestedTurn | undefined => {
    const bytes = COPIES_OF_TURN * message.length;
    const release = context.bodies.tryTake(bytes);
    if (release !== undefined) return { message, release: collecting(bytes, release) };
    client.send(refusalEvent(refusalOfError(busy())));
    return undefined;
  };

  const fromClient = (message: Message): void => {
    if (typeof message !== "string" || eventType(message) !== "response.create") {
      if (limitsOfClient(incoming) !== undefined && mayHideTurn(message))
        return close(POLICY, "a turn must be a text message with one type");
      if (!upstream.current().socket.send(message)) close(TRY_LATER, "the upstream has stopped reading");
      return;
    }
    if (waiting.length >= MOST_WAITING) return close(POLICY, "too many turns at once");
    const turn = asked(message);
    if (turn === undefined) return;
    if (state.kind === "idle") begin(turn);
    else waiting.push(turn);
  };

  return {
    headers: openingHeaders(context, incoming, first),
    opened: (socket) => {
      client.opened(socket);
      if (state.kind === "closed") return socket.terminate();
      idle();
    },
    fromClient: (message) => {
      try {
        fromClient(message);
      } catch (error) {
        fail("handling a message", error);
      }
    },
    drained: client.drained,
    closedByClient: () => close(NORMAL),
    revoke: () => close(POLICY, "the key was removed"),
    drain: () => {
      if (state.kind === "turn") state = { kind: "turn", isLast: true };
      else close(GOING_AWAY);
    },
  };
}

// --- internal ---

type State =
  | { readonly kind: "idle" }
  /** `isLast`: the tunnel closes when the turn is over. */
  | { readonly kind: "turn"; readonly isLast: boolean }
  | { readonly kind: "closed" };

// Close codes of RFC 6455, 7.4.1, and its registry.
const NORMAL = 1000;
const GOING_AWAY = 1001;
const BROKEN = 1006;
const POLICY = 1008;
const TRY_LATER = 1013;

/** How many turns may wait. Codex requests one turn at a time. */
const MOST_WAITING = 16;

/** A turn that the client has requested. It counts against the budget of bodies until it is released. */
interface RequestedTurn {
  readonly message: string;
  release(): void;
}

/** The headers of the client's 101. */
function openingHeaders(
  context: TunnelContext,
  incoming: IncomingRequest,
  first: UpstreamConnection,
): Headers {
  const headers = downstreamHeaders(first.headers);
  poolHeaders(headers, context.pool.usage);
  headers.set(MESSAGE_LIMIT_HEADER, String(messageLimit(headers)));
  poolVersion(context, incoming, first.upstreamId, headers);
  return headers;
}

/** Announces the largest message to Codex (0.171 and later), which then sends larger ones over HTTP. */
const MESSAGE_LIMIT_HEADER = "x-codex-websocket-max-message-bytes";

/** The smaller of the upstream's limit and ours, in bytes. */
function messageLimit(headers: Headers): number {
  const named = headers.get(MESSAGE_LIMIT_HEADER) ?? "";
  return /^\d{1,15}$/.test(named) && Number(named) > 0
    ? Math.min(Number(named), MESSAGE_LIMIT_BYTES)
    : MESSAGE_LIMIT_BYTES;
}
