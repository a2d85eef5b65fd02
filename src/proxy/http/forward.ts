// HTTP and SSE: sends one request of a client through the attempt loop, and the reply back to the client.

import { ATTEMPTS_HEADER } from "../../core/hops.ts";
import { TURN_METADATA } from "../../core/turn-metadata.ts";
import { ANCHOR_SESSION } from "../../core/turn-record.ts";
import { CodexlbError } from "../../errors.ts";
import type { Lease } from "../../upstream/leases.ts";
import { isCompactPath, isTurnPath } from "../../upstream/paths.ts";
import { allowedModels } from "../allowed-models.ts";
import { type AttemptResult, attempt, type UnservedRequest } from "../attempts.ts";
import { decodeBody, type RequestBody, readBody } from "../bodies.ts";
import { catalogueResponse, poolVersion } from "../catalogues.ts";
import { clientKindOf, type IncomingRequest, type ProxyContext } from "../context.ts";
import { createExchange, type Exchange, type Home } from "../exchange.ts";
import { pathForLog } from "../guard.ts";
import { downstreamHeaders } from "../headers.ts";
import { limitsOfClient } from "../key-limits.ts";
import { poolHeaders } from "../pool-limits.ts";
import { refusalFor, refusalResponse, retryAfterSeconds } from "../refusal.ts";
import { appsSession, factsOfRequest, type RequestFacts } from "../session.ts";
import type { AnsweredBy } from "../traffic-counts.ts";
import { answerRequest } from "../turn/final-answer.ts";
import { createTurnRecorder, type TurnRecorder } from "../turn/turn-recorder.ts";
import type { TurnTrace } from "../turn-trace.ts";
import type { Transport } from "../use-upstream.ts";
import { type BodyEnds, passThrough, turnStream } from "./body-stream.ts";
import { limitedRefusal, onlyModelOf } from "./limited-request.ts";
import { type HttpReply, sendHttp } from "./send-http.ts";
import { afterWaiting } from "./wait-for-reset.ts";

export interface ForwardResult {
  readonly by: AnsweredBy;
  readonly response: Response;
}

/** Forwards one request. Throws `body_too_large`, `busy`, and an AbortError when the client disconnects. */
export async function forward(context: ProxyContext, incoming: IncomingRequest): Promise<ForwardResult> {
  const body = await readBody(incoming.request, context.bodies);
  try {
    await incoming.connection.received();
    const catalogue = await catalogueResponse(context, incoming);
    if (catalogue !== undefined) return ownResponse(catalogue);
    const result = await forwardBody(context, incoming, body);
    if (limitsOfClient(incoming)?.models === undefined) return result;
    return { by: result.by, response: await allowedModels(incoming, result.response) };
  } finally {
    // The reply has arrived, so the body is not needed for another attempt.
    body.release();
  }
}

// --- internal ---

function passedOn(response: Response): ForwardResult {
  return { by: "upstream", response };
}

