// Opens a WebSocket for a client. Dials the upstream before upgrading the client, so that refusals are plain HTTP
// responses.

import { requiredTagWords } from "../../core/account-tags.ts";
import { shortText } from "../../core/bounds.ts";
import { failureOfReply } from "../../core/failure.ts";
import { CodexlbError, dataPlaneErrorBody } from "../../errors.ts";
import { attempt, type UnservedRequest } from "../attempts.ts";
import { adviceFor, clientKindOf, type IncomingRequest } from "../context.ts";
import { createExchange } from "../exchange.ts";
import { refusalResponse } from "../refusal.ts";
import { sessionFromHeaders } from "../session.ts";
import { refusalFor } from "../shortage-refusal.ts";
import { answerHandshake } from "../turn/final-answer.ts";
import { type DialReply, dialUpstream, type RefusedDial } from "./dial-upstream.ts";
import { recordRefusedHandshake } from "./refused-handshake.ts";
import { createTunnel, type Tunnel } from "./tunnel.ts";
import type { TunnelContext } from "./tunnel-parts.ts";

export type OpenTunnelResult =
  | { readonly kind: "tunnel"; readonly tunnel: Tunnel }
  | { readonly kind: "refused"; readonly response: Response };

/** Dials an upstream for a client that requests a WebSocket. */
export async function openTunnel(
  context: TunnelContext,
  incoming: IncomingRequest,
): Promise<OpenTunnelResult> {
  const { signal, requestId } = incoming;
  const session = sessionFromHeaders(incoming.request.headers);
  const sentToHttp = (why: string): OpenTunnelResult => {
    context.events.append("websocket.failed", { req_id: requestId, error: "use_http" });
    return { kind: "refused", response: useHttp(context, why) };
  };
  if (session !== undefined && context.handovers.tooMany(session))
    return sentToHttp("the session was handed over too often without output");
  const learning = context.bindings?.learn(session);
  if (learning !== undefined) await learning;
  const exchange = createExchange(context, incoming, {
    session,
    model: undefined,
    method: "GET",
    spends: true,
    isMessage: false,
    isReplayable: true,
  });
  const outcome = await attempt<DialReply>(context, exchange, {
    send: (prepared, { upstream }) =>
      dialUpstream(context, prepared, upstream, { moved: exchange.hasMoved(), signal }),
    discard: (reply) => {
      if (reply.kind === "open") reply.open.socket.close();
    },
  });
  switch (outcome.kind) {
    case "aborted":
      return { kind: "refused", response: new Response(null, { status: 499 }) };
    case "unserved":
      return { kind: "refused", response: unservedResponse(context, incoming, session, outcome) };
    case "reply": {
      const { lease, reply } = outcome;
      // Only a turn counts as a use, because a socket may be idle for hours.
      lease.release();
      if (reply.kind === "refused")
        return sentToHttp(`the backend returned ${reply.status} to the WebSocket handshake`);
      context.events.append("websocket.account_selected", {
        req_id: requestId,
        ...lease.upstream.named,
        account_alias: lease.upstream.label,
      });
      try {
        return { kind: "tunnel", tunnel: createTunnel(context, incoming, session, reply.open, lease.choice) };
      } catch (error) {
        reply.open.socket.close();
        throw error;
      }
    }
    default:
      return outcome satisfies never;
  }
}

// --- internal ---

/** Longest quoted backend message: a sentence or two. */
const LONGEST_TEXT = 300;

/** Makes Codex use HTTP for this thread, immediately and without a notice. `why` is for other readers. */
function useHttp({ counts }: Pick<TunnelContext, "counts">, why: string): Response {
  counts.handshakeRefused("use_http");
  const error = new CodexlbError("use_http", `${why}; use HTTP for this thread`, {
    next: "send the request as POST",
  });
  return Response.json(dataPlaneErrorBody(error), {
    status: error.status,
    headers: { upgrade: "websocket" },
  });
}

function unservedResponse(
  context: TunnelContext,
  incoming: IncomingRequest,
  session: string | undefined,
  { last, brokenWhy }: UnservedRequest<DialReply>,
): Response {
  const { pool, slots, events, deps, waiting } = context;
  const { requestId } = incoming;
  const shortage = pool.shortage(session, undefined, incoming.tags);
  if (waiting.wouldWait(incoming, shortage))
    return useHttp(context, "every account is exhausted; over HTTP the turn can wait for the reset");
  const usage = pool.usage();
  const refused = last?.reply.kind === "refused" ? last.reply : undefined;
  const limitBody = last?.verdict.kind === "limit" ? refused?.body : undefined;
  const refusal = refusalFor(
    shortage,
    {
      limitBody,
      usage,
      brokenWhy,
      isStopping: slots.isStopped(),
      client: clientKindOf(incoming),
      advise: adviceFor(incoming),
    },
    deps.clock.now(),
  );
  const answer = answerHandshake(shortage, refusal.code, usage);
  if (answer === "main_limit_only")
    return useHttp(
      context,
      "the main limit of every account is exhausted; over HTTP a model with its own limit may still be served",
    );
  const requiredTags = requiredTagWords(shortage.requiredTags ?? []);
  events.append("websocket.failed", {
    req_id: requestId,
    error: refusal.code,
    ...(requiredTags === "" ? {} : { required_tags: requiredTags }),
    ...(incoming.pinnedId === undefined ? {} : { pinned_to: pool.accountOf(incoming.pinnedId)?.label }),
  });
  if (answer === "refusal") {
    recordRefusedHandshake(context, incoming, session, refusal);
    return refusalResponse(refusal);
  }
  if (brokenWhy !== undefined) return useHttp(context, `no WebSocket: ${brokenWhy}`);
  if (refused === undefined) return useHttp(context, "no account can take a WebSocket now");
  return useHttp(context, `the backend refused the WebSocket handshake: ${answerOf(context, refused)}`);
}

/** The status of a refused handshake with the backend's message, unless that is a web page. */
function answerOf({ deps }: TunnelContext, { status, headers, body }: RefusedDial): string {
  const { message, challenge } = failureOfReply(status, headers, body, deps.clock.now());
  return challenge || message === "" ? `${status}` : `${status}: ${shortText(message, LONGEST_TEXT)}`;
}
