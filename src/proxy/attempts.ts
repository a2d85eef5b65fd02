// The attempt loop, the same for every transport: pick an upstream, send, judge, settle; go round with another
// one until a reply is final or nobody is left. How to send is the caller's (a fetch, a WebSocket dial).

import type { QuotaEvidence } from "../core/quota.ts";
import type { Verdict } from "../core/verdict.ts";
import type { EventLog } from "../state/events.ts";
import type { Lease, Pool } from "../upstream/pool.ts";
import type { Outgoing, Prepared } from "../upstream/upstream.ts";

export type Ready = Extract<Prepared, { kind: "ready" }>;

/** What came of one send. */
export type Sent<Reply> =
  | {
      readonly kind: "reply";
      readonly verdict: Verdict;
      readonly reply: Reply;
      readonly evidence: QuotaEvidence | undefined;
    }
  /** No connection, or it broke before anything of worth came. */
  | { readonly kind: "broken"; readonly why: string }
  /** The client went away meanwhile. */
  | { readonly kind: "aborted" };

export interface Job<Reply> {
  readonly requestId: number;
  readonly session: string | undefined;
  readonly outgoing: Outgoing;
  /** A turn: it counts as a message once served. */
  readonly turn: boolean;
  /** It uses the accounts' allowance. */
  readonly spends: boolean;
  /** May be sent to another upstream after a failure. */
  readonly replayable: boolean;
  /** Upstreams that failed already; the loop adds to it. */
  readonly tried: Set<string>;
  /** Passing failures after which the loop gives up. */
  readonly maxAttempts: number;
  /** How long an upstream rests after its connection failed, ms. */
  readonly cooldownMs: number;
  send(ready: Ready, lease: Lease): Promise<Sent<Reply>>;
  /** Closes a reply that is not going to be used. */
  discard(reply: Reply): void;
}

export type Outcome<Reply> =
  /** The reply to give to the client. The lease is the caller's to release. */
  | { readonly kind: "reply"; readonly lease: Lease; readonly reply: Reply }
  /** Nobody served it. `last`: the last upstream answer, if there was one. */
  | {
      readonly kind: "failed";
      readonly last: LastAnswer<Reply> | undefined;
      readonly brokenWhy: string | undefined;
    }
  | { readonly kind: "aborted" };

export interface LastAnswer<Reply> {
  readonly verdict: Verdict;
  readonly reply: Reply;
}

export interface AttemptContext {
  readonly pool: Pool;
  readonly events: EventLog;
}

export async function attempt<Reply>(context: AttemptContext, job: Job<Reply>): Promise<Outcome<Reply>> {
  const { pool, events } = context;
  const broken: Lease[] = [];
  let brokenWhy: string | undefined;
  let last: LastAnswer<Reply> | undefined;

  // Somebody answered: so the network works, and a broken connection was that upstream's own.
  const blameBroken = () => {
    for (const lease of broken)
      lease.settle({ kind: "cool", reason: "transport-error", forMs: job.cooldownMs });
    broken.length = 0;
  };

  // Each pick takes an upstream that was not tried yet, so the loop ends with the pool at the latest. A refusal for
  // a limit or a login is an account's own and cheap, and is not counted: no limit is told while one account has room.
  let failures = 0;
  for (let count = 1; failures < job.maxAttempts; count++) {
    const lease = pool.pick({
      session: job.session,
      tried: job.tried,
      spends: job.spends,
      requestId: job.requestId,
    });
    if (lease === undefined) {
      events.append("request.selection_failed", {
        req_id: job.requestId,
        attempt: count,
        error: pool.shortage().kind,
      });
      break;
    }
    job.tried.add(lease.upstream.id);
    events.append("request.account_selected", {
      req_id: job.requestId,
      attempt: count,
      account_id: lease.upstream.id,
      account_alias: lease.upstream.label,
      switch_reason: lease.choice.reason,
      switched: lease.choice.switched,
    });
    const used = await use(context, job, lease);
    if (used.kind === "aborted") {
      lease.release();
      if (last !== undefined) job.discard(last.reply);
      events.append("request.canceled", {
        req_id: job.requestId,
        attempt: count,
        account_id: lease.upstream.id,
      });
      return used;
    }
    if (used.kind === "broken") {
      lease.release();
      failures++;
      broken.push(lease);
      brokenWhy = used.why;
      events.append("request.transport_error", {
        req_id: job.requestId,
        attempt: count,
        account_id: lease.upstream.id,
        error: used.why,
      });
      if (!job.replayable) break;
      continue;
    }
    const fields = { attempt: count };
    if (used.kind === "unready") {
      lease.settle(used.verdict, { fields });
      lease.release();
      continue;
    }
    blameBroken();
    if (used.evidence !== undefined) lease.learn(used.evidence);
    lease.settle(used.verdict, { turn: job.turn, fields });
    if (isFinal(used.verdict, job)) {
      if (lease.choice.switched && used.verdict.kind === "ok")
        events.append("request.switched", {
          req_id: job.requestId,
          account_id: lease.upstream.id,
          switch_reason: lease.choice.reason,
        });
      if (last !== undefined) job.discard(last.reply);
      return { kind: "reply", lease, reply: used.reply };
    }
    lease.release();
    if (used.verdict.kind === "cool" || used.verdict.kind === "elsewhere") failures++;
    if (last !== undefined) job.discard(last.reply);
    last = { verdict: used.verdict, reply: used.reply };
  }
  return { kind: "failed", last, brokenWhy };
}

