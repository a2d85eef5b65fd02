// HTTP and SSE: one request of a client through the attempt loop, and the reply on its way back.

import { isTurnPath } from "../upstream/paths.ts";
import { attempt, type Outcome } from "./attempts.ts";
import { decodeBody, readBody } from "./bodies.ts";
import { type Incoming, type ProxyContext, usageNow } from "./context.ts";
import { downstreamHeaders, outgoingHeaders } from "./headers.ts";
import { poolHeaders } from "./passes.ts";
import { refusalFor, refusalResponse } from "./refusal.ts";
import { type HttpReply, sendHttp } from "./send-http.ts";
import { sessionOf } from "./session.ts";
import { asItCame, type Edit, passThrough, turnStream, watching } from "./stream.ts";

/** Forwards one request. Never throws, except `body_too_large`. */
export async function forward(context: ProxyContext, incoming: Incoming): Promise<Response> {
  const { request, path, search, requestId } = incoming;
  const turn = isTurnPath(path);
  const body = await readBody(request);
  const session = sessionOf(request.headers, body, path);
  const { maxAttempts, cooldownMs } = context.settings();
  const headers = outgoingHeaders(request.headers, { turn });
  const replayable = turn || request.method === "GET" || request.method === "HEAD";
  const tried = new Set<string>();
  const outcome = await attempt<HttpReply>(context, {
    requestId,
    session,
    outgoing: { method: request.method, path, search, headers },
    turn: turn && request.method === "POST",
    spends: turn,
    replayable,
    tried,
    maxAttempts,
    cooldownMs,
    send: (ready, lease) =>
      sendHttp(context, incoming, { ready, lease, body, replayable, retried: tried.size > 1 }),
    discard: (reply) => reply.abort(),
  });
  return respond(context, incoming, outcome);
}

// --- internal ---

function respond(
  context: ProxyContext,
  { requestId, path }: Incoming,
  outcome: Outcome<HttpReply>,
): Response {
  const { events } = context;
  switch (outcome.kind) {
    case "aborted":
      return new Response(null, { status: 499 }); // nobody is there to read it
    case "reply": {
      const { lease, reply } = outcome;
      const fields = {
        req_id: requestId,
        account_id: lease.upstream.id,
        status: reply.response.status,
        path,
      };
      events.append("request.completed", fields);
      const headers = downstreamHeaders(reply.response.headers);
      if (isTurnPath(path)) poolHeaders(headers, usageNow(context));
      return toClient(reply, headers, watching(context, lease), () => lease.release());
    }
    case "failed":
      return failed(context, requestId, outcome);
    default:
      return outcome satisfies never;
  }
}

/** `headers` are the client's; `edit` is applied to the events of a held turn; `release` is called once at the end. */
function toClient(
  { response, body, abort }: HttpReply,
  headers: Headers,
  edit: Edit,
  release: () => void,
): Response {
  const init = { status: response.status, statusText: response.statusText, headers };
  if (body.kind === "held") {
    headers.delete("content-length");
    return new Response(turnStream(body.stream, edit, release, abort), init);
  }
  if (body.kind === "stream" && response.body !== null)
    return new Response(passThrough(response.body, release, abort), init);
  release();
  return new Response(body.kind === "whole" ? body.bytes : null, init);
}

function failed(
  context: ProxyContext,
  requestId: number,
  { last, brokenWhy }: Extract<Outcome<HttpReply>, { kind: "failed" }>,
): Response {
  const { pool, events, deps } = context;
  const shortage = pool.shortage();
  // The last answer as it came, unless it speaks of one account only (a limit, a login) and not of the pool.
  const speaksForPool =
    last !== undefined && (last.verdict.kind === "cool" || last.verdict.kind === "elsewhere");
  if (speaksForPool && last.reply.response.status !== 401 && shortage.kind === "all_tried") {
    events.append("request.failed", { req_id: requestId, status: last.reply.response.status });
    return toClient(last.reply, downstreamHeaders(last.reply.response.headers), asItCame, () => {});
  }
  if (last !== undefined) last.reply.abort();
  const limitBody = last?.verdict.kind === "limit" ? limitBodyOf(last.reply) : undefined;
  const planType = usageNow(context).planType;
  const refusal = refusalFor(shortage, { limitBody, planType, brokenWhy }, deps.clock.now());
  events.append("request.failed", { req_id: requestId, status: refusal.status, error: refusal.code });
  return refusalResponse(refusal);
}

function limitBodyOf({ response, body }: HttpReply): string | undefined {
  return body.kind === "whole" ? decodeBody(body.bytes, response.headers.get("content-encoding")) : undefined;
}
