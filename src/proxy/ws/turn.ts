// Serves one turn on a client's WebSocket: sends it through the attempt loop until it has begun, then relays it event
// by event. If the turn cannot continue here, asks the client to reconnect and send everything.

import type { Choice } from "../../core/policy.ts";
import { type AttemptResult, attempt } from "../attempts.ts";
import { originOf } from "../context.ts";
import { type Arrival, createExchange, type Exchange } from "../exchange.ts";
import { limitsOfClient, onlyModelIn, refusedByKey } from "../key-limits.ts";
import { refusalEvent } from "../refusal.ts";
import { turnRequestOf } from "../turn/portable.ts";
import { createTurnRecorder, type TurnRecorder } from "../turn/turn-recorder.ts";
import { traceparentIn } from "../turn-trace.ts";
import type { TurnWait } from "../waiting-turns.ts";
import { TOO_BIG } from "./begin-turn.ts";
import { relayTurn } from "./relay-turn.ts";
import type { TunnelContext, TunnelParts } from "./tunnel-parts.ts";
import type { TurnEnd } from "./turn-end.ts";
import { createTurnTransport, type TurnReply } from "./turn-transport.ts";
import { eventOf, handOver, reconnect, refuse, statusCodeOf } from "./unserved-turn.ts";
import { waitOf } from "./wait-for-reset.ts";

/** Serves the turn that `message` (a `response.create`) requests. Rejects only because of a bug in this program. */
export async function serveTurn(
  context: TunnelContext,
  tunnel: TunnelParts,
  message: string,
): Promise<TurnEnd> {
  const { pool, deps } = context;
  const arrivedAt = deps.clock.monotonic();
  const { incoming, session, upstream } = tunnel;
  const { isSelfContained, warmsUp, model, metadata } = turnRequestOf(message);
  /** Refuses the turn if the limits of its key do not allow it. Returns the code of the refusal. */
  const refusedByLimit = (isCounted: boolean): string | undefined => {
    const limits = limitsOfClient(incoming);
    if (limits === undefined) return undefined;
    const only = limits.models === undefined ? model : onlyModelIn(message);
    const refusal = refusedByKey(context, incoming, only, isCounted);
    if (refusal !== undefined) tunnel.client.send(refusalEvent(refusal));
    return refusal?.code;
  };
  if (refusedByLimit(!warmsUp) !== undefined) return { kind: "over" };
  const kind = warmsUp ? "prewarm" : "turn";
  const trace = warmsUp ? undefined : context.beginTrace?.(traceparentIn(message));
  const recorder = createTurnRecorder(context, incoming, {
    session,
    model,
    transport: "websocket",
    kind,
    metadata,
    trace,
  });
  const origin = originOf(incoming, session, model);
  const shortage = () => pool.shortage(session, model, incoming.tags);
  let arrival: Arrival | undefined = warmsUp ? undefined : { transport: "websocket", at: arrivedAt };

  /** Tries the turn once, on the open connection or on others. */
  const tried = async (): Promise<TurnEnd | UnservedTurn> => {
    const homeId = upstream.current().upstreamId;
    const mustMove = pool.shouldMove(homeId, origin, !warmsUp);
    if (mustMove && !isSelfContained)
      return { kind: "unserved", end: () => handOver(context, tunnel, recorder, shortage(), undefined) };
    const exchange = createExchange(context, incoming, {
      session,
      model,
      method: "GET",
      spends: true,
      isMessage: !warmsUp,
      isReplayable: true,
      recorder,
      trace,
      arrival,
      bytes: message.length,
      leaving: tunnel.closing.signal,
      home: mustMove ? undefined : homeOf(homeId, upstream.choice(), isSelfContained),
    });
    const transport = createTurnTransport(context, tunnel, exchange, { message, isSelfContained, homeId });
    const outcome = await attempt(context, exchange, transport);
    switch (outcome.kind) {
      case "aborted":
        return closed(recorder);
      case "reply":
        return await deliver(context, tunnel, exchange, outcome);
      case "unserved": {
        const lastReply = outcome.last?.reply;
        const end = isSelfContained
          ? () => refuse(context, tunnel, exchange, outcome)
          : () => handOver(context, tunnel, recorder, shortage(), lastReply);
        return { kind: "unserved", end };
      }
      default:
        return outcome satisfies never;
    }
  };

  try {
    let wait: TurnWait | undefined;
    for (;;) {
      const end = await tried();
      if (end.kind !== "unserved") return end;
      wait ??= waitOf(context, tunnel, { origin, message });
      const waited = await wait?.next();
      if (waited === "left") return closed(recorder);
      if (waited !== "again") return end.end();
      const refusedCode = refusedByLimit(false);
      if (refusedCode !== undefined) {
        recorder?.end("refused", refusedCode);
        return { kind: "over" };
      }
      recorder?.restart();
      // The wait does not count as a delay by the proxy.
      arrival = undefined;
    }
  } finally {
    // Only a bug in this program leaves the record open.
    recorder?.end("refused", "internal");
  }
}

// --- internal ---

/** A turn that no upstream could serve; `end` answers it. */
interface UnservedTurn {
  readonly kind: "unserved";
  readonly end: () => TurnEnd;
}

function closed(recorder: TurnRecorder | undefined): TurnEnd {
  recorder?.end("aborted");
  return { kind: "closed" };
}

function homeOf(upstreamId: string, choice: Choice | undefined, canLeave: boolean) {
  return { upstreamId, choice, canLeave };
}

/** Sends the client the events held back, then relays the others as they arrive. */
async function deliver(
  context: TunnelContext,
  tunnel: TunnelParts,
  exchange: Exchange,
  { lease, reply }: AttemptResult<TurnReply> & { kind: "reply" },
): Promise<TurnEnd> {
  const { client, upstream, session, closing } = tunnel;
  const { recorder } = exchange;
  try {
    if (closing.isClosed) {
      recorder?.end("aborted");
      return { kind: "closed" };
    }
    if (reply.kind === "too_big") {
      recorder?.end("failed", "message_too_big");
      return { kind: "close", code: TOO_BIG, reason: reply.reason };
    }
    if (reply.kind !== "begun") {
      recorder?.end("failed", statusCodeOf(reply));
      client.send(eventOf(reply));
      return { kind: "over" };
    }
    if (session !== undefined) context.handovers.clear(session);
    if (exchange.isMessage) upstream.served();
    for (const event of reply.held) client.queue(event);
    if (reply.isOver) return { kind: "over" };
    const end = await relayTurn(context, tunnel, lease, reply.reader);
    // The reader has recorded the end of a turn that ended with an event.
    recorder?.end(end.kind === "closed" ? "aborted" : "cut");
    return end.kind === "cut" ? reconnect(context, tunnel) : end;
  } finally {
    lease.release();
  }
}
