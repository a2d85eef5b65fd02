// HTTP and SSE: sends one request of a client through the attempt loop, and the reply back to the client.

import { ATTEMPTS_HEADER } from "../../core/hops.ts";
import { TURN_METADATA } from "../../core/turn-metadata.ts";
import { ANCHOR_SESSION } from "../../core/turn-record.ts";
import { CodexlbError } from "../../errors.ts";
import { isCompactPath, isTurnPath } from "../../upstream/paths.ts";
import type { StateRequest } from "../../upstream/state-owners.ts";
import { statePathOf } from "../../upstream/state-paths.ts";
import { allowedModels } from "../allowed-models.ts";
import { attempt } from "../attempts.ts";
import { type RequestBody, readBody, sizeOf } from "../bodies.ts";
import { catalogueResponse } from "../catalogues.ts";
import type { IncomingRequest, ProxyContext } from "../context.ts";
import { createExchange, type Exchange, type Home } from "../exchange.ts";
import { limitsOfClient } from "../key-limits.ts";
import { type Refusal, refusalResponse } from "../refusal.ts";
import { resetCreditsResponse } from "../reset-credits.ts";
import { factsOfRequest, type RequestFacts } from "../session.ts";
import { createTurnRecorder, type TurnRecorder } from "../turn/turn-recorder.ts";
import type { TurnTrace } from "../turn-trace.ts";
import type { Transport } from "../use-upstream.ts";
import { type ForwardResult, ownResponse, passedOn } from "./client-response.ts";
import { limitedRefusal } from "./limited-request.ts";
import { type HttpReply, sendHttp } from "./send-http.ts";
import { noteNewFile, recordReply, servedResponse } from "./served-response.ts";
import { unservedResponse } from "./unserved-response.ts";
import { afterWaiting, type WaitResult } from "./wait-for-reset.ts";

/** Forwards one request. Throws `body_too_large`, `busy`, and an AbortError when the client disconnects. */
export async function forward(context: ProxyContext, incoming: IncomingRequest): Promise<ForwardResult> {
  const body = await readBody(incoming.request, context.bodies);
  try {
    await incoming.connection.received();
    const catalogue = await catalogueResponse(context, incoming);
    if (catalogue !== undefined) return ownResponse(catalogue);
    const resets = await resetCreditsResponse(context, incoming, body.content);
    if (resets !== undefined) return ownResponse(resets);
    const result = await forwardBody(context, incoming, body);
    if (limitsOfClient(incoming)?.models === undefined) return result;
    return { by: result.by, response: await allowedModels(incoming, result.response) };
  } finally {
    // The reply has arrived, so the body is not needed for another attempt.
    body.release();
  }
}

// --- internal ---

async function forwardBody(
  context: ProxyContext,
  incoming: IncomingRequest,
  body: RequestBody,
): Promise<ForwardResult> {
  const { request, path } = incoming;
  const { method } = request;
  const arrivedAt = context.deps.clock.monotonic();
  const isTurn = isTurnPath(path);
  const facts = await factsOfRequest(request.headers, body.content, { path, turn: isTurn });
  const isMessage = isTurn && method === "POST";
  const asked = { model: facts.model, isMessage, isCounted: true };
  const refused = await limitedRefusal(context, incoming, body.content, asked);
  if (refused !== undefined) return refusedByLimit(incoming, refused);
  const { anchorsId } = incoming;
  const state = stateOf(path, facts);
  const learning = context.bindings?.learn(facts.session, state);
  if (learning !== undefined) await learning;
  const trace = isMessage ? context.beginTrace?.(request.headers.get("traceparent")) : undefined;
  const recorder = isMessage ? recorderOf(context, incoming, facts, trace) : undefined;
  const exchange = createExchange(context, incoming, {
    ...facts,
    method,
    spends: isTurn,
    // Only a client's turn changes which account the status shows as last used.
    isMessage: isMessage && anchorsId === undefined,
    ...(anchorsId === undefined ? {} : { home: anchorHome(anchorsId) }),
    isReplayable: isTurn || method === "GET" || method === "HEAD" || state?.isSearchable === true,
    state,
    recorder,
    trace,
    arrival: isMessage ? { transport: "sse", at: arrivedAt } : undefined,
    bytes: isMessage ? sizeOf(body.content) : undefined,
  });
  let outcome: WaitResult | undefined;
  try {
    const transport: Transport<HttpReply> = {
      send: (prepared, lease) => sendHttp(context, exchange, { prepared, lease, body }),
      discard: (reply) => reply.abort(),
    };
    outcome = await attempt(context, exchange, transport);
    if (exchange.isMessage && outcome.kind === "unserved")
      outcome = await afterWaiting(context, exchange, transport, outcome, body);
    return await respond(context, exchange, outcome);
  } catch (error) {
    recorder?.end("refused", errorCodeIn(error));
    if (outcome?.kind === "reply") {
      outcome.lease.release();
      outcome.reply.abort();
    }
    throw error;
  }
}

/** The state that the request is about, if it belongs to one account. */
function stateOf(path: string, { session }: RequestFacts): StateRequest | undefined {
  const state = statePathOf(path);
  return state && { ...state, session };
}

/** Only this account serves the turn. */
function anchorHome(id: string): Home {
  return { upstreamId: id, choice: { id, reason: "anchor", switched: false }, canLeave: false };
}

function recorderOf(
  context: ProxyContext,
  incoming: IncomingRequest,
  facts: RequestFacts,
  trace: TurnTrace | undefined,
): TurnRecorder | undefined {
  const turn = { ...facts, transport: "sse", trace } as const;
  if (incoming.anchorsId !== undefined)
    return createTurnRecorder(context, incoming, {
      ...turn,
      session: ANCHOR_SESSION,
      kind: "anchor",
      metadata: undefined,
    });
  const metadata = incoming.request.headers.get(TURN_METADATA);
  const kind = isCompactPath(incoming.path) ? "compaction" : "turn";
  return createTurnRecorder(context, incoming, { ...turn, kind, metadata });
}

function refusedByLimit({ ended }: IncomingRequest, refusal: Refusal): ForwardResult {
  ended();
  return ownResponse(refusalResponse(refusal));
}

function errorCodeIn(error: unknown): string {
  return error instanceof CodexlbError ? error.code : "internal";
}

async function respond(
  context: ProxyContext,
  exchange: Exchange,
  outcome: WaitResult,
): Promise<ForwardResult> {
  const { incoming } = exchange;
  switch (outcome.kind) {
    case "refused":
      exchange.recorder?.end("refused", outcome.refusal.code);
      return refusedByLimit(incoming, outcome.refusal);
    case "aborted":
      exchange.recorder?.end("aborted");
      incoming.ended();
      return ownResponse(new Response(null, { status: 499 })); // the client has disconnected
    case "reply":
      if (exchange.recorder !== undefined) {
        const recording = recordReply(exchange.recorder, outcome.reply);
        if (recording !== undefined) await recording;
      }
      if (exchange.stateSearch?.createsFile) await noteNewFile(context, outcome);
      return passedOn(servedResponse(context, exchange, outcome));
    case "unserved": {
      const result = await unservedResponse(context, exchange, outcome);
      // A proxy in front counts these attempts too.
      if (incoming.attemptsLeft !== undefined && exchange.failures > 0)
        result.response.headers.set(ATTEMPTS_HEADER, String(exchange.failures));
      return result;
    }
    default:
      return outcome satisfies never;
  }
}
