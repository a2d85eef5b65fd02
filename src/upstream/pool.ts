// The set of upstreams with their live state: picks one for a request, takes back what came of it. All of it is
// synchronous and in memory. The rules are pure (core/policy.ts); here they get their facts.

import { coolingLeftMs, type Health, type HealthEvent, healthAt } from "../core/health.ts";
import { type Candidate, type Choice, choose, type PolicySettings, score } from "../core/policy.ts";
import type { AccountFacts } from "../core/pooled.ts";
import { exhausted, type QuotaEvidence, type QuotaView } from "../core/quota.ts";
import type { PoolFacts } from "../core/status.ts";
import type { Verdict } from "../core/verdict.ts";
import type { Deps } from "../deps.ts";
import type { EventFields, EventLog } from "../state/events.ts";
import type { AccountRecord, Store } from "../state/store.ts";
import type { Affinity } from "./affinity.ts";
import { createLedger } from "./ledger.ts";
import type { Upstream } from "./upstream.ts";

export interface PoolSettings {
  readonly proxyName: string;
  readonly policy: PolicySettings & { readonly affinity: boolean };
  /** Figures older than this are unknown, ms. */
  readonly quotaTtlMs: number;
}

export interface PickRequest {
  /** The session key, if the request has one. */
  readonly session: string | undefined;
  /** Upstreams that already failed this request. */
  readonly tried: ReadonlySet<string>;
  /** It uses the allowance; what does not, an account without any can serve as well. */
  readonly spends: boolean;
  /** Goes into the events of this use. */
  readonly requestId: number;
}

/** One use of one upstream. Settle it as often as something is learnt; release it exactly when the use ends. */
export interface Lease {
  readonly upstream: Upstream;
  readonly choice: Choice;
  readonly startedMs: number;
  /** Applies what a reply or event meant. */
  settle(verdict: Verdict, about?: AboutUse): void;
  /** Merges figures that traffic told. */
  learn(evidence: QuotaEvidence): void;
  release(): void;
}

export interface AboutUse {
  /** It was a turn, which counts as a message. Default false. */
  readonly turn?: boolean;
  /** When this part of the use began, Unix ms; default: when the lease was given. */
  readonly startedMs?: number;
  /** Go into the events. */
  readonly fields?: EventFields;
}

/** Why nobody can take a request. */
export interface Shortage {
  readonly kind: "no_accounts" | "all_exhausted" | "all_disabled" | "all_tried";
  /** When the first account has room again, Unix ms. */
  readonly untilMs: number | undefined;
  /** `alias (reason)` of each account. */
  readonly details: readonly string[];
}

export interface Pool {
  /** Chooses an upstream and counts a use of it; undefined when none can serve. */
  pick(request: PickRequest): Lease | undefined;
  /** True when `upstreamId` should not take the next turn of `session`, and another upstream can. */
  shouldMove(upstreamId: string, session: string | undefined): boolean;
  /** Why `pick` found nobody. */
  shortage(): Shortage;
  /** Puts the members in line with the store's accounts. */
  sync(): void;
  facts(): PoolFacts;
  view(): QuotaView;
  /** Applies `event` to an account's health, outside of any request. */
  note(accountId: string, event: HealthEvent): void;
  /** Takes an account out of service, outside of any request. */
  disable(accountId: string, reason: string): void;
  /** Merges figures told outside of any request. */
  learn(accountId: string, evidence: QuotaEvidence): void;
  upstreamOf(accountId: string): Upstream | undefined;
}

export interface PoolContext {
  readonly deps: Pick<Deps, "clock" | "log">;
  readonly store: Store;
  readonly affinity: Affinity;
  readonly events: EventLog;
  readonly settings: () => PoolSettings;
  readonly makeUpstream: (record: AccountRecord) => Upstream;
}

interface Member {
  readonly record: AccountRecord;
  readonly upstream: Upstream;
  inFlight: number;
}

