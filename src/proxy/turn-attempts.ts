// The attempt loop for one turn of a WebSocket: its send is the turn's beginning on the socket that is open, or on one
// dialled for it.

import type { Choice } from "../core/policy.ts";
import type { Verdict } from "../core/verdict.ts";
import type { Lease } from "../upstream/leases.ts";
import type { Shortage } from "../upstream/shortage.ts";
import { attempt, type Job, type Outcome, type Ready, type Sent } from "./attempts.ts";
import { type Incoming, mostAttempts, originOf, type ProxyContext } from "./context.ts";
import { dialOnce, type Far, handshakeOf, type RefusedDial } from "./dial-account.ts";
import { poolLimitsEvent } from "./passes.ts";
import { portableRequest, turnRequestOf, withoutTurnState } from "./portable.ts";
import { asTold, eventWithAttempts, refusalEvent, refusalFor, speaksForAll } from "./refusal.ts";
import type { RequestFacts } from "./session.ts";
import { type BegunTurn, beginTurn } from "./socket-turn.ts";

/** The upstream's end of a tunnel. */
export interface TurnSocket {
  far(): Far;
  /** `far` takes the place of the one before, which is closed. */
  adopt(far: Far): void;
  /** Why its account was chosen when the client connected; undefined once a turn was served. */
  placed(): Choice | undefined;
  /** A turn was served. */
  served(): void;
}

export type TakenTurn =
  /** It has begun: `held` is for the client, and the lease is the caller's to release. */
  | {
      readonly kind: "begun";
      readonly lease: Lease;
      readonly held: readonly string[];
      readonly over: boolean;
      /** Credits the account for the first output, unless that was done. */
      readonly credit: () => void;
    }
  /** Only the client can repeat it. */
  | {
      readonly kind: "hand_over";
      readonly failure: TurnFailure | undefined;
      /** Why no account might take the turn even then. */
      readonly shortage: Shortage;
    }
  /** Nobody served it; `event` tells the client so. */
  | { readonly kind: "failed"; readonly event: string }
  /** It is larger than the backend accepts. Codex resends it over HTTP when it sees the close code. */
  | { readonly kind: "too_big"; readonly reason: string }
  | { readonly kind: "aborted" };

/** A failure before output, as the backend told it. */
export interface TurnFailure {
  /** The event for the client. */
  readonly event: string;
  /** The event's text when it is a usage limit. */
  readonly limitBody: string | undefined;
}

type Reply = Extract<BegunTurn, { kind: "begun" | "failed" | "too_big" }> | RefusedDial;

/** Takes the turn that `message` (a `response.create`) asks for. Never throws. */
export async function takeTurn(
  context: ProxyContext,
  incoming: Incoming,
  session: string | undefined,
  message: string,
  socket: TurnSocket,
  signal: AbortSignal,
): Promise<TakenTurn> {
  const { pool, settings } = context;
  const { requestId } = incoming;
  const { selfContained, warmsUp, model } = turnRequestOf(message);
  const origin = originOf(incoming, session, model);
  const { cooldownMs } = settings();
  const home = socket.far().upstreamId;
  const mustMove = pool.shouldMove(home, origin, !warmsUp);
  if (mustMove && !selfContained)
    return { kind: "hand_over", failure: undefined, shortage: pool.shortage(session, model) };

  let isSent = false;
  const tried = new Set<string>();
  const request = { ...origin, tried, spends: true, requestId };
  const job: Job<Reply> = {
    requestId,
    path: incoming.path,
    outgoing: (attemptsLeft) => handshakeOf(context, incoming, attemptsLeft),
    turn: !warmsUp,
    replayable: true,
    tried,
    maxAttempts: mostAttempts(context, incoming),
    cooldownMs,
    pick: (searching) => {
      if (tried.size === 0 && !mustMove) return pool.use(home, request, socket.placed());
      return selfContained ? pool.pick({ ...request, searching }) : undefined;
    },
    opened: (lease) => {
      const { upstreamId, socket: open, ready } = socket.far();
      return upstreamId === lease.upstream.id && open.isOpen() ? ready : undefined;
    },
    send: (ready, lease) => {
      const text = lease.upstream.id === home ? message : withoutTurnState(message);
      const moved = lease.upstream.id !== home;
      // Refused for its login, which is renewed by now: of no use to a turn that makes sense on the old socket alone.
      if (isSent && !selfContained) return Promise.resolve({ kind: "broken", why: "the login was renewed" });
      isSent = true;
      return sendTurn({ ...context, socket, signal }, ready, lease, { text, selfContained, moved });
    },
    // The socket stays: the next one takes its place when it is open.
    discard: () => {},
  };
  const outcome = await attempt(context, job);
  if (outcome.kind === "reply" && outcome.verdict.kind === "ok" && job.turn) socket.served();
  try {
    const turn: TurnFacts = { session, model, selfContained, turn: job.turn };
    return takenOf(context, incoming, turn, outcome);
  } catch (error) {
    if (outcome.kind === "reply") outcome.lease.release();
    throw error;
  }
}

