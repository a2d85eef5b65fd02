// What a client gets when no upstream serves its request: the last upstream's own reply, or a refusal.

import { isMissing } from "../../core/verdict.ts";
import { isTurnPath } from "../../upstream/paths.ts";
import type { UnservedRequest } from "../attempts.ts";
import { decodeBody } from "../bodies.ts";
import { adviceFor, clientKindOf, type ProxyContext } from "../context.ts";
import type { Exchange } from "../exchange.ts";
import { downstreamHeaders } from "../headers.ts";
import { refusalResponse } from "../refusal.ts";
import { refusalFor, retryAfterSeconds } from "../shortage-refusal.ts";
import { answerRequest } from "../turn/final-answer.ts";
import { clientResponse, type ForwardResult, ownResponse, passedOn } from "./client-response.ts";
import type { HttpReply } from "./send-http.ts";

/** The client's response after the last attempt; turn/final-answer.ts decides which one. */
export async function unservedResponse(
  context: ProxyContext,
  exchange: Exchange,
  { last, brokenWhy }: UnservedRequest<HttpReply>,
): Promise<ForwardResult> {
  const { incoming, facts, recorder } = exchange;
  const { requestId, path, ended } = incoming;
  const { pool, slots, events, deps } = context;
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
    // Not a failure: no account has what was asked for.
    const event = isMissing(last.verdict) ? "request.completed" : "request.failed";
    events.append(event, { ...about, status: last.reply.response.status });
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
    {
      limitBody,
      usage: pool.usage(),
      brokenWhy,
      isStopping: slots.isStopped(),
      client: clientKindOf(incoming),
      advise: adviceFor(incoming),
    },
    nowMs,
  );
  events.append("request.failed", { ...about, status: refusal.status, error: refusal.code });
  recorder?.end("refused", refusal.code);
  return ownResponse(refusalResponse(refusal));
}

// --- internal ---

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
  return clientResponse(context, exchange, reply, {
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