function ownResponse(response: Response): ForwardResult {
  return { by: "proxy", response };
}

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
  const limits = limitsOfClient(incoming);
  if (limits !== undefined) {
    const isNamed = isMessage && limits.models !== undefined;
    const model = isNamed ? await onlyModelOf(request, body.content) : facts.model;
    const refused = limitedRefusal(context, incoming, model, isMessage);
    if (refused !== undefined) {
      incoming.ended();
      return ownResponse(refusalResponse(refused));
    }
  }
  const { anchorsId } = incoming;
  const trace = isMessage ? context.beginTrace?.(request.headers.get("traceparent")) : undefined;
  const recorder = isMessage ? recorderOf(context, incoming, facts, trace) : undefined;
  const exchange = createExchange(context, incoming, {
    ...facts,
    method,
    spends: isTurn,
    // The turn of a client decides what the status shows as used last.
    isMessage: isMessage && anchorsId === undefined,
    ...(anchorsId === undefined ? {} : { home: anchorHome(anchorsId) }),
    isReplayable: isTurn || method === "GET" || method === "HEAD",
    recorder,
    trace,
    arrival: isMessage ? { transport: "sse", at: arrivedAt } : undefined,
  });
  let outcome: AttemptResult<HttpReply> | undefined;
  try {
    const transport: Transport<HttpReply> = {
      send: (prepared, lease) => sendHttp(context, exchange, { prepared, lease, body }),
      discard: (reply) => reply.abort(),
    };
    outcome = await attempt(context, exchange, transport);
    if (isMessage && outcome.kind === "unserved")
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

function errorCodeIn(error: unknown): string {
  return error instanceof CodexlbError ? error.code : "internal";
}

async function respond(
  context: ProxyContext,
  exchange: Exchange,
  outcome: AttemptResult<HttpReply>,
): Promise<ForwardResult> {
  const { incoming } = exchange;
  switch (outcome.kind) {
    case "aborted":
      exchange.recorder?.end("aborted");
      incoming.ended();
      return ownResponse(new Response(null, { status: 499 })); // the client has disconnected
    case "reply":
      if (exchange.recorder !== undefined) {
        const recording = recordReply(exchange.recorder, outcome.reply);
        if (recording !== undefined) await recording;
      }
      return passedOn(served(context, exchange, outcome));
    case "unserved": {
      const result = await unserved(context, exchange, outcome);
      // A proxy in front counts these attempts too.
      if (incoming.attemptsLeft !== undefined && exchange.failures > 0)
        result.response.headers.set(ATTEMPTS_HEADER, String(exchange.failures));
      return result;
    }
    default:
      return outcome satisfies never;
  }
}

function served(
  context: ProxyContext,
  exchange: Exchange,
  { lease, reply, verdict }: AttemptResult<HttpReply> & { kind: "reply" },
): Response {
  const { incoming } = exchange;
  const { requestId, path } = incoming;
  const { status } = reply.response;
  context.events.append("request.completed", {
    ...lease.upstream.named,
    path: pathForLog(path),
    req_id: requestId,
    status,
  });
  if (isCompactPath(path) && verdict.kind === "ok") lease.hold();
  const opened = appsSession(reply.response.headers);
  if (opened !== undefined) lease.bind(opened);
  return toClient(context, exchange, reply, {
    headers: servedHeaders(context, incoming, lease, reply.response),
    patienceMs: lease.upstream.patienceMs,
    release: () => {
      lease.release();
      incoming.ended();
    },
    broke: () => lease.broke(),
  });
}

/** The reply's headers as the client may see them, with the pool's values in place of the account's. */
function servedHeaders(
  context: ProxyContext,
  incoming: IncomingRequest,
  { upstream }: Lease,
  response: Response,
): Headers {
  const headers = downstreamHeaders(response.headers);
  if (isTurnPath(incoming.path)) poolHeaders(headers, context.pool.usage);
  if (response.ok) poolVersion(context, incoming, upstream.id, headers);
  return headers;
}

/** Records the end of a turn whose reply has arrived as a whole, or is a failure. */
function recordReply(recorder: TurnRecorder, { response, body }: HttpReply): Promise<void> | undefined {
  const hasFailed = response.status >= 400 || (body.kind === "turn" && body.turn.failure !== undefined);
  if (hasFailed) recorder.end("failed", body.kind === "stream" ? `http-${response.status}` : undefined);
  if (hasFailed || body.kind !== "whole") return undefined;
  return decodeBody(body.bytes, response.headers.get("content-encoding")).then((text) =>
    recorder.wholeResponse(text ?? ""),
  );
}

interface ClientResponseOptions extends Omit<BodyEnds, "left"> {
  readonly headers: Headers;
}

function toClient(
  context: ProxyContext,
  { incoming: { connection, signal }, recorder }: Exchange,
  { response, body, abort }: HttpReply,
  { headers, ...ends }: ClientResponseOptions,
): Response {
  const init = { status: response.status, statusText: response.statusText, headers };
  switch (body.kind) {
    case "whole":
      ends.release();
      return new Response(body.bytes, init);
    case "turn":
      headers.delete("content-length");
      return new Response(turnStream(context, body.turn, abort, streamEnds()), init);
    case "stream": {
      if (response.body !== null)
        return new Response(passThrough(context, response.body, abort, streamEnds()), init);
      ends.release();
      return new Response(null, init);
    }
    default:
      return body satisfies never;
  }

  function streamEnds(): BodyEnds {
    const ended = connection.streams();
    return {
      ...ends,
      broke: () => {
        recorder?.end(signal.aborted ? "aborted" : "cut");
        ends.broke();
      },
      left: () => recorder?.end("aborted"),
      release: () => {
        // A stream whose last event was not read, because it has another format.
        recorder?.end("completed");
        ends.release();
        ended();
      },
    };
  }
}

async function unserved(
  context: ProxyContext,
  exchange: Exchange,
  { last, brokenWhy }: UnservedRequest<HttpReply>,
): Promise<ForwardResult> {
  const { incoming, facts, recorder } = exchange;
  const { requestId, path, ended } = incoming;
  const { pool, events, deps } = context;
  const about = { req_id: requestId, method: incoming.request.method, path, client: clientKindOf(incoming) };
  const spends = isTurnPath(path);
  const shortage = pool.shortage(spends ? facts.session : undefined, facts.model, incoming.tags);
  const nowMs = deps.clock.now();
  const answered = last && {
    verdict: last.verdict,
    status: last.reply.response.status,
    form: "response" as const,
  };
  if (last !== undefined && answerRequest({ shortage, last: answered }, spends) === "as_received") {
    events.append("request.failed", { ...about, status: last.reply.response.status });
    recorder?.end("failed");
    if (last.verdict.kind !== "cool") return passedOn(asReceived(context, exchange, last.reply, undefined));
    const waitSeconds = retryAfterSeconds(shortage, nowMs, last.verdict.isTimed);
    const { body } = last.reply;
    if (last.verdict.isTimed || body.kind !== "turn")
      return passedOn(asReceived(context, exchange, last.reply, waitSeconds));
    last.reply.abort();
    ended();
    return ownResponse(overloaded(body.turn.failure, waitSeconds));
  }
  ended();
  if (last !== undefined) last.reply.abort();
  const limitBody = last?.verdict.kind === "limit" ? await textOf(last.reply) : undefined;
  const refusal = refusalFor(
    shortage,
    { limitBody, usage: pool.usage(), brokenWhy, client: clientKindOf(incoming) },
    nowMs,
  );
  events.append("request.failed", { ...about, status: refusal.status, error: refusal.code });
  recorder?.end("refused", refusal.code);
  return ownResponse(refusalResponse(refusal));
}

/**
 * The upstream's reply. `waitSeconds` replaces the upstream's Retry-After with the pool's. Without a time, a 429 ends
 * Codex's turn, and Codex repeats any other request almost immediately.
 */
function asReceived(
  context: ProxyContext,
  exchange: Exchange,
  reply: HttpReply,
  waitSeconds: number | undefined,
): Response {
  const headers = downstreamHeaders(reply.response.headers);
  if (waitSeconds !== undefined) headers.set("retry-after", String(waitSeconds));
  return toClient(context, exchange, reply, {
    headers,
    patienceMs: (configuredMs) => configuredMs,
    release: exchange.incoming.ended,
    broke: () => {},
  });
}

/**
 * The 503 in place of a stream that contains a failure. The failed stream would end Codex's turn; after a 503, Codex
 * waits and tries again.
 */
function overloaded(
  failure: { readonly code: string | undefined; readonly message: string } | undefined,
  waitSeconds: number,
): Response {
  const code = failure?.code ?? "server_error";
  return Response.json(
    { error: { type: code, code, message: failure?.message ?? "", next: "send the request again" } },
    { status: 503, headers: { "retry-after": String(waitSeconds) } },
  );
}

async function textOf({ response, body }: HttpReply): Promise<string | undefined> {
  return body.kind === "whole" ? decodeBody(body.bytes, response.headers.get("content-encoding")) : undefined;
}
