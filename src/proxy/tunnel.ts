// WebSocket: a client's socket and the upstream's behind it. The upstream is dialled before the client is upgraded,
// so refusals are honest HTTP answers. Messages are read, not spliced: a turn that fails before output goes to
// another account, and a session changes its account only between turns.
//
//   a turn fails before output, or its account is no longer the right one:
//     the request stands on its own  -> dial another account, send it there; the client notices nothing
//     it refers to an earlier answer -> hand over: the client is told in its own protocol to reconnect, and comes
//                                       back at once with the whole history, which another account can take

import { eventType, readTurnSignal } from "../core/turn.ts";
import { type Failure, judge, type Verdict } from "../core/verdict.ts";
import type { Lease } from "../upstream/pool.ts";
import { type Incoming, type ProxyContext, usageNow } from "./context.ts";
import type { UpstreamSocket } from "./dial.ts";
import { dialAccount, dialRefusal, refusedDial, useHttp } from "./dial-account.ts";
import type { Handovers } from "./handovers.ts";
import { downstreamHeaders } from "./headers.ts";
import { HOLD_MS } from "./hold.ts";
import { poolHeaders, poolRateLimitsEvent } from "./passes.ts";
import { portableRequest } from "./portable.ts";
import { refusalEvent } from "./refusal.ts";
import { sessionFromHeaders } from "./session.ts";
import { discardHeld, newTurn, type SocketTurn, withoutTurnState } from "./socket-turn.ts";

/** The client's end, as Bun.serve gives it. */
export interface ClientSocket {
  send(message: string | Uint8Array): number;
  close(code?: number, reason?: string): void;
  terminate(): void;
}

/** An open tunnel; the server tells it what happens at the client's end. */
export interface Tunnel {
  /** Headers for the client's 101. */
  readonly headers: Headers;
  opened(client: ClientSocket): void;
  fromClient(message: string | Uint8Array): void;
  /** The client's end is closed, or never opened. */
  closedByClient(): void;
  /** Closes as soon as no turn is under way: the client reconnects when it has the next one. */
  drain(): void;
}

export type Opened =
  | { readonly kind: "tunnel"; readonly tunnel: Tunnel }
  | { readonly kind: "refused"; readonly response: Response };

export interface TunnelContext extends ProxyContext {
  readonly handovers: Handovers;
}

/** Held events beyond this size are released. */
const HOLD_LIMIT_CHARS = 1024 * 1024;

/** Dials an upstream for a client that asks for a WebSocket. Never throws. */
export async function openTunnel(context: TunnelContext, incoming: Incoming): Promise<Opened> {
  const session = sessionFromHeaders(incoming.request.headers);
  if (session !== undefined && context.handovers.tooMany(session))
    return { kind: "refused", response: useHttp("the session was handed over too often without output") };
  const outcome = await dialAccount(context, incoming, session, new Set(), incoming.request.signal);
  switch (outcome.kind) {
    case "aborted":
      return { kind: "refused", response: new Response(null, { status: 499 }) };
    case "failed":
      return { kind: "refused", response: refusedDial(context, incoming, outcome) };
    case "reply": {
      const { lease, reply } = outcome;
      if (reply.kind === "refused") {
        lease.release();
        return {
          kind: "refused",
          response: new Response(reply.body, { status: reply.status, headers: reply.headers }),
        };
      }
      context.events.append("websocket.account_selected", {
        req_id: incoming.requestId,
        account_id: lease.upstream.id,
        account_alias: lease.upstream.label,
      });
      return { kind: "tunnel", tunnel: createTunnel(context, incoming, session, { ...reply, lease }) };
    }
    default:
      return outcome satisfies never;
  }
}

// --- internal ---

/** The upstream's end. */
interface Far {
  readonly socket: UpstreamSocket;
  readonly lease: Lease;
  readonly token: string;
}

