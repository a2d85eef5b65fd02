// Uses one upstream for one request: prepares the request with the upstream's credentials and sends it. If the upstream
// refuses the credentials, renews them once.

import type { QuotaEvidence } from "../core/quota.ts";
import type { Verdict } from "../core/verdict.ts";
import { messageOf } from "../errors.ts";
import type { EventLog } from "../state/events.ts";
import type { Lease } from "../upstream/leases.ts";
import { isTurnPath } from "../upstream/paths.ts";
import type { PreparedRequest, PrepareResult } from "../upstream/upstream.ts";
import type { Exchange } from "./exchange.ts";

/** The result of sending a request. */
export type SendResult<Reply> =
  | {
      readonly kind: "reply";
      readonly verdict: Verdict;
      readonly reply: Reply;
      /** The limits in the reply's headers. */
      readonly evidence: QuotaEvidence | undefined;
      /** Passing failures that a child proxy counted before it gave up. Default: 1. */
      readonly attempts?: number | undefined;
    }
  /** The connection failed, or broke before the reply could be judged. */
  | { readonly kind: "broken"; readonly why: string }
  /** The client disconnected. */
  | { readonly kind: "aborted" };

/** How a request is sent: a fetch, a WebSocket dial, or a turn on an open socket. */
export interface Transport<Reply> {
  /** The request that opened the connection to the lease's upstream; undefined if no connection can be reused. */
  reusable?(lease: Lease): PreparedRequest | undefined;
  send(prepared: PreparedRequest, lease: Lease): Promise<SendResult<Reply>>;
  /** Closes a reply that will not be used. */
  discard(reply: Reply): void;
}

export type UseResult<Reply> = SendResult<Reply> | Extract<PrepareResult, { kind: "unready" }>;

/** Sends the request of `exchange` to the lease's upstream. Throws only what `transport` throws. */
export async function useUpstream<Reply>(
  events: EventLog,
  exchange: Exchange,
  transport: Transport<Reply>,
  lease: Lease,
): Promise<UseResult<Reply>> {
  const first = await prepareAndSend(exchange, transport, lease);
  if (first.kind !== "reply" || first.verdict.kind !== "renew") return first;
  const { status } = first.verdict;
  const about = { req_id: exchange.incoming.requestId, ...lease.upstream.named };
  // The account is tried although it is cooling down, and refuses again. Renewing its token for every request would not
  // help.
  if (status === 403 && lease.choice.reason === "least-bad") return { ...first, verdict: FORBIDDEN };
  const renewal = await lease.upstream.renew(first.token);
  switch (renewal.kind) {
    case "dead":
      return { ...first, verdict: status === 403 ? FORBIDDEN : { kind: "disable", reason: renewal.reason } };
    case "failed":
      events.append("account.auth_refresh_failed", { ...about, error: renewal.why });
      return { ...first, verdict: coolFor(exchange, "auth-refresh-failed") };
    case "renewed": {
      events.append("account.auth_refreshed", about);
      transport.discard(first.reply);
      const second = await prepareAndSend(exchange, transport, lease, true);
      if (second.kind !== "reply" || second.verdict.kind !== "renew") return second;
      return { ...second, verdict: refusedAgain(second.verdict.status, exchange) };
    }
    default:
      return renewal satisfies never;
  }
}

/** The verdict on an upstream with a passing failure for which it named no time. */
export function coolFor({ cooldownMs }: Exchange, reason: string): Verdict {
  return { kind: "cool", reason, forMs: cooldownMs, isTimed: false };
}

// --- internal ---

/**
 * A 403 can concern the account or the request, and does not say which. So the account cools down for a long time.
 * Disabling it would require the user to enable it again.
 */
const FORBIDDEN: Verdict = { kind: "cool", reason: "http-403", forMs: 15 * 60_000, isTimed: true };

/**
 * The verdict if the renewed token is refused too. Outside the turn paths, the path is the likely reason, not the
 * account.
 */
function refusedAgain(status: number, { incoming }: Exchange): Verdict {
  const reason = `http-${status}`;
  if (!isTurnPath(incoming.path)) return { kind: "elsewhere", reason };
  return status === 403 ? FORBIDDEN : { kind: "disable", reason };
}

async function prepareAndSend<Reply>(
  exchange: Exchange,
  transport: Transport<Reply>,
  lease: Lease,
  isRenewed = false,
): Promise<
  | (Extract<SendResult<Reply>, { kind: "reply" }> & { readonly token: string })
  | Exclude<UseResult<Reply>, { kind: "reply" }>
> {
  const reusable = isRenewed ? undefined : transport.reusable?.(lease);
  const prepared = reusable ?? (await prepare(exchange, lease));
  if (prepared.kind === "unready") return prepared;
  exchange.sending();
  const sent = await transport.send(prepared, lease);
  return sent.kind === "reply" ? { ...sent, token: prepared.token } : sent;
}

/** Prepares the request. If a value from an account's files or backend cannot be sent, only that account fails. */
async function prepare(exchange: Exchange, lease: Lease): Promise<PrepareResult> {
  const outgoing = exchange.outgoing();
  try {
    return await lease.upstream.prepare(outgoing);
  } catch (error) {
    return { kind: "unready", verdict: coolFor(exchange, "unusable"), why: messageOf(error) };
  }
}
