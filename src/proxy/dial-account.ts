// The attempt loop for WebSocket: its send is a dial, its reply an open socket or the backend's refusal.

import { quotaFromHeaders } from "../core/quota-wire.ts";
import { failureOfReply, judge } from "../core/verdict.ts";
import { CodexlbError, dataPlaneErrorBody } from "../errors.ts";
import type { Lease } from "../upstream/pool.ts";
import { attempt, type Job, type Outcome, type Ready, type Sent } from "./attempts.ts";
import { type Incoming, type ProxyContext, usageNow } from "./context.ts";
import { dial, type UpstreamSocket } from "./dial.ts";
import { downstreamHeaders, outgoingHeaders } from "./headers.ts";
import { outboundProxy } from "./outbound-proxy.ts";
import { TURN_STATE } from "./portable.ts";
import { type Refusal, refusalFor, refusalResponse } from "./refusal.ts";

export type DialReply =
  | {
      readonly kind: "open";
      readonly socket: UpstreamSocket;
      readonly headers: Headers;
      readonly token: string;
    }
  | { readonly kind: "refused"; readonly status: number; readonly headers: Headers; readonly body: string };

/** Opens a socket to an account that can take the session. Never throws. */
export function dialAccount(
  context: ProxyContext,
  { request, path, search, requestId }: Incoming,
  session: string | undefined,
  tried: Set<string>,
  signal: AbortSignal,
): Promise<Outcome<DialReply>> {
  const { maxAttempts, cooldownMs } = context.settings();
  const job: Job<DialReply> = {
    requestId,
    session,
    outgoing: { method: "GET", path, search, headers: outgoingHeaders(request.headers, { turn: true }) },
    turn: false,
    spends: true,
    replayable: true,
    tried,
    maxAttempts,
    cooldownMs,
    send: (ready, lease) => dialOnce(context, path, ready, lease, tried, signal),
    discard: (reply) => {
      if (reply.kind === "open") reply.socket.close();
    },
  };
  return attempt(context, job);
}

/** What to tell the client when no account could be dialled. */
export function dialRefusal(
  context: ProxyContext,
  { last, brokenWhy }: Pick<Extract<Outcome<DialReply>, { kind: "failed" }>, "last" | "brokenWhy">,
): Refusal {
  const limitBody =
    last?.verdict.kind === "limit" && last.reply.kind === "refused" ? last.reply.body : undefined;
  const about = { limitBody, planType: usageNow(context).planType, brokenWhy };
  return refusalFor(context.pool.shortage(), about, context.deps.clock.now());
}

/** Makes Codex use HTTP for this thread, at once and without a word. `why` is for whoever else reads it. */
export function useHttp(why: string): Response {
  const error = new CodexlbError("use_http", `${why}; this thread is better off on HTTP`, {
    next: "send the request as POST",
  });
  return Response.json(dataPlaneErrorBody(error), {
    status: error.status,
    headers: { upgrade: "websocket" },
  });
}

/** The HTTP answer to a handshake that nobody took. */
export function refusedDial(
  context: ProxyContext,
  { requestId }: Incoming,
  failed: Extract<Outcome<DialReply>, { kind: "failed" }>,
): Response {
  const refusal = dialRefusal(context, failed);
  const shortage = context.pool.shortage();
  context.events.append("websocket.failed", { req_id: requestId, error: refusal.code });
  // Nobody could be reached over WebSocket: HTTP may still work, and Codex changes over at once on a 426.
  if (failed.last === undefined && failed.brokenWhy !== undefined && shortage.kind === "all_tried")
    return useHttp(`no WebSocket to the backend: ${failed.brokenWhy}`);
  return refusalResponse(refusal);
}

// --- internal ---

async function dialOnce(
  { deps }: ProxyContext,
  path: string,
  ready: Ready,
  lease: Lease,
  tried: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<Sent<DialReply>> {
  if (tried.size > 1) ready.headers.delete(TURN_STATE);
  const proxy = outboundProxy(ready.url, deps.env);
  const dialled = await dial(ready.url, ready.headers, signal, deps.clock, proxy);
  const nowMs = deps.clock.now();
  switch (dialled.kind) {
    case "broken":
    case "aborted":
      return dialled;
    case "open":
      // An open socket proves nothing of turns yet, so it settles nothing: the first output will.
      return {
        kind: "reply",
        verdict: { kind: "client" },
        reply: { ...dialled, token: ready.token },
        evidence: quotaFromHeaders(dialled.headers, nowMs),
      };
    case "refused": {
      const failure = failureOfReply(dialled.status, dialled.headers, dialled.body, nowMs);
      return {
        kind: "reply",
        verdict: dialled.status < 400 ? { kind: "client" } : judge(failure, lease.upstream.scope(path)),
        reply: { ...dialled, headers: downstreamHeaders(dialled.headers) },
        evidence: quotaFromHeaders(dialled.headers, nowMs),
      };
    }
    default:
      return dialled satisfies never;
  }
}