function createTunnel(
  context: TunnelContext,
  incoming: Incoming,
  session: string | undefined,
  first: Far & { readonly headers: Headers },
): Tunnel {
  const { pool, events, handovers, settings } = context;
  const { clock } = context.deps;
  const leaving = new AbortController();
  let client: ClientSocket | undefined;
  let far: Far = first;
  let turn: SocketTurn | undefined;
  let closed = false;
  let draining = false;

  const close = (tell: (client: ClientSocket) => void): void => {
    if (closed) return;
    closed = true;
    events.append("websocket.completed", {
      req_id: incoming.requestId,
      status: 101,
      account_id: far.lease.upstream.id,
    });
    turn?.cancelTimer();
    leaving.abort();
    far.socket.close();
    far.lease.release();
    if (client !== undefined) tell(client);
  };

  const toClient = (message: string | Uint8Array): void => {
    client?.send(message);
  };

  const adopt = (next: Far): void => {
    far = next;
    next.socket.listen({
      message: (message) => {
        if (far === next) fromUpstream(message);
      },
      closed: (code, reason) => {
        if (far === next) upstreamClosed(code, reason);
      },
    });
  };

  // --- the client's messages

  const fromClient = (message: string | Uint8Array): void => {
    if (typeof message !== "string" || eventType(message) !== "response.create")
      return far.socket.send(message);
    turn?.cancelTimer();
    turn = newTurn(message, clock.now());
    if (pool.shouldMove(far.lease.upstream.id, session)) return void moveOn(turn, undefined);
    far.socket.send(message);
  };

  // --- the upstream's messages

  const fromUpstream = (message: string | Uint8Array): void => {
    if (typeof message !== "string") return toClient(message);
    const signal = readTurnSignal(message, clock.now());
    switch (signal.kind) {
      case "preamble":
        return hold(message);
      case "quota": {
        if (signal.evidence !== undefined) far.lease.learn(signal.evidence);
        return hold(poolRateLimitsEvent(signal.event, usageNow(context)) ?? message);
      }
      case "output":
        commit("output");
        return toClient(message);
      case "completed":
        commit("output");
        toClient(message);
        return endTurn();
      case "failed":
        return failed(message, signal.failure);
      default:
        return signal satisfies never;
    }
  };

  const hold = (message: string): void => {
    const current = turn;
    if (current === undefined || current.committed) return toClient(message);
    if (current.held.length === 0) current.cancelTimer = clock.after(HOLD_MS, () => commit("time"));
    current.held.push(message);
    current.heldChars += message.length;
    if (current.heldChars > HOLD_LIMIT_CHARS) commit("size");
  };

  const commit = (why: "output" | "time" | "size" | "failure"): void => {
    if (turn === undefined) return;
    turn.committed = true;
    turn.cancelTimer();
    for (const message of turn.held.splice(0)) toClient(message);
    if (why !== "output" || turn.served) return;
    turn.served = true;
    if (session !== undefined) handovers.clear(session);
    far.lease.settle({ kind: "ok" }, { turn: !turn.warmUp, startedMs: turn.startedMs });
  };

  const endTurn = (): void => {
    turn = undefined;
    if (draining) close(GOING_AWAY);
  };

  const failed = (message: string, failure: Failure): void => {
    const current = turn;
    const verdict = judge(failure, "turn");
    if (current === undefined || current.committed || verdict.kind === "client") {
      far.lease.settle(verdict);
      commit("failure");
      toClient(message);
      return endTurn();
    }
    void recover(current, verdict, message);
  };

  const upstreamClosed = (code: number, reason: string): void => {
    const current = turn;
    if (current?.moving) return; // it has left this socket already
    if (current !== undefined && !current.committed && current.selfContained)
      return void moveOn(current, undefined);
    close((end) => {
      if (code === 1005 || code === 1006 || code === 1015) end.terminate();
      else end.close(code, reason);
    });
  };

  // --- a turn that failed before output

  const recover = async (current: SocketTurn, verdict: Verdict, message: string): Promise<void> => {
    switch (verdict.kind) {
      case "foreign_ciphertext": {
        const portable = current.repaired ? undefined : portableRequest(current.request);
        if (portable === undefined || !current.selfContained) return giveUp(message);
        current.repaired = true;
        current.request = portable;
        return far.socket.send(portable);
      }
      case "renew": {
        current.moving = true;
        const renewal = await far.lease.upstream.renew(far.token);
        if (closed) return;
        if (renewal.kind === "dead") far.lease.settle({ kind: "disable", reason: renewal.reason });
        if (renewal.kind === "failed")
          far.lease.settle({ kind: "cool", reason: "auth-refresh-failed", forMs: settings().cooldownMs });
        if (renewal.kind !== "renewed") current.tried.add(far.lease.upstream.id);
        return moveOn(current, message);
      }
      default:
        far.lease.settle(verdict);
        current.tried.add(far.lease.upstream.id);
        return moveOn(current, message);
    }
  };

  /** The turn goes to another socket. `failure`: the event to pass on when that is not possible. */
  const moveOn = async (current: SocketTurn, failure: string | undefined): Promise<void> => {
    discardHeld(current);
    // An account that is added to `tried` is not dialled again, so only the other moves need a bound.
    current.moves++;
    if (current.moves > settings().maxAttempts + current.tried.size) return giveUp(failure);
    if (!current.selfContained) return handOver(failure);
    const former = far;
    current.moving = true;
    former.socket.close();
    former.lease.release();
    const outcome = await dialAccount(context, incoming, session, current.tried, leaving.signal);
    if (closed) {
      if (outcome.kind === "reply") {
        if (outcome.reply.kind === "open") outcome.reply.socket.close();
        outcome.lease.release();
      }
      return;
    }
    if (outcome.kind === "reply" && outcome.reply.kind === "open") {
      events.append("websocket.moved", {
        req_id: incoming.requestId,
        from_account_id: former.lease.upstream.id,
        account_id: outcome.lease.upstream.id,
      });
      if (outcome.lease.upstream.id !== former.lease.upstream.id)
        current.request = withoutTurnState(current.request);
      current.moving = false;
      adopt({ ...outcome.reply, lease: outcome.lease });
      return far.socket.send(current.request);
    }
    if (outcome.kind === "reply") outcome.lease.release();
    const refused = outcome.kind === "failed" ? outcome : { last: undefined, brokenWhy: undefined };
    toClient(refusalEvent(dialRefusal(context, refused)));
    close((end) => end.close(1000));
  };

  /** Only the client can repeat the turn: it reconnects and sends everything, unless nobody could take it. */
  const handOver = (failure: string | undefined): void => {
    const shortage = pool.shortage();
    if (shortage.kind === "all_exhausted" || shortage.kind === "all_disabled") {
      toClient(refusalEvent(dialRefusal(context, { last: undefined, brokenWhy: undefined })));
      return endTurn();
    }
    if (session !== undefined) {
      if (handovers.tooMany(session)) return giveUp(failure);
      handovers.count(session);
    }
    events.append("websocket.handover", { req_id: incoming.requestId, account_id: far.lease.upstream.id });
    toClient(RECONNECT);
    close((end) => end.close(1000));
  };

  const giveUp = (failure: string | undefined): void => {
    commit("failure");
    if (failure === undefined) return close((end) => end.terminate());
    toClient(failure);
    endTurn();
  };

  const headers = downstreamHeaders(first.headers);
  poolHeaders(headers, usageNow(context));
  return {
    headers,
    opened: (socket) => {
      client = socket;
      if (closed) return socket.terminate();
      adopt(first);
    },
    fromClient,
    closedByClient: () => close(() => {}),
    drain: () => {
      draining = true;
      if (turn === undefined) close(GOING_AWAY);
    },
  };
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
