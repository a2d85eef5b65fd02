// The members of the pool: an upstream with its live state, and what choosing and pooling need to know of it.
// That is computed again only for members that something happened to, so that a thousand accounts at rest cost a
// request next to nothing.

import { identityMarkOf } from "../auth/identity.ts";
import type { Capacity } from "../core/capacity.ts";
import { type Health, healthAt } from "../core/health.ts";
import type { Candidate, PolicySettings } from "../core/policy.ts";
import type { AccountFacts, PooledAccount } from "../core/pooled.ts";
import type { Quota, QuotaView } from "../core/quota.ts";
import type { Ramp } from "../core/slow-start.ts";
import type { Standing } from "../core/standing.ts";
import type { AccountRecord } from "../state/store.ts";
import type { LiveState, Upstream } from "./upstream.ts";

export interface Member {
  readonly record: LiveState;
  readonly upstream: Upstream;
  /** Requests under way. */
  inFlight: number;
  /** How many may be, while it recovers from a rest. */
  ramp: Ramp;
  /** What was computed of it last. */
  seen: Seen | undefined;
}

/** A member that is an enrolled account. */
export interface AccountMember extends Member {
  readonly record: AccountRecord;
}

/** A candidate, and what it was computed from. */
interface Seen {
  readonly health: Health;
  readonly quota: Quota;
  readonly figures: object;
  readonly draining: boolean;
  readonly inFlight: number;
  readonly ramp: Ramp;
  readonly weights: PolicySettings["weights"];
  readonly ttlMs: number;
  readonly goodUntilMs: number;
  readonly capacity: Capacity;
  readonly standing: Standing;
  readonly candidate: Candidate;
}

/** The members as choosing sees them, in their order. */
export interface Roster {
  /** Whoever is a member from now on; to be told as well when anything of a record was changed outside of the pool. */
  set(members: readonly Member[]): void;
  /** Something happened to `member`. */
  touch(member: Member): void;
  /** The same array every time, brought up to date. */
  candidates(weights: PolicySettings["weights"], view: QuotaView): readonly Candidate[];
}

export function createRoster(): Roster {
  const touched = new Set<Member>();
  const indexes = new Map<Member, number>();
  const seen: Candidate[] = [];
  let members: readonly Member[] = [];
  let asked: { readonly weights: PolicySettings["weights"]; readonly ttlMs: number } | undefined;
  /** From then on time alone has made another candidate of one of them. */
  let goodUntilMs = 0;
  const put = (member: Member, index: number, view: QuotaView, weights: PolicySettings["weights"]): void => {
    const { candidate, goodUntilMs: untilMs } = look(member, weights, view);
    seen[index] = candidate;
    goodUntilMs = Math.min(goodUntilMs, untilMs);
  };
  return {
    set: (now) => {
      members = now;
      asked = undefined;
      indexes.clear();
      members.forEach((member, index) => {
        indexes.set(member, index);
      });
    },
    touch: (member) => touched.add(member),
    candidates: (weights, view) => {
      if (asked?.weights !== weights || asked.ttlMs !== view.ttlMs || goodUntilMs <= view.nowMs) {
        goodUntilMs = Number.POSITIVE_INFINITY;
        seen.length = members.length;
        members.forEach((member, index) => {
          put(member, index, view, weights);
        });
        asked = { weights, ttlMs: view.ttlMs };
      } else
        for (const member of touched) {
          const index = indexes.get(member);
          if (index !== undefined) put(member, index, view, weights);
        }
      touched.clear();
      return seen;
    },
  };
}

export function newMember<State extends LiveState, Of extends Upstream>(
  record: State,
  upstream: Of,
): Member & { readonly record: State; readonly upstream: Of } {
  return { record, upstream, inFlight: 0, ramp: undefined, seen: undefined };
}

/** Why the member cannot serve, where that is known in advance. */
export function whyClosed(
  member: Member,
  weights: PolicySettings["weights"],
  view: QuotaView,
): string | undefined {
  return look(member, weights, view).capacity.why;
}

/** The member as pooling sees it now. Health and figures of a record are replaced, never changed in depth. */
export function pooledAccountOf(
  member: Member,
  weights: PolicySettings["weights"],
  view: QuotaView,
): PooledAccount {
  return look(member, weights, view);
}

export function factsOf(
  member: AccountMember,
  weights: PolicySettings["weights"],
  view: QuotaView,
): AccountFacts {
  const { record, ramp, inFlight } = member;
  return factsOfRecord(record, { standing: look(member, weights, view).standing, ramp, inFlight });
}

/** The facts of an account: those of its record, and what only a running proxy knows. */
export function factsOfRecord(
  record: AccountRecord,
  live: Pick<AccountFacts, "standing" | "ramp" | "inFlight">,
): AccountFacts {
  return {
    id: record.id,
    alias: record.alias,
    email: record.email,
    identity: identityMarkOf(record),
    health: record.health,
    draining: record.draining,
    quota: record.quota,
    lastUsedMs: record.lastUsedMs,
    lastSwitchReason: record.lastSwitchReason,
    ...live,
  };
}

// --- internal ---

function look(member: Member, weights: PolicySettings["weights"], view: QuotaView): Seen {
  const { seen, record } = member;
  if (
    seen !== undefined &&
    seen.goodUntilMs > view.nowMs &&
    seen.health === record.health &&
    seen.figures === member.upstream.figures() &&
    seen.inFlight === member.inFlight &&
    seen.ramp === member.ramp &&
    seen.draining === record.draining &&
    seen.weights === weights &&
    seen.ttlMs === view.ttlMs
  )
    return seen;
  const fresh = judged(member, weights, view);
  member.seen = fresh;
  return fresh;
}

function judged(member: Member, weights: PolicySettings["weights"], view: QuotaView): Seen {
  const { record, upstream, seen, inFlight, ramp } = member;
  const { health, quota, draining } = record;
  const figures = upstream.figures();
  const isSame =
    seen?.figures === figures &&
    seen.capacity.standing.goodUntilMs > view.nowMs &&
    seen.ttlMs === view.ttlMs &&
    seen.weights === weights;
  const capacity = isSame ? seen.capacity : upstream.capacity(view, weights);
  const { standing } = capacity;
  const now = healthAt(health, view.nowMs);
  return {
    health,
    quota,
    figures,
    draining,
    inFlight,
    ramp,
    weights,
    ttlMs: view.ttlMs,
    goodUntilMs: now.kind === "cooling" ? Math.min(now.untilMs, standing.goodUntilMs) : standing.goodUntilMs,
    capacity,
    standing,
    candidate: {
      id: record.id,
      // Its own health comes first: what is known in advance is older.
      state: now.kind === "healthy" ? capacity.state : stateOf(now),
      exhausted: standing.exhausted,
      draining,
      full: ramp !== undefined && inFlight >= ramp,
      inFlight,
      score: capacity.score,
      primary: standing.primary,
      secondary: standing.secondary,
      untilMs: now.kind === "cooling" ? now.untilMs : capacity.untilMs,
    },
  };
}

function stateOf(health: Health): Candidate["state"] {
  switch (health.kind) {
    case "healthy":
      return "available";
    case "cooling":
      return health.cause === "limit" ? "limited" : "resting";
    case "disabled":
      return "disabled";
    default:
      return health satisfies never;
  }
}