export function createPool(context: PoolContext): Pool {
  const { store, affinity, settings } = context;
  const { clock } = context.deps;
  const { state } = store;
  let members: Member[] = [];
  /** The one chosen last for a turn; `round_robin` goes on from here even while requests are still under way. */
  let turnId: string | undefined;

  const view = (): QuotaView => ({ nowMs: clock.now(), ttlMs: settings().quotaTtlMs });

  const candidates = (spends = true): Candidate[] => {
    const now = view();
    const { weights } = settings().policy;
    return members.map(({ record }) => {
      const candidate = candidateOf(record, weights, now);
      return spends || record.health.kind === "disabled" ? candidate : unlimited(candidate);
    });
  };

  const chosen = (all: readonly Candidate[], boundId: string | undefined, tried: ReadonlySet<string>) => {
    const { policy } = settings();
    const activeId = policy.mode === "round_robin" ? (turnId ?? state.activeId) : state.activeId;
    return choose(all, { settings: policy, activeId, pinnedId: state.pinnedId, boundId, tried });
  };

  const ledger = createLedger({
    ...context,
    view,
    stateOf: (record) => candidateOf(record, settings().policy.weights, view()),
  });

  const boundTo = (session: string | undefined): string | undefined =>
    session === undefined || !settings().policy.affinity ? undefined : affinity.get(session);

  const leaseOf = (member: Member, choice: Choice, request: PickRequest): Lease => {
    let held = true;
    member.inFlight++;
    const lease: Lease = {
      upstream: member.upstream,
      choice,
      startedMs: clock.now(),
      settle: (verdict, { turn = false, startedMs = lease.startedMs, fields = {} } = {}) =>
        ledger.settle(member.record, verdict, {
          session: request.session,
          reason: choice.reason,
          startedMs,
          turn,
          fields: { ...fields, req_id: request.requestId },
        }),
      learn: (evidence) => ledger.learn(member.record, evidence),
      release: () => {
        if (held) member.inFlight--;
        held = false;
      },
    };
    return lease;
  };

  const memberOf = (id: string) => members.find((member) => member.record.id === id);

  const sync = (): void => {
    const before = new Map(members.map((member) => [member.record, member]));
    const ids = new Set(state.accounts.map((record) => record.id));
    for (const member of members) if (!ids.has(member.record.id)) affinity.drop(member.record.id);
    members = state.accounts.map(
      (record) => before.get(record) ?? { record, upstream: context.makeUpstream(record), inFlight: 0 },
    );
  };
  sync();

  return {
    pick: (request) => {
      const choice = chosen(candidates(request.spends), boundTo(request.session), request.tried);
      const member = choice === undefined ? undefined : memberOf(choice.id);
      if (choice === undefined || member === undefined) return undefined;
      if (request.spends) turnId = choice.id;
      return leaseOf(member, choice, request);
    },
    shouldMove: (upstreamId, session) => {
      const all = candidates();
      const current = all.find((candidate) => candidate.id === upstreamId);
      if (current?.state === "resting") return false;
      // The open socket itself is a binding, whatever the session table says.
      const owner = boundTo(session) ?? upstreamId;
      const next = chosen(all, owner, new Set());
      return next !== undefined && next.reason !== "least-bad" && next.id !== upstreamId;
    },
    shortage: () => shortageOf(members, view()),
    sync,
    facts: () => {
      const next = chosen(candidates(), undefined, new Set());
      return {
        proxyName: settings().proxyName,
        policy: settings().policy,
        accounts: members.map(factsOf),
        activeId: state.activeId,
        pinnedId: state.pinnedId,
        next: next === undefined ? undefined : { id: next.id, reason: next.reason },
        messageCounter: state.messageCounter,
        lastRotationMs: state.lastRotationMs,
      };
    },
    view,
    note: (id, event) => {
      const member = memberOf(id);
      if (member !== undefined) ledger.note(member.record, event);
    },
    disable: (id, reason) => {
      const member = memberOf(id);
      if (member !== undefined) ledger.disable(member.record, reason, {});
    },
    learn: (id, evidence) => {
      const member = memberOf(id);
      if (member !== undefined) ledger.learn(member.record, evidence);
    },
    upstreamOf: (id) => memberOf(id)?.upstream,
  };
}

// --- internal ---

function candidateOf(record: AccountRecord, weights: PolicySettings["weights"], view: QuotaView): Candidate {
  const health = healthAt(record.health, view.nowMs);
  return {
    id: record.id,
    state: stateOf(health),
    exhausted: exhausted(record.quota, view),
    draining: record.draining,
    score: score(record.quota, weights, view),
    untilMs: health.kind === "cooling" ? health.untilMs : 0,
  };
}

/** A candidate for what needs no allowance: only disabled accounts are out. */
function unlimited(candidate: Candidate): Candidate {
  return { ...candidate, state: candidate.state === "out" ? "available" : candidate.state, exhausted: false };
}

function stateOf(health: Health): Candidate["state"] {
  switch (health.kind) {
    case "healthy":
      return "available";
    case "cooling":
      return health.cause === "limit" ? "out" : "resting";
    case "disabled":
      return "out";
    default:
      return health satisfies never;
  }
}

function factsOf({ record, inFlight }: Member): AccountFacts {
  return {
    id: record.id,
    alias: record.alias,
    email: record.email,
    health: record.health,
    draining: record.draining,
    quota: record.quota,
    lastUsedMs: record.lastUsedMs,
    lastSwitchReason: record.lastSwitchReason,
    inFlight,
  };
}

function shortageOf(members: readonly Member[], view: QuotaView): Shortage {
  const ends = members.map(({ record }) => limitEnd(record, view));
  const limits = ends.filter((end) => end !== undefined);
  // What drains takes nothing new, as if it were disabled.
  const disabledCount = members.filter(
    ({ record }, index) =>
      ends[index] === undefined && (record.health.kind === "disabled" || record.draining),
  ).length;
  const details = members.map(({ record }) => `${record.alias} (${describe(record, view.nowMs)})`);
  const untilMs = limits.length === 0 ? undefined : Math.min(...limits);
  if (members.length === 0) return { kind: "no_accounts", untilMs: undefined, details };
  if (disabledCount === members.length) return { kind: "all_disabled", untilMs: undefined, details };
  if (limits.length > 0 && limits.length + disabledCount === members.length)
    return { kind: "all_exhausted", untilMs, details };
  return { kind: "all_tried", untilMs, details };
}

/** When the limit that an account rests for is over, Unix ms; undefined when it rests for none. */
function limitEnd(record: AccountRecord, view: QuotaView): number | undefined {
  const health = healthAt(record.health, view.nowMs);
  return health.kind === "cooling" && health.cause === "limit" ? health.untilMs : undefined;
}

function describe(record: AccountRecord, nowMs: number): string {
  const now = healthAt(record.health, nowMs);
  switch (now.kind) {
    case "healthy":
      return record.draining ? "draining" : "failed this request";
    case "cooling":
      return `${now.reason}, ${Math.ceil(coolingLeftMs(now, nowMs) / 1000)} s left`;
    case "disabled":
      return `disabled: ${now.reason}`;
    default:
      return now satisfies never;
  }
}
