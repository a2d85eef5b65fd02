// The attempt loop, the same for every transport: pick an upstream, send, judge, settle; go round with another
// one until a reply is final or nobody is left. How to send is the caller's (a fetch, a WebSocket dial, a turn on an
// open socket).
//
//   what failed                         goes on to another one       counts against max_attempts and the retry budget
//   a limit, a login, a ciphertext      while there is one           no: it is the account's own, and lasts
//   a passing failure, the connection   while both allow it          yes
//   the least bad of those that rest    no                           -

import type { QuotaEvidence } from "../core/quota.ts";
import type { Verdict } from "../core/verdict.ts";
import { messageOf } from "../errors.ts";
import type { EventLog } from "../state/events.ts";
import type { Lease } from "../upstream/leases.ts";
import { isTurnPath } from "../upstream/paths.ts";
import type { Outgoing, Prepared } from "../upstream/upstream.ts";
import type { RetryBudget } from "./retry-budget.ts";

export type Ready = Extract<Prepared, { kind: "ready" }>;

/** What came of one send. */
export type Sent<Reply> =
  | {
      readonly kind: "reply";
      readonly verdict: Verdict;
      readonly reply: Reply;
      readonly evidence: QuotaEvidence | undefined;
      /** Passing failures that a child proxy met with before it gave up; default: this one. */
      readonly attempts?: number | undefined;
    }
  /** No connection, or it broke before anything of worth came. */
  | { readonly kind: "broken"; readonly why: string }
  /** The client went away meanwhile. */
  | { readonly kind: "aborted" };

export interface Job<Reply> {
  readonly requestId: number;
  readonly path: string;
  /** The request as any upstream can be asked, `attemptsLeft` passing failures before the loop gives up. */
  outgoing(attemptsLeft: number): Outgoing;
  /** A turn: it counts as a message once served. */
  readonly turn: boolean;
  /** May be sent to another upstream after a failure. */
  readonly replayable: boolean;
  /** Upstreams that failed already; the loop adds to it. */
  readonly tried: Set<string>;
  /** Passing failures after which the loop gives up. */
  readonly maxAttempts: number;
  /** How long an upstream rests after its connection failed for the first time, ms. */
  readonly cooldownMs: number;
  /**
   * The next upstream that has not been tried. `searching`: somebody could not decrypt the history, and whoever can is
   * looked for.
   */
  pick(searching: boolean): Lease | undefined;
  /** With what a connection was opened that the lease's upstream can be sent to over: nothing is prepared then. */
  opened?(lease: Lease): Ready | undefined;
  send(ready: Ready, lease: Lease): Promise<Sent<Reply>>;
  /** Closes a reply that is not going to be used. */
  discard(reply: Reply): void;
}

export type Outcome<Reply> =
  /** The reply to give to the client. The lease is the caller's to release. */
  | { readonly kind: "reply"; readonly lease: Lease; readonly reply: Reply; readonly verdict: Verdict }
  /** Nobody served it. `last`: the last upstream answer, if there was one. */
  | {
      readonly kind: "failed";
      readonly last: LastAnswer<Reply> | undefined;
      readonly brokenWhy: string | undefined;
      /** Passing failures that were met with. */
      readonly failures: number;
    }
  | { readonly kind: "aborted" };

export interface LastAnswer<Reply> {
  readonly verdict: Verdict;
  readonly reply: Reply;
}

export interface AttemptContext {
  readonly events: EventLog;
  readonly retries: RetryBudget;
}

