// The members of the pool: an upstream with its live state, and what choosing and pooling need to know of it.
// That is computed again only for members that something happened to, so that a thousand accounts at rest cost a
// request next to nothing.

import { identityMarkOf } from "../auth/identity.ts";
import type { Capacity, CapacityView } from "../core/capacity.ts";
import { HEALTHY, type Health, healthAt } from "../core/health.ts";
import type { Candidate } from "../core/policy.ts";
import type { AccountFacts, PooledAccount } from "../core/pooled.ts";
import type { Quota } from "../core/quota.ts";
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
  readonly asked: CandidateSettings;
  readonly goodUntilMs: number;
  readonly capacity: Capacity;
  readonly standing: Standing;
  readonly candidate: Candidate;
}

/** The settings that a candidate depends on. */
type CandidateSettings = Pick<CapacityView, "weights" | "ttlMs" | "useCredits">;

/** The members as choosing sees them, in their order. */
export interface Roster {
  /** Sets the members. Call it also after a record was changed outside the pool. */
  set(members: readonly Member[]): void;
  /** Something happened to `member`. */
  touch(member: Member): void;
  /** Usually the same array every time, updated in place. */
  candidates(view: CapacityView): readonly Candidate[];
}

export function createRoster(): Roster {
  const touched = new Set<Member>();
  const indexes = new Map<Member, number>();
  const seen: Candidate[] = [];
  let members: readonly Member[] = [];
  let asked: CandidateSettings | undefined;
  /** From then on time alone has made another candidate of one of them. */
  let goodUntilMs = 0;
  const put = (member: Member, index: number, view: CapacityView): void => {
    const { candidate, goodUntilMs: untilMs } = look(member, view);
    seen[index] = candidate;
    goodUntilMs = Math.min(goodUntilMs, untilMs);
  };
  const byMainLimit = (view: CapacityView): readonly Candidate[] => {
    if (asked === undefined || !isSameSettings(asked, view) || goodUntilMs <= view.nowMs) {
      goodUntilMs = Number.POSITIVE_INFINITY;
      seen.length = members.length;
      members.forEach((member, index) => {
        put(member, index, view);
      });
      asked = view;
    } else
      for (const member of touched) {
        const index = indexes.get(member);
        if (index !== undefined) put(member, index, view);
      }
    touched.clear();
    return seen;
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
    candidates: (view) => {
      const all = byMainLimit(view);
      if (view.model === undefined || !members.some((member) => hasOwnLimit(member, view))) return all;
      return members.map((member, index) => {
        const main = all[index];
        if (main !== undefined && !hasOwnLimit(member, view)) return main;
        return candidateOf(member, member.upstream.capacity(view), healthOnOwnLimit(member, view));
      });
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
export function whyClosed(member: Member, view: CapacityView): string | undefined {
  const { upstream } = member;
  return (hasOwnLimit(member, view) ? upstream.capacity(view) : look(member, view).capacity).why;
}

/** The member's health with regard to `view.model`. */
export function healthFor(member: Member, view: CapacityView): Health {
  return hasOwnLimit(member, view) ? healthOnOwnLimit(member, view) : member.record.health;
}

/** The member as pooling sees it now. Health and figures of a record are replaced, never changed in depth. */
export function pooledAccountOf(member: Member, view: CapacityView): PooledAccount {
  return look(member, view);
}

/** `workspaces`: short workspace ids to show, by alias. */
export function factsOf(
  member: AccountMember,
  view: CapacityView,
  workspaces: ReadonlyMap<string, string>,
): AccountFacts {
  const { record, ramp, inFlight } = member;
  const { standing } = look(member, view);
  return factsOfRecord(record, { standing, ramp, inFlight, workspace: workspaces.get(record.alias) });
}

/** The facts of an account: those of its record, and what only a running proxy knows. */
export function factsOfRecord(
  record: AccountRecord,
  live: Pick<AccountFacts, "standing" | "ramp" | "inFlight" | "workspace">,
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

/** The facts of `member` by its main limit. */
function look(member: Member, view: CapacityView): Seen {
  const { seen, record } = member;
  if (
    seen !== undefined &&
    seen.goodUntilMs > view.nowMs &&
    seen.health === record.health &&
    seen.figures === member.upstream.figures() &&
    seen.inFlight === member.inFlight &&
    seen.ramp === member.ramp &&
    seen.draining === record.draining &&
    isSameSettings(seen.asked, view)
  )
    return seen;
  const fresh = judged(member, { ...view, model: undefined });
  member.seen = fresh;
  return fresh;
}

function judged(member: Member, view: CapacityView): Seen {
  const { record, upstream, seen, inFlight, ramp } = member;
  const { health, quota, draining } = record;
  const figures = upstream.figures();
  const isSame =
    seen?.figures === figures &&
    seen.capacity.standing.goodUntilMs > view.nowMs &&
    isSameSettings(seen.asked, view);
  const capacity = isSame ? seen.capacity : upstream.capacity(view);
  const { standing } = capacity;
  const now = healthAt(health, view.nowMs);
  return {
    health,
    quota,
    figures,
    draining,
    inFlight,
    ramp,
    asked: view,
    goodUntilMs: now.kind === "cooling" ? Math.min(now.untilMs, standing.goodUntilMs) : standing.goodUntilMs,
    capacity,
    standing,
    candidate: candidateOf(member, capacity, now),
  };
}

function candidateOf(
  { record, inFlight, ramp }: Member,
  { state, standing, score, untilMs }: Capacity,
  now: Health,
): Candidate {
  return {
    id: record.id,
    // The current health wins over the state that was computed in advance.
    state: now.kind === "healthy" ? state : stateOf(now),
    exhausted: standing.exhausted,
    credits: standing.credits,
    draining: record.draining,
    full: ramp !== undefined && inFlight >= ramp,
    inFlight,
    score,
    windows: standing.windows,
    untilMs: now.kind === "cooling" ? now.untilMs : untilMs,
  };
}

/** True when a limit other than the main one counts for `view.model`. */
function hasOwnLimit({ upstream }: Member, view: CapacityView): boolean {
  return view.model !== undefined && upstream.ownLimit(view) !== undefined;
}

/** A refusal on the main limit does not apply to a model with its own limit. */
function healthOnOwnLimit({ record }: Member, { nowMs }: CapacityView): Health {
  const now = healthAt(record.health, nowMs);
  return now.kind === "cooling" && now.cause === "limit" ? HEALTHY : now;
}

function isSameSettings(a: CandidateSettings, b: CandidateSettings): boolean {
  return a.weights === b.weights && a.ttlMs === b.ttlMs && a.useCredits === b.useCredits;
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