// --- internal ---

interface SendContext extends ProxyContext {
  readonly socket: TurnSocket;
  readonly signal: AbortSignal;
}

interface TurnText {
  readonly text: string;
  readonly selfContained: boolean;
  /** Another account had the session before. */
  readonly moved: boolean;
}

/** Begins the turn on `lease`'s account: on its open socket, else on a new one. */
async function sendTurn(
  context: SendContext,
  ready: Ready,
  lease: Lease,
  turn: TurnText,
): Promise<Sent<Reply>> {
  const open = context.socket.far();
  const isOwn = open.upstreamId === lease.upstream.id && open.socket.isOpen();
  // Prepared anew: the login was renewed, and is of no use to what was opened before.
  if (!isOwn || (open.ready !== ready && turn.selfContained))
    return turn.selfContained
      ? sendOnNew(context, ready, lease, turn)
      : { kind: "broken", why: "the connection is closed" };
  const sent = await sendOn(context, open, lease, turn.text);
  // It may have been closed while it lay idle: that is no fault of anybody's.
  return sent.kind === "broken" && sent.stale && turn.selfContained
    ? sendOnNew(context, ready, lease, turn)
    : sent;
}

async function sendOnNew(
  context: SendContext,
  ready: Ready,
  lease: Lease,
  { text, moved }: TurnText,
): Promise<Sent<Reply>> {
  const dialled = await dialOnce(context, ready, lease.upstream, { moved, signal: context.signal });
  if (dialled.kind !== "reply") return dialled;
  const { reply } = dialled;
  if (reply.kind === "refused") return { ...dialled, reply };
  if (dialled.evidence !== undefined) lease.learn(dialled.evidence);
  context.socket.adopt(reply.far);
  return sendOn(context, reply.far, lease, text);
}

/** Begins the turn on `far`; when its input holds another account's ciphertext, once more without it. */
async function sendOn(
  context: SendContext,
  far: Far,
  lease: Lease,
  text: string,
  repaired = false,
): Promise<Exclude<Sent<Reply>, { kind: "broken" }> | Extract<BegunTurn, { kind: "broken" }>> {
  const { deps, settings, pool, signal } = context;
  const begun = await beginTurn(far.socket, text, {
    clock: deps.clock,
    timeouts: settings().timeouts,
    patienceMs: lease.upstream.patienceMs,
    signal,
    limits: (told, json) => {
      if (told.evidence !== undefined) lease.learn(told.evidence);
      return poolLimitsEvent(told, pool.usage()) ?? json;
    },
  });
  const reply = (verdict: Verdict, told: Reply, attempts?: number) => ({
    kind: "reply" as const,
    verdict,
    attempts,
    reply: told,
    evidence: undefined, // learnt as it came
  });
  switch (begun.kind) {
    case "begun":
      return reply({ kind: begun.by === "output" ? "ok" : "open" }, begun);
    case "failed": {
      const verdict = lease.upstream.judge(begun.failure, "turn");
      const portable =
        verdict.kind === "foreign_ciphertext" && !repaired && turnRequestOf(text).selfContained
          ? portableRequest(text)
          : undefined;
      return portable === undefined
        ? reply(verdict, begun, begun.failure.attempts)
        : sendOn(context, far, lease, portable, true);
    }
    case "too_big":
      return reply({ kind: "client" }, begun);
    case "broken":
    case "aborted":
      return begun;
    default:
      return begun satisfies never;
  }
}

