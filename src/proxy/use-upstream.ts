// One use of one upstream: the request is prepared with its credentials and sent. Credentials that the upstream refuses
// are renewed once.

import type { QuotaEvidence } from "../core/quota.ts";
import type { Verdict } from "../core/verdict.ts";
import { messageOf } from "../errors.ts";
import type { EventLog } from "../state/events.ts";
import type { Lease } from "../upstream/leases.ts";
import { isTurnPath } from "../upstream/paths.ts";
import type { Prepared } from "../upstream/upstream.ts";
import type { Exchange } from "./exchange.ts";

export type Ready = Extract<Prepared, { kind: "ready" }>;

/** The result of sending a request. */
export type Sent<Reply> =
  | {
      readonly kind: "reply";
      readonly verdict: Verdict;
      readonly reply: Reply;
      /** What its headers say about limits. */
      readonly evidence: QuotaEvidence | undefined;
      /** Passing failures that a child proxy met before it gave up; default: this one. */
      readonly attempts?: number | undefined;
    }
  /** There was no connection, or it broke before the reply could be judged. */
  | { readonly kind: "broken"; readonly why: string }
  /** The client disconnected. */
  | { readonly kind: "aborted" };

/** How a request is sent: a fetch, a WebSocket dial, or a turn on an open socket. */
export interface Transport<Reply> {
  /** How the open connection to the lease's upstream was prepared; undefined if there is none to use. */
  opened?(lease: Lease): Ready | undefined;
  send(ready: Ready, lease: Lease): Promise<Sent<Reply>>;
  /** Closes a reply that will not be used. */
  discard(reply: Reply): void;
}

export type Used<Reply> = Sent<Reply> | Extract<Prepared, { kind: "unready" }>;

/** Sends the request of `exchange` to the lease's upstream. Throws only what `transport` throws. */
export async function useUpstream<Reply>(
  events: EventLog,
  exchange: Exchange,
  transport: Transport<Reply>,
  lease: Lease,
): Promise<Used<Reply>> {
  const first = await prepareAndSend(exchange, transport, lease);
  if (first.kind !== "reply" || first.verdict.kind !== "renew") return first;
  const { status } = first.verdict;
  const about = { req_id: exchange.incoming.requestId, ...lease.upstream.named };
  // An account that is tried in spite of its rest answers the same again. Renewing its token for every request would
  // change nothing.
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

/** The verdict on an upstream that failed for a passing reason which it did not name itself. */
export function coolFor({ cooldownMs }: Exchange, reason: string): Verdict {
  return { kind: "cool", reason, forMs: cooldownMs, isTimed: false };
}

// --- internal ---

/**
 * A 403 can be about the account or about the request, and does not say which. So the account gets a long rest, which
 * ends by itself. Disabling it would need a person to enable it again.
 */
const FORBIDDEN: Verdict = { kind: "cool", reason: "http-403", forMs: 15 * 60_000, isTimed: true };

/** The verdict when a fresh token is refused as well. Off the turn paths that is more about the path than the account. */
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
  | (Extract<Sent<Reply>, { kind: "reply" }> & { readonly token: string })
  | Exclude<Used<Reply>, { kind: "reply" }>
> {
  const opened = isRenewed ? undefined : transport.opened?.(lease);
  const prepared = opened ?? (await prepare(exchange, lease));
  if (prepared.kind === "unready") return prepared;
  const sent = await transport.send(prepared, lease);
  return sent.kind === "reply" ? { ...sent, token: prepared.token } : sent;
}

/** A value in an account's files or from its backend may be impossible to send. Then only that account fails. */
async function prepare(exchange: Exchange, lease: Lease): Promise<Prepared> {
  const outgoing = exchange.outgoing();
  try {
    return await lease.upstream.prepare(outgoing);
  } catch (error) {
    return { kind: "unready", verdict: coolFor(exchange, "unusable"), why: messageOf(error) };
  }
}
