// HTTP and SSE: one request of a client through the attempt loop, and the reply on its way back.

import { ATTEMPTS_HEADER } from "../core/hops.ts";
import type { Lease } from "../upstream/leases.ts";
import { isCompactPath, isTurnPath } from "../upstream/paths.ts";
import type { Shortage } from "../upstream/shortage.ts";
import { attempt, type LastAnswer, type Outcome } from "./attempts.ts";
import { decodeBody, type RequestBody, readBody } from "./bodies.ts";
import { catalogueResponse, poolVersion } from "./catalogues.ts";
import { type Incoming, mostAttempts, originOf, type ProxyContext } from "./context.ts";
import { pathForLog } from "./guard.ts";
import { downstreamHeaders, outgoingHeaders } from "./headers.ts";
import type { HoldEnd } from "./hold.ts";
import { poolHeaders } from "./passes.ts";
import { refusalFor, refusalResponse, retryAfterSeconds, speaksForAll } from "./refusal.ts";
import { type HttpReply, sendHttp } from "./send-http.ts";
import { appsSession, factsOfRequest, type RequestFacts } from "./session.ts";
import { asItCame, type Edit, type Passage, passThrough, turnStream, watching } from "./stream.ts";

/** Forwards one request. Throws `body_too_large`, `busy`, and an AbortError when the client disconnects. */
export async function forward(context: ProxyContext, incoming: Incoming): Promise<Response> {
  const body = await readBody(incoming.request, context.bodies);
  try {
    await incoming.connection.received();
    return (await catalogueResponse(context, incoming)) ?? (await forwardBody(context, incoming, body));
  } finally {
    // The reply has arrived, so the body is not needed for another attempt.
    body.release();
  }
}

// --- internal ---

async function forwardBody(context: ProxyContext, incoming: Incoming, body: RequestBody): Promise<Response> {
  const { request, path, search, requestId } = incoming;
  const turn = isTurnPath(path);
  const facts = await factsOfRequest(request.headers, body.content, { path, turn });
  const { cooldownMs } = context.settings();
  const headers = outgoingHeaders(request.headers, { turn });
  const replayable = turn || request.method === "GET" || request.method === "HEAD";
  const tried = new Set<string>();
  const outcome = await attempt<HttpReply>(context, {
    requestId,
    path,
    outgoing: (attemptsLeft) => ({
      method: request.method,
      path,
      search,
      headers,
      hops: [...incoming.hops, context.self()],
      attemptsLeft,
    }),
    turn: turn && request.method === "POST",
    replayable,
    tried,
    maxAttempts: mostAttempts(context, incoming),
    cooldownMs,
    pick: (searching) =>
      context.pool.pick({
        ...originOf(incoming, facts.session, facts.model),
        tried,
        spends: turn,
        requestId,
        searching,
      }),
    send: (ready, lease) =>
      sendHttp(context, incoming, { ready, lease, body, replayable, retried: tried.size > 1 }),
    discard: (reply) => reply.abort(),
  });
  try {
    return await respond(context, incoming, facts, outcome);
  } catch (error) {
    if (outcome.kind === "reply") {
      outcome.lease.release();
      outcome.reply.abort();
    }
    throw error;
  }
}

async function respond(
  context: ProxyContext,
  incoming: Incoming,
  facts: RequestFacts,
  outcome: Outcome<HttpReply>,
): Promise<Response> {
  const { requestId, path } = incoming;
  switch (outcome.kind) {
    case "aborted":
      incoming.ended();
      return new Response(null, { status: 499 }); // nobody is there to read it
    case "reply": {
      const { lease, reply } = outcome;
      const fields = {
        req_id: requestId,
        ...lease.upstream.named,
        status: reply.response.status,
        path: pathForLog(path),
      };
      context.events.append("request.completed", fields);
      if (isCompactPath(path) && outcome.verdict.kind === "ok") lease.hold();
      const opened = appsSession(reply.response.headers);
      if (opened !== undefined) lease.bind(opened);
      return toClient(context, incoming, reply, {
        headers: headersFor(context, incoming, lease, reply.response),
        edit: watching(context, lease, { credited: outcome.verdict.kind !== "open" }),
        patienceMs: lease.upstream.patienceMs,
        release: () => {
          lease.release();
          incoming.ended();
        },
        broke: () => lease.broke(),
      });
    }
    case "failed":
      return withAttempts(incoming, outcome.failures, await failed(context, incoming, facts, outcome));
    default:
      return outcome satisfies never;
  }
}

