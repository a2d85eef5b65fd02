// Dials one upstream, and returns a reply that the attempt loop can judge.

import { failureOfReply } from "../../core/failure.ts";
import { ATTEMPTS_HEADER, parseAttempts } from "../../core/hops.ts";
import { limitsOfHeaders } from "../../core/recent-limits.ts";
import type { Verdict } from "../../core/verdict.ts";
import type { PreparedRequest, Upstream } from "../../upstream/upstream.ts";
import type { ProxyContext } from "../context.ts";
import { downstreamHeaders } from "../headers.ts";
import { TURN_STATE } from "../turn/portable.ts";
import type { SendResult } from "../use-upstream.ts";
import { dial } from "./dial.ts";
import type { UpstreamSocket } from "./upstream-socket.ts";

/** An open socket to an upstream. */
export interface UpstreamConnection {
  readonly upstreamId: string;
  readonly socket: UpstreamSocket;
  /** Headers of its 101. */
  readonly headers: Headers;
  /** The request that opened it. */
  readonly prepared: PreparedRequest;
}

/** An upstream's refusal of a handshake. */
export interface RefusedDial {
  readonly kind: "refused";
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

export type DialReply = { readonly kind: "open"; readonly open: UpstreamConnection } | RefusedDial;

/** Dials one upstream. `moved`: another upstream had the session before. Never throws. */
export async function dialUpstream(
  { deps, settings }: ProxyContext,
  prepared: PreparedRequest,
  upstream: Upstream,
  { moved, signal }: { readonly moved: boolean; readonly signal: AbortSignal },
): Promise<SendResult<DialReply>> {
  if (moved) prepared.headers.delete(TURN_STATE);
  const dialled = await dial(prepared.url, prepared.headers, {
    signal,
    clock: deps.clock,
    egress: prepared.egress,
    timeoutMs: settings().timeouts.connectMs,
  });
  if (dialled.kind === "broken" || dialled.kind === "aborted") return dialled;
  const { headers } = dialled;
  const nowMs = deps.clock.now();
  const replied = (verdict: Verdict, reply: DialReply): SendResult<DialReply> => ({
    kind: "reply",
    verdict,
    reply,
    evidence: limitsOfHeaders(headers, nowMs),
    attempts: parseAttempts(headers.get(ATTEMPTS_HEADER)),
  });
  if (dialled.kind === "refused") {
    const failure = failureOfReply(dialled.status, headers, dialled.body, nowMs);
    const refused = { ...dialled, headers: downstreamHeaders(headers) };
    return replied(upstream.judge(failure, "handshake"), refused);
  }
  // A changed outbound proxy also applies to the next turn of an open socket.
  const isOpen = () => dialled.socket.isOpen() && prepared.isEgressCurrent();
  const socket: UpstreamSocket = { ...dialled.socket, isOpen };
  // An open socket says nothing about turns yet. The first output will.
  return replied(
    { kind: "open" },
    { kind: "open", open: { upstreamId: upstream.id, socket, headers, prepared } },
  );
}
