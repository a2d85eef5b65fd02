// Answers a turn on a WebSocket that no upstream served: with the upstream's event, with a refusal, or by asking the client
// to reconnect and send everything.

import type { Shortage } from "../../upstream/shortage.ts";
import type { UnservedRequest } from "../attempts.ts";
import { adviceFor, clientKindOf } from "../context.ts";
import type { Exchange } from "../exchange.ts";
import { eventWithAttempts, failureEvent, refusalEvent } from "../refusal.ts";
import { refusalFor } from "../shortage-refusal.ts";
import { answerHandOver, answerMessage, type LastAnswer } from "../turn/final-answer.ts";
import type { TurnRecorder } from "../turn/turn-recorder.ts";
import type { TunnelContext, TunnelParts } from "./tunnel-parts.ts";
import type { TurnEnd } from "./turn-end.ts";
import type { TurnReply } from "./turn-transport.ts";

/** Answers a self-contained turn that no upstream served. */
export function refuse(
  { pool, slots, deps }: TunnelContext,
  { client, incoming }: TunnelParts,
  { facts, failures, recorder }: Exchange,
  { last, brokenWhy }: UnservedRequest<TurnReply>,
): TurnEnd {
  const shortage = pool.shortage(facts.session, facts.model, incoming.tags);
  const reply = last && failureOf(last.reply);
  const answered = last && reply && { ...answerOf(reply), verdict: last.verdict };
  const limitBody = last?.verdict.kind === "limit" ? limitBodyOf(reply) : undefined;
  // A proxy in front counts these attempts too.
  const send = (event: string) =>
    client.send(incoming.attemptsLeft === undefined ? event : eventWithAttempts(event, failures));
  if (reply !== undefined && answerMessage({ shortage, last: answered }) === "as_received") {
    recorder?.end("failed", statusCodeOf(reply));
    send(eventOf(reply));
    return { kind: "over" };
  }
  const about = {
    limitBody,
    usage: pool.usage(),
    brokenWhy,
    isStopping: slots.isStopped(),
    client: clientKindOf(incoming),
    advise: adviceFor(incoming),
  };
  const refusal = refusalFor(shortage, about, deps.clock.now());
  recorder?.end("refused", refusal.code);
  send(refusalEvent(refusal));
  return { kind: "over" };
}

/** Answers a turn that another account can take only after the client has sent everything. */
export function handOver(
  context: TunnelContext,
  tunnel: TunnelParts,
  recorder: TurnRecorder | undefined,
  shortage: Shortage,
  lastReply: TurnReply | undefined,
): TurnEnd {
  const { pool, slots, handovers, deps } = context;
  const { client, session } = tunnel;
  const failure = lastReply && failureOf(lastReply);
  const answer = answerHandOver(shortage, {
    tooManyHandovers: session !== undefined && handovers.tooMany(session),
    hasEvent: failure !== undefined,
  });
  switch (answer) {
    case "refusal": {
      const about = {
        limitBody: limitBodyOf(failure),
        usage: pool.usage(),
        brokenWhy: undefined,
        isStopping: slots.isStopped(),
        client: clientKindOf(tunnel.incoming),
        advise: adviceFor(tunnel.incoming),
      };
      const refusal = refusalFor(shortage, about, deps.clock.now());
      recorder?.end("refused", refusal.code);
      client.send(refusalEvent(refusal));
      return { kind: "over" };
    }
    case "as_received":
      recorder?.end("failed", failure && statusCodeOf(failure));
      if (failure !== undefined) client.send(eventOf(failure));
      return { kind: "over" };
    case "cut":
      recorder?.end("cut");
      return { kind: "close", code: 1006, reason: "" };
    case "reconnect":
      recorder?.moved();
      return reconnect(context, tunnel);
    default:
      return answer satisfies never;
  }
}

export function reconnect(
  { events, handovers }: TunnelContext,
  { client, incoming, session, upstream }: TunnelParts,
): TurnEnd {
  if (session !== undefined) handovers.count(session);
  events.append("websocket.handover", {
    req_id: incoming.requestId,
    account_id: upstream.current().upstreamId,
  });
  client.send(RECONNECT);
  return { kind: "close", code: 1000, reason: "" };
}

/** The code of a refused handshake; undefined for a failure of the turn, which the reader has recorded. */
export function statusCodeOf(reply: FailedReply): string | undefined {
  return reply.kind === "refused" ? `http-${reply.status}` : undefined;
}

/** The failure as an event for the client. */
export function eventOf(reply: FailedReply): string {
  return reply.kind === "failed"
    ? failureEvent(reply.event, reply.failure)
    : refusalEvent({ ...reply, code: "upstream", retryAfterSeconds: undefined });
}

// --- internal ---

/** An upstream's reason not to serve the turn. */
type FailedReply = Extract<TurnReply, { kind: "failed" | "refused" }>;

function failureOf(reply: TurnReply): FailedReply | undefined {
  return reply.kind === "failed" || reply.kind === "refused" ? reply : undefined;
}

function answerOf(reply: FailedReply): Pick<LastAnswer, "status" | "form"> {
  return reply.kind === "failed"
    ? { status: reply.failure.status, form: "event" }
    : { status: reply.status, form: "response" };
}

/** The text of a usage limit. */
function limitBodyOf(reply: FailedReply | undefined): string | undefined {
  return reply?.kind === "failed" ? reply.event : reply?.body;
}

/** The error after which Codex reconnects and sends everything. Its backend ends sockets with it after an hour. */
const RECONNECT = JSON.stringify({
  type: "error",
  status: 400,
  error: {
    type: "invalid_request_error",
    code: "websocket_connection_limit_reached",
    message: "codexlb: this connection ends here; reconnect to continue on another account",
    next: "reconnect to continue on another account",
  },
});