/** The reply's headers as the client may see them: the pool's, where the account's are no truth about the pool. */
function headersFor(
  context: ProxyContext,
  incoming: Incoming,
  { upstream }: Lease,
  { ok, headers: told }: Response,
): Headers {
  const headers = downstreamHeaders(told);
  if (isTurnPath(incoming.path)) poolHeaders(headers, context.pool.usage);
  if (ok) poolVersion(context, incoming, upstream.id, headers);
  return headers;
}

/** A proxy in front counts what was tried for it already. */
function withAttempts({ attemptsLeft }: Incoming, failures: number, response: Response): Response {
  if (attemptsLeft !== undefined && failures > 0) response.headers.set(ATTEMPTS_HEADER, String(failures));
  return response;
}

interface ToClient extends Pick<Passage, "release" | "broke" | "patienceMs"> {
  readonly headers: Headers;
  /** Applied to the events of a held turn. */
  readonly edit: Edit;
}

function toClient(
  context: ProxyContext,
  { connection }: Incoming,
  { response, body, abort }: HttpReply,
  { headers, edit, ...ends }: ToClient,
): Response {
  const init = { status: response.status, statusText: response.statusText, headers };
  const passage = (): Passage => {
    const ended = connection.streams();
    const release = () => {
      ends.release();
      ended();
    };
    return { context, abort, ...ends, release };
  };
  if (body.kind === "held") {
    headers.delete("content-length");
    return new Response(turnStream(body.stream, edit, passage()), init);
  }
  if (body.kind === "stream" && response.body !== null)
    return new Response(passThrough(response.body, passage()), init);
  ends.release();
  return new Response(body.kind === "whole" ? body.bytes : null, init);
}

async function failed(
  context: ProxyContext,
  incoming: Incoming,
  { session, model }: RequestFacts,
  { last, brokenWhy }: Extract<Outcome<HttpReply>, { kind: "failed" }>,
): Promise<Response> {
  const { requestId, path, ended } = incoming;
  const { pool, events, deps } = context;
  const shortage = pool.shortage(isTurnPath(path) ? session : undefined, model);
  const nowMs = deps.clock.now();
  if (last !== undefined && isForClient(last, shortage, path)) {
    const { reply, verdict } = last;
    events.append("request.failed", { req_id: requestId, status: reply.response.status });
    const told = verdict.kind === "cool" && verdict.told;
    const waitSeconds = retryAfterSeconds(shortage, nowMs, told);
    if (verdict.kind === "cool" && !told && reply.body.kind === "held") {
      reply.abort();
      ended();
      return failureResponse(reply.body.stream.end, waitSeconds);
    }
    const headers = downstreamHeaders(reply.response.headers);
    // The pool's time, whatever the one that was asked last has said. Without any Codex takes a 429 for the end of the
    // turn, and comes back from anything else within moments.
    if (verdict.kind === "cool") headers.set("retry-after", String(waitSeconds));
    return toClient(context, incoming, reply, {
      headers,
      edit: asItCame,
      patienceMs: (configuredMs) => configuredMs,
      release: ended,
    });
  }
  ended();
  if (last !== undefined) last.reply.abort();
  const limitBody = last?.verdict.kind === "limit" ? await limitBodyOf(last.reply) : undefined;
  const refusal = refusalFor(shortage, { limitBody, usage: pool.usage(), brokenWhy }, nowMs);
  events.append("request.failed", { req_id: requestId, status: refusal.status, error: refusal.code });
  return refusalResponse(refusal);
}

/**
 * A failure that came inside of a stream, as an answer: as the end of a stream Codex would take an overload for the end
 * of the turn, as a 503 it waits and tries again.
 */
function failureResponse(end: HoldEnd, waitSeconds: number): Response {
  const failure = end.kind === "failed" ? end.failure : undefined;
  const { code, message } = { code: failure?.code ?? "server_error", message: failure?.message ?? "" };
  return Response.json(
    { error: { type: code, code, message } },
    { status: 503, headers: { "retry-after": String(waitSeconds) } },
  );
}

/** The last answer is given as it came, unless it speaks of one account only (a limit, a login) and not of the pool. */
function isForClient({ verdict, reply }: LastAnswer<HttpReply>, shortage: Shortage, path: string): boolean {
  if (reply.response.status === 401) return false;
  switch (verdict.kind) {
    case "cool":
    case "elsewhere":
      return shortage.kind === "all_tried" || !isTurnPath(path);
    case "foreign_ciphertext":
      return speaksForAll(shortage);
    default:
      return false;
  }
}

async function limitBodyOf({ response, body }: HttpReply): Promise<string | undefined> {
  return body.kind === "whole" ? decodeBody(body.bytes, response.headers.get("content-encoding")) : undefined;
}