export async function attempt<Reply>(context: AttemptContext, job: Job<Reply>): Promise<Outcome<Reply>> {
  const { events, retries } = context;
  /** The lease in use. It is released when the loop ends, however that happens, unless the caller gets its reply. */
  let current: Lease | undefined;
  const broken: Lease[] = [];
  let brokenWhy: string | undefined;
  let last: LastAnswer<Reply> | undefined;
  let endRetry: (() => void) | undefined;
  /** Somebody could not decrypt the history: it belongs to whoever can. */
  let isForeign = false;
  /** One account was asked for which only one more is worth asking. */
  let isLastTry = false;

  // Somebody answered: so the network works, and a broken connection was that upstream's own.
  const blameBroken = () => {
    for (const lease of broken)
      lease.settle({ kind: "cool", reason: "transport-error", forMs: job.cooldownMs, told: false });
    broken.length = 0;
  };

  /** After passing failures: whether another upstream may be tried. */
  const mayRetry = (lease: Lease, count = 1): boolean => {
    failures += count;
    // Everything rests: one of them is tried for each request, and the others are left in peace.
    if (!job.replayable || failures >= job.maxAttempts || lease.choice.reason === "least-bad") return false;
    endRetry?.();
    endRetry = retries.begin();
    if (endRetry === undefined) events.append("request.retry_denied", { req_id: job.requestId });
    return endRetry !== undefined;
  };

  const endUse = (): void => {
    current?.release();
    current = undefined;
  };

  const loop = async (): Promise<Outcome<Reply>> => {
    for (let count = 1; ; count++) {
      endUse();
      const lease = job.pick(isForeign);
      if (lease === undefined) break;
      current = lease;
      job.tried.add(lease.upstream.id);
      const about = { req_id: job.requestId, attempt: count, ...lease.upstream.named };
      events.append(SELECTED[lease.upstream.kind], {
        ...about,
        [NAME_FIELD[lease.upstream.kind]]: lease.upstream.label,
        switch_reason: lease.choice.reason,
        switched: lease.choice.switched,
      });
      const used = await use(context, job, lease, Math.max(1, job.maxAttempts - failures));
      if (used.kind === "aborted") {
        if (last !== undefined) job.discard(last.reply);
        events.append("request.canceled", about);
        return used;
      }
      if (used.kind === "broken") {
        broken.push(lease);
        brokenWhy = `${lease.upstream.where} could not be reached: ${used.why}`;
        events.append("request.transport_error", { ...about, error: used.why });
        if (!mayRetry(lease)) break;
        continue;
      }
      const fields = { attempt: count };
      if (used.kind === "unready") {
        events.append("request.account_unready", { ...about, error: used.why });
        lease.settle(used.verdict, { fields });
        continue;
      }
      blameBroken();
      if (used.evidence !== undefined) lease.learn(used.evidence);
      lease.settle(used.verdict, { turn: job.turn, held: isForeign, fields });
      if (isFinal(used.verdict)) {
        if (lease.choice.switched && used.verdict.kind === "ok")
          events.append("request.switched", {
            req_id: job.requestId,
            ...lease.upstream.named,
            switch_reason: lease.choice.reason,
          });
        if (last !== undefined) job.discard(last.reply);
        current = undefined;
        return { kind: "reply", lease, reply: used.reply, verdict: used.verdict };
      }
      endUse();
      if (last !== undefined) job.discard(last.reply);
      last = { verdict: used.verdict, reply: used.reply };
      isForeign ||= used.verdict.kind === "foreign_ciphertext";
      if (used.verdict.kind === "elsewhere" && used.verdict.once) {
        if (isLastTry) break;
        isLastTry = true;
      }
      if (isPassing(used.verdict) && !mayRetry(lease, used.attempts)) break;
    }
    return { kind: "failed", last, brokenWhy, failures };
  };

  let failures = 0;
  try {
    return await loop();
  } finally {
    endRetry?.();
    endUse();
  }
}

// --- internal ---

/** As the Go program, which does not tell of children there. */
const SELECTED = { account: "request.account_selected", child_proxy: "request.child_selected" } as const;
const NAME_FIELD = { account: "account_alias", child_proxy: "proxy_name" } as const;

type Used<Reply> = Sent<Reply> | Extract<Prepared, { kind: "unready" }>;