// --- internal ---

type Used<Reply> = Sent<Reply> | { readonly kind: "unready"; readonly verdict: Verdict };

/** One use of one upstream: its credentials are renewed once when they are refused. */
async function use<Reply>({ events }: AttemptContext, job: Job<Reply>, lease: Lease): Promise<Used<Reply>> {
  const first = await prepareAndSend(job, lease);
  if (first.kind !== "reply" || first.verdict.kind !== "renew") return first;
  const { status } = first.verdict;
  const renewal = await lease.upstream.renew(first.token);
  switch (renewal.kind) {
    case "dead":
      return { ...first, verdict: status === 403 ? FORBIDDEN : { kind: "disable", reason: renewal.reason } };
    case "failed":
      events.append("account.auth_refresh_failed", {
        req_id: job.requestId,
        account_id: lease.upstream.id,
        error: renewal.why,
      });
      return { ...first, verdict: { kind: "cool", reason: "auth-refresh-failed", forMs: job.cooldownMs } };
    case "renewed": {
      events.append("account.auth_refreshed", { req_id: job.requestId, account_id: lease.upstream.id });
      job.discard(first.reply);
      const second = await prepareAndSend(job, lease);
      if (second.kind !== "reply" || second.verdict.kind !== "renew") return second;
      return { ...second, verdict: refusedAgain(second.verdict.status, job, lease) };
    }
    default:
      return renewal satisfies never;
  }
}

/**
 * A 403 may be about the account or about what it was asked, and nothing in it says which: a long rest, after which
 * traffic finds out by itself, instead of an end that somebody has to undo.
 */
const FORBIDDEN: Verdict = { kind: "cool", reason: "http-403", forMs: 15 * 60_000 };

/** A fresh token is refused as well. Off the turn paths that says more about the path than about the account. */
function refusedAgain<Reply>(status: number, job: Job<Reply>, lease: Lease): Verdict {
  const reason = `http-${status}`;
  if (lease.upstream.scope(job.outgoing.path) !== "turn") return { kind: "elsewhere", reason };
  return status === 403 ? FORBIDDEN : { kind: "disable", reason };
}

async function prepareAndSend<Reply>(
  job: Job<Reply>,
  lease: Lease,
): Promise<
  | (Extract<Sent<Reply>, { kind: "reply" }> & { readonly token: string })
  | Exclude<Used<Reply>, { kind: "reply" }>
> {
  const prepared = await lease.upstream.prepare(job.outgoing);
  if (prepared.kind === "unready") return { kind: "unready", verdict: prepared.verdict };
  const sent = await job.send(prepared, lease);
  return sent.kind === "reply" ? { ...sent, token: prepared.token } : sent;
}

function isFinal<Reply>(verdict: Verdict, job: Job<Reply>): boolean {
  switch (verdict.kind) {
    case "ok":
    case "client":
    case "foreign_ciphertext":
      return true;
    case "limit":
    case "disable":
    case "renew":
      // The request was refused before it did anything, so it may go elsewhere even if it is not idempotent.
      return false;
    case "cool":
    case "elsewhere":
      return !job.replayable;
    default:
      return verdict satisfies never;
  }
}