/** The parts of a turn that its outcome depends on. */
interface TurnFacts extends RequestFacts {
  readonly selfContained: boolean;
  readonly turn: boolean;
}

function takenOf(
  context: ProxyContext,
  incoming: Incoming,
  taking: TurnFacts,
  outcome: Outcome<Reply>,
): TakenTurn {
  const { session, model, selfContained, turn } = taking;
  switch (outcome.kind) {
    case "aborted":
      return outcome;
    case "reply": {
      const { lease, reply, verdict } = outcome;
      if (reply.kind === "begun") {
        let isCredited = verdict.kind === "ok";
        const credit = () => {
          if (!isCredited) lease.settle({ kind: "ok" }, { turn });
          isCredited = true;
        };
        return { kind: "begun", lease, held: reply.held, over: reply.over, credit };
      }
      lease.release();
      return reply.kind === "too_big" ? reply : { kind: "failed", event: failureEvent(reply) };
    }
    case "failed": {
      const { last } = outcome;
      if (!selfContained) {
        const shortage = context.pool.shortage(session, model);
        return { kind: "hand_over", failure: last && failureOf(last.reply), shortage };
      }
      const event = refusalOf(context, taking, outcome);
      // A proxy in front counts what was tried for it already.
      return {
        kind: "failed",
        event: incoming.attemptsLeft === undefined ? event : eventWithAttempts(event, outcome.failures),
      };
    }
    default:
      return outcome satisfies never;
  }
}

/** What the client is told when nobody served the turn. */
function refusalOf(
  { pool, deps }: ProxyContext,
  { session, model }: RequestFacts,
  { last, brokenWhy }: Extract<Outcome<Reply>, { kind: "failed" }>,
): string {
  const shortage = pool.shortage(session, model);
  if (last !== undefined && isRefusal(last.reply) && shortage.kind === "all_tried") {
    const { verdict, reply } = last;
    // As the backend told it, unless it speaks of one account only: what Codex waits for by itself, or gives up.
    if (verdict.kind === "elsewhere" || (verdict.kind === "cool" && verdict.told && reply.kind === "failed"))
      return failureEvent(reply);
    if (verdict.kind === "foreign_ciphertext" && speaksForAll(shortage)) return failureEvent(reply);
  }
  const limitBody = last?.verdict.kind === "limit" ? failureOf(last.reply)?.limitBody : undefined;
  const about = { limitBody, usage: pool.usage(), brokenWhy };
  return refusalEvent(refusalFor(shortage, about, deps.clock.now()));
}

function failureOf(reply: Reply): TurnFailure | undefined {
  if (!isRefusal(reply)) return undefined;
  return { event: failureEvent(reply), limitBody: reply.kind === "failed" ? reply.message : reply.body };
}

/** The backend has said why it does not serve the turn. */
type RefusedReply = Extract<Reply, { kind: "failed" | "refused" }>;

function isRefusal(reply: Reply): reply is RefusedReply {
  return reply.kind === "failed" || reply.kind === "refused";
}

function failureEvent(reply: RefusedReply): string {
  if (reply.kind === "refused")
    return refusalEvent({ ...reply, code: "upstream", retryAfterSeconds: undefined });
  return asTold(reply.message, reply.failure);
}
