// The attempt loop, the same for every transport: pick an upstream, send, judge, settle; then again with another
// upstream, until a reply is final or no upstream is left.
//
//   failure                              tries another upstream        counts against max_attempts and the retry budget
//   a limit, a login, a ciphertext       while there is one            no: it concerns one account, and lasts
//   state that the account lacks         up to four more               no: nothing has failed
//   a passing failure, the connection    while both allow it           yes
//   an account tried while cooling down  never                         -

import { isMissing, type Verdict } from "../core/verdict.ts";
import type { Deps } from "../deps.ts";
import type { EventFields, EventLog } from "../state/events.ts";
import type { Lease } from "../upstream/leases.ts";
import { attemptEndOf } from "./attempt-end.ts";
import type { Exchange } from "./exchange.ts";
import type { RetryBudget } from "./retry-budget.ts";
import { LONGEST_SLOT_WAIT_MS, type SlotQueue } from "./slot-queue.ts";
import { moveReasonOf } from "./turn/turn-recorder.ts";
import { coolFor, type SendResult, type Transport, type UseResult, useUpstream } from "./use-upstream.ts";

export type AttemptResult<Reply> =
  /** The reply for the client. The caller releases the lease. */
  | { readonly kind: "reply"; readonly lease: Lease; readonly reply: Reply; readonly verdict: Verdict }
  | UnservedRequest<Reply>
  /** The client disconnected. */
  | { readonly kind: "aborted" };

/** No upstream served the request. */
export interface UnservedRequest<Reply> {
  readonly kind: "unserved";
  /** The last reply of an upstream, if there was one. */
  readonly last: LastReply<Reply> | undefined;
  /** Why the last broken connection broke, if one did. */
  readonly brokenWhy: string | undefined;
}

export interface LastReply<Reply> {
  readonly verdict: Verdict;
  readonly reply: Reply;
}

export interface AttemptContext {
  readonly deps: Pick<Deps, "clock">;
  readonly slots: Pick<SlotQueue, "serve" | "wait">;
  readonly events: EventLog;
  readonly retries: RetryBudget;
}

/** Tries upstreams for `exchange`. Throws only what `transport` throws; every lease is released then. */
export async function attempt<Reply>(
  context: AttemptContext,
  exchange: Exchange,
  transport: Transport<Reply>,
): Promise<AttemptResult<Reply>> {
  const attempts = createAttempts(context, exchange, transport);
  const { deps, slots } = context;
  const { clock } = deps;
  /** The bound is for all waits of the request together. */
  let queuedMs = 0;
  try {
    for (let count = 1; ; count++) {
      slots.serve();
      let lease = exchange.pick();
      const turn = lease === undefined ? exchange.queued() : undefined;
      if (turn !== undefined) {
        const sinceAt = clock.monotonic();
        const end = await slots.wait(turn, LONGEST_SLOT_WAIT_MS - queuedMs);
        queuedMs += clock.monotonic() - sinceAt;
        exchange.waited();
        if (end === "left") return attempts.left();
        if (end !== "none") lease = end;
      }
      if (lease === undefined) return attempts.unserved();
      let isGiven = false;
      try {
        attempts.selected(lease, count);
        const result = await useUpstream(context.events, exchange, transport, lease);
        const step = attempts.judge(lease, result, count);
        isGiven = step !== "again" && step.kind === "reply";
        if (step !== "again") return step;
      } finally {
        if (!isGiven) lease.release();
      }
    }
  } finally {
    attempts.end();
  }
}

// --- internal ---

/** As in the Go program, which does not mention children in these events. */
const SELECTED = { account: "request.account_selected", child_proxy: "request.child_selected" } as const;
const NAME_FIELD = { account: "account_alias", child_proxy: "proxy_name" } as const;

