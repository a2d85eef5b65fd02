// The attempt loop for a handshake: its send is a dial, its reply an open socket or the backend's refusal.

import { shortText } from "../core/bounds.ts";
import { ATTEMPTS_HEADER, parseAttempts } from "../core/hops.ts";
import type { QuotaEvidence } from "../core/quota.ts";
import { quotaFromHeaders } from "../core/quota-wire.ts";
import { failureOfReply, type Verdict } from "../core/verdict.ts";
import { CodexlbError, dataPlaneErrorBody } from "../errors.ts";
import type { Outgoing, Upstream } from "../upstream/upstream.ts";
import { attempt, type Job, type Outcome, type Ready, type Sent } from "./attempts.ts";
import { type Incoming, mostAttempts, originOf, type ProxyContext } from "./context.ts";
import { dial, type UpstreamSocket } from "./dial.ts";
import { downstreamHeaders, outgoingHeaders } from "./headers.ts";
import { TURN_STATE } from "./portable.ts";
import { type Refusal, refusalFor, refusalResponse } from "./refusal.ts";

/** An open socket to an account. */
export interface Far {
  readonly upstreamId: string;
  readonly socket: UpstreamSocket;
  /** Headers of its 101. */
  readonly headers: Headers;
  /** With what it was opened. */
  readonly ready: Ready;
}

export interface RefusedDial {
  readonly kind: "refused";
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

export type DialReply = { readonly kind: "open"; readonly far: Far } | RefusedDial;

/** The handshake as any account can be asked for it. */
export function handshakeOf(
  { self }: ProxyContext,
  { request, path, search, hops }: Incoming,
  attemptsLeft: number,
): Outgoing {
  const headers = outgoingHeaders(request.headers, { turn: true });
  return { method: "GET", path, search, headers, hops: [...hops, self()], attemptsLeft };
}

/** Opens a socket to an account that can take the session. Never throws. */
export function dialAccount(
  context: ProxyContext,
  incoming: Incoming,
  session: string | undefined,
): Promise<Outcome<DialReply>> {
  const { cooldownMs } = context.settings();
  const { requestId } = incoming;
  const { signal } = incoming;
  const tried = new Set<string>();
  const job: Job<DialReply> = {
    requestId,
    path: incoming.path,
    outgoing: (attemptsLeft) => handshakeOf(context, incoming, attemptsLeft),
    turn: false,
    replayable: true,
    tried,
    maxAttempts: mostAttempts(context, incoming),
    cooldownMs,
    pick: () =>
      context.pool.pick({ ...originOf(incoming, session, undefined), tried, spends: true, requestId }),
    send: (ready, lease) => dialOnce(context, ready, lease.upstream, { moved: tried.size > 1, signal }),
    discard: (reply) => {
      if (reply.kind === "open") reply.far.socket.close();
    },
  };
  return attempt(context, job);
}

/** Dials one account. `moved`: another one had the session's turn before. */
export async function dialOnce(
  { deps, settings }: ProxyContext,
  ready: Ready,
  upstream: Upstream,
  { moved, signal }: { readonly moved: boolean; readonly signal: AbortSignal },
): Promise<Sent<DialReply>> {
  if (moved) ready.headers.delete(TURN_STATE);
  const dialled = await dial(ready.url, ready.headers, {
    signal,
    clock: deps.clock,
    egress: ready.egress,
    timeoutMs: settings().timeouts.connectMs,
  });
  const nowMs = deps.clock.now();
  const reply = (verdict: Verdict, told: DialReply): Sent<DialReply> => {
    const headers = dialled.kind === "open" || dialled.kind === "refused" ? dialled.headers : new Headers();
    const evidence: QuotaEvidence | undefined = quotaFromHeaders(headers, nowMs);
    const attempts = parseAttempts(headers.get(ATTEMPTS_HEADER));
    return { kind: "reply", verdict, evidence, attempts, reply: told };
  };
  switch (dialled.kind) {
    case "broken":
    case "aborted":
      return dialled;
    case "open": {
      const { headers } = dialled;
      // A changed outbound proxy also applies to the next turn of an open socket.
      const isOpen = () => dialled.socket.isOpen() && ready.isEgressCurrent();
      const socket: UpstreamSocket = { ...dialled.socket, isOpen };
      // An open socket proves nothing of turns yet, so it settles nothing: the first output will.
      return reply(
        { kind: "open" },
        { kind: "open", far: { upstreamId: upstream.id, socket, headers, ready } },
      );
    }
    case "refused": {
      const failure = failureOfReply(dialled.status, dialled.headers, dialled.body, nowMs);
      return reply(upstream.judge(failure, "handshake"), {
        ...dialled,
        headers: downstreamHeaders(dialled.headers),
      });
    }
    default:
      return dialled satisfies never;
  }
}

/** What to tell the client when no account could be dialled. */
export function dialRefusal(
  context: ProxyContext,
  session: string | undefined,
  { last, brokenWhy }: Pick<Extract<Outcome<DialReply>, { kind: "failed" }>, "last" | "brokenWhy">,
): Refusal {
  const limitBody =
    last?.verdict.kind === "limit" && last.reply.kind === "refused" ? last.reply.body : undefined;
  const about = { limitBody, usage: context.pool.usage(), brokenWhy };
  return refusalFor(context.pool.shortage(session), about, context.deps.clock.now());
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

/**
 * The HTTP answer to a handshake that nobody took. A limit, and a pool without accounts, is told. Whatever else it was,
 * HTTP may still work, and there Codex can be told to wait: a 426 makes it change over at once and in silence, where
 * any other answer costs it six tries and a notice.
 */
export function refusedDial(
  context: ProxyContext,
  { requestId }: Incoming,
  session: string | undefined,
  failed: Extract<Outcome<DialReply>, { kind: "failed" }>,
): Response {
  const refusal = dialRefusal(context, session, failed);
  // A handshake does not name its model. A POST does.
  if (
    refusal.code === "usage_limit_reached" &&
    context.pool.usage().additional.some(({ reached }) => !reached)
  )
    return useHttp(
      "the main limit of every account is exhausted; over HTTP a model with its own limit may still be served",
    );
  context.events.append("websocket.failed", { req_id: requestId, error: refusal.code });
  if (context.pool.shortage(session).kind !== "all_tried" || refusal.code === "usage_limit_reached")
    return refusalResponse(refusal);
  const { last, brokenWhy } = failed;
  if (brokenWhy !== undefined) return useHttp(`no WebSocket: ${brokenWhy}`);
  if (last?.reply.kind === "refused")
    return useHttp(`the backend refused the WebSocket handshake: ${answerOf(context, last.reply)}`);
  return useHttp("no account can take a WebSocket now");
}

// --- internal ---

/** Longest quoted backend message: a sentence or two. */
const LONGEST_TEXT = 300;

/** The status of a refused handshake with the backend's message, unless that is a web page. */
function answerOf({ deps }: ProxyContext, { status, headers, body }: RefusedDial): string {
  const { message, challenge } = failureOfReply(status, headers, body, deps.clock.now());
  return challenge || message === "" ? `${status}` : `${status}: ${shortText(message, LONGEST_TEXT)}`;
}