/** One use of one upstream: its credentials are renewed once when they are refused. */
async function use<Reply>(
  { events }: AttemptContext,
  job: Job<Reply>,
  lease: Lease,
  attemptsLeft: number,
): Promise<Used<Reply>> {
  const first = await prepareAndSend(job, lease, attemptsLeft);
  if (first.kind !== "reply" || first.verdict.kind !== "renew") return first;
  const { status } = first.verdict;
  // Tried in its rest, it says the same again: a new token for every request would not change it.
  if (status === 403 && lease.choice.reason === "least-bad") return { ...first, verdict: FORBIDDEN };
  const renewal = await lease.upstream.renew(first.token);
  switch (renewal.kind) {
    case "dead":
      return { ...first, verdict: status === 403 ? FORBIDDEN : { kind: "disable", reason: renewal.reason } };
    case "failed":
      events.append("account.auth_refresh_failed", {
        req_id: job.requestId,
        ...lease.upstream.named,
        error: renewal.why,
      });
      return {
        ...first,
        verdict: { kind: "cool", reason: "auth-refresh-failed", forMs: job.cooldownMs, told: false },
      };
    case "renewed": {
      events.append("account.auth_refreshed", { req_id: job.requestId, ...lease.upstream.named });
      job.discard(first.reply);
      const second = await prepareAndSend(job, lease, attemptsLeft, true);
      if (second.kind !== "reply" || second.verdict.kind !== "renew") return second;
      return { ...second, verdict: refusedAgain(second.verdict.status, job) };
    }
    default:
      return renewal satisfies never;
  }
}

/**
 * A 403 may be about the account or about what it was asked, and nothing in it says which: a long rest, after which
 * traffic finds out by itself, instead of an end that somebody has to undo.
 */
const FORBIDDEN: Verdict = { kind: "cool", reason: "http-403", forMs: 15 * 60_000, told: true };

/** A fresh token is refused as well. Off the turn paths that says more about the path than about the account. */
function refusedAgain<Reply>(status: number, job: Job<Reply>): Verdict {
  const reason = `http-${status}`;
  if (!isTurnPath(job.path)) return { kind: "elsewhere", reason };
  return status === 403 ? FORBIDDEN : { kind: "disable", reason };
}

async function prepareAndSend<Reply>(
  job: Job<Reply>,
  lease: Lease,
  attemptsLeft: number,
  renewed = false,
): Promise<
  | (Extract<Sent<Reply>, { kind: "reply" }> & { readonly token: string })
  | Exclude<Used<Reply>, { kind: "reply" }>
> {
  const opened = renewed ? undefined : job.opened?.(lease);
  const prepared = opened ?? (await prepare(job, lease, attemptsLeft));
  if (prepared.kind === "unready") return prepared;
  const sent = await job.send(prepared, lease);
  return sent.kind === "reply" ? { ...sent, token: prepared.token } : sent;
}

/** A value in an account's files or from its backend may be impossible to send. Only that account fails then. */
async function prepare<Reply>(job: Job<Reply>, lease: Lease, attemptsLeft: number): Promise<Prepared> {
  const outgoing = job.outgoing(attemptsLeft);
  try {
    return await lease.upstream.prepare(outgoing);
  } catch (error) {
    const verdict: Verdict = { kind: "cool", reason: "unusable", forMs: job.cooldownMs, told: false };
    return { kind: "unready", verdict, why: messageOf(error) };
  }
}

/** Final for the client: served, or nobody else would say anything else. */
function isFinal(verdict: Verdict): boolean {
  return verdict.kind === "ok" || verdict.kind === "open" || verdict.kind === "client";
}

/**
 * It may be gone in a moment. The others (a limit, a login, a history that cannot be read) were refused before anything
 * was done, so the request may go elsewhere even if it is not idempotent, and does so until it is served.
 */
function isPassing(verdict: Verdict): boolean {
  return verdict.kind === "cool" || verdict.kind === "elsewhere";
}