/** The state of the attempts for one request. */
function createAttempts<Reply>(
  { events, retries }: AttemptContext,
  exchange: Exchange,
  { discard }: Transport<Reply>,
) {
  const { requestId } = exchange.incoming;
  const broken: Lease[] = [];
  let brokenWhy: string | undefined;
  let last: LastReply<Reply> | undefined;
  /** True once an upstream has failed. */
  let hasFailed = false;
  let endRetry: (() => void) | undefined;
  /** A verdict allowed one more account. */
  let isLastTry = false;

  const unserved = (): UnservedRequest<Reply> => ({ kind: "unserved", last, brokenWhy });

  /** An upstream has replied, so the network works: a broken connection was that upstream's own fault. */
  const blameBroken = (): void => {
    if (exchange.stateSearch === undefined)
      for (const lease of broken) lease.settle(coolFor(exchange, "transport-error"));
    broken.length = 0;
  };

  /** Whether another upstream may be tried after `failures` passing failures on `lease`. */
  const mayRetry = (lease: Lease, failures = 1): boolean => {
    // When all upstreams are cooling down, each request tries only one of them.
    if (!exchange.fail(failures) || !exchange.isReplayable || lease.choice.reason === "least-bad")
      return false;
    endRetry?.();
    endRetry = retries.begin();
    if (endRetry === undefined) events.append("request.retry_denied", { req_id: requestId });
    return endRetry !== undefined;
  };

  /** Handles the reply of an upstream that does not have the state that was asked for. */
  const missing = (lease: Lease, { verdict, reply }: SendResult<Reply> & { kind: "reply" }) => {
    const mayAskAnother = exchange.stateSearch?.missed() === true;
    // The state may be on an upstream that failed, so the client must not learn that there is none.
    if (hasFailed) discard(reply);
    else {
      if (last !== undefined) discard(last.reply);
      last = { verdict, reply };
    }
    if (mayAskAnother) return "again";
    return hasFailed ? unserved() : ({ kind: "reply", lease, reply, verdict } as const);
  };

  const replied = (lease: Lease, sent: SendResult<Reply> & { kind: "reply" }, count: number) => {
    const { verdict, reply, evidence } = sent;
    blameBroken();
    if (evidence !== undefined) lease.learn(evidence);
    if (verdict.kind === "ok") exchange.served(lease);
    else lease.settle(verdict, { fields: { attempt: count } });
    if (isMissing(verdict)) return missing(lease, sent);
    if (last !== undefined) discard(last.reply);
    if (isFinal(verdict)) return { kind: "reply", lease, reply, verdict } as const;
    hasFailed = true;
    last = { verdict, reply };
    exchange.recorder?.moves(moveReasonOf(verdict));
    if (verdict.kind === "foreign_ciphertext") exchange.search();
    if (verdict.kind === "elsewhere" && verdict.once) {
      if (isLastTry) return unserved();
      isLastTry = true;
    }
    return isPassing(verdict) && !mayRetry(lease, sent.attempts) ? unserved() : "again";
  };

  /** The client has disconnected. */
  const aborted = (about: EventFields): { readonly kind: "aborted" } => {
    if (last !== undefined) discard(last.reply);
    events.append("request.canceled", about);
    return { kind: "aborted" };
  };

  return {
    unserved,
    /** The client disconnected while the turn waited for a slot. */
    left: () => aborted({ req_id: requestId }),
    selected: ({ upstream, choice }: Lease, count: number): void =>
      events.append(SELECTED[upstream.kind], {
        [NAME_FIELD[upstream.kind]]: upstream.label,
        ...upstream.named,
        attempt: count,
        req_id: requestId,
        session: exchange.facts.session,
        switch_reason: choice.reason,
        // A request that is not a turn moves nothing.
        switched: exchange.isMessage && choice.switched,
      }),
    /** Settles one use. Returns the outcome of the request, or "again" for another upstream. */
    judge: (lease: Lease, result: UseResult<Reply>, count: number): AttemptResult<Reply> | "again" => {
      const about = { req_id: requestId, attempt: count, ...lease.upstream.named };
      exchange.attempted(lease, attemptEndOf(result));
      switch (result.kind) {
        case "aborted":
          return aborted(about);
        case "broken":
          broken.push(lease);
          hasFailed = true;
          exchange.recorder?.moves("transport-error");
          brokenWhy = `${lease.upstream.where} could not be reached: ${result.why}`;
          events.append("request.transport_error", { ...about, error: result.why });
          return mayRetry(lease) ? "again" : unserved();
        case "unready":
          hasFailed = true;
          events.append("request.account_unready", { ...about, error: result.why });
          lease.settle(result.verdict, { fields: { attempt: count } });
          exchange.recorder?.moves(moveReasonOf(result.verdict));
          return "again";
        case "reply":
          return replied(lease, result, count);
        default:
          return result satisfies never;
      }
    },
    /** The attempts are over. */
    end: (): void => endRetry?.(),
  };
}

/** True if the client gets the reply: it was served, or another upstream would return the same. */
function isFinal({ kind }: Verdict): boolean {
  return kind === "ok" || kind === "open" || kind === "client";
}

/**
 * True if the failure may be over in a moment. All other failures (a limit, a login, an unreadable history) are
 * refusals before the upstream did anything, so even a request that is not idempotent can go to another upstream.
 */
function isPassing({ kind }: Verdict): boolean {
  return kind === "cool" || kind === "elsewhere";
}
