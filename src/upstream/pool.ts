// The set of upstreams with their live state: picks one for a request, takes back what came of it. All of it is
// synchronous and in memory. The rules are pure (core/policy.ts); here they get their facts.

import { identityOf, workspacesToShow } from "../auth/identity.ts";
import type { CapacityView } from "../core/capacity.ts";
import type { ModelOffers } from "../core/catalogue.ts";
import { explanationOf, type PoolExplanation } from "../core/explain.ts";
import type { HealthEvent } from "../core/health.ts";
import type { Hop } from "../core/hops.ts";
import type { LimitName } from "../core/meters.ts";
import type { Candidate, Choice, PolicySettings } from "../core/policy.ts";
import type { PoolFacts, PoolOutline } from "../core/pool-facts.ts";
import { type PooledUsage, pooledUsage } from "../core/pooled.ts";
import type { QuotaEvidence, QuotaView } from "../core/quota.ts";
import { rampAfter } from "../core/slow-start.ts";
import type { Deps } from "../deps.ts";
import type { EventLog } from "../state/events.ts";
import { type AccountRecord, accountNamed, type Store } from "../state/store.ts";
import type { Account } from "./account.ts";
import type { Affinity } from "./affinity.ts";
import type { ServingMember } from "./catalogue-cells.ts";
import type { Child } from "./child.ts";
import { createDetours } from "./detours.ts";
import { createLeases, type Lease, type PickRequest } from "./leases.ts";
import { createLedger } from "./ledger.ts";
import {
  type AccountMember,
  createRoster,
  factsOf,
  healthFor,
  type Member,
  newMember,
  pooledAccountOf,
  whyClosed,
} from "./members.ts";
import { createPlacement, type Placement } from "./placement.ts";
import { createRefusedLimits } from "./refused-limits.ts";
import { type Shortage, shortageOf } from "./shortage.ts";
import { createTree } from "./tree.ts";

export interface PoolSettings {
  readonly policy: PolicySettings & {
    readonly affinity: boolean;
    /** True if accounts with only credits left may spend them. */
    readonly useCredits: boolean;
  };
  /** Figures older than this are unknown, ms. */
  readonly quotaTtlMs: number;
}

export interface Pool extends Pick<Placement, "shouldMove"> {
  /** Chooses an upstream and counts a use of it; undefined when none can serve. */
  pick(request: PickRequest): Lease | undefined;
  /**
   * Counts a use of the upstream whose connection the session has open already; undefined when it is gone or disabled.
   * `placed`: why it was chosen, for the first turn there.
   */
  use(upstreamId: string, request: PickRequest, placed: Choice | undefined): Lease | undefined;
  /** Why `pick` found no upstream for `session`, or for `model`. */
  shortage(session: string | undefined, model?: string): Shortage;
  /** Requests under way. */
  inFlight(): number;
  /**
   * Puts the members in line with the store's accounts and the child proxies: others, or something of theirs was
   * changed outside of the pool.
   */
  sync(): void;
  /** Something was told of `upstreamId` outside of any request. */
  touch(upstreamId: string): void;
  outline(): PoolOutline;
  facts(): PoolFacts;
  /** What the pool presents to Codex at this moment. */
  usage(): PooledUsage;
  /** Explains which upstream would get the next turn (of `session`, for `model`). */
  explain(session: string | undefined, model: string | undefined): PoolExplanation;
  view(): QuotaView;
  /** Applies `event` to the health of an upstream, outside of any request. */
  note(upstreamId: string, event: HealthEvent): void;
  /** Takes an account out of service, outside of any request. */
  disable(accountId: string, reason: string): void;
  /** Merges figures told outside of any request. */
  learn(accountId: string, evidence: QuotaEvidence): void;
  accountOf(accountId: string): Account | undefined;
  /** The enabled upstreams in list order, without those that lead back to a proxy in `hops`. */
  serving(hops: readonly Hop[]): readonly ServingMember[];
  /** The id of the account of this proxy that is called `name`, by alias or id. */
  idOf(name: string): string | undefined;
}

export interface PoolContext {
  readonly deps: Pick<Deps, "clock" | "log" | "random">;
  readonly store: Store;
  readonly affinity: Affinity;
  readonly events: EventLog;
  readonly settings: () => PoolSettings;
  /** This proxy. */
  readonly self: () => Hop;
  readonly makeAccount: (record: AccountRecord) => Account;
  /** The child proxies, in the order of the settings. */
  readonly children: () => readonly Child[];
  /** The models in the upstreams' catalogues. */
  readonly models: () => Pick<ModelOffers, "offers">;
}

export function createPool(context: PoolContext): Pool {
  const { store, affinity, settings } = context;
  const { clock } = context.deps;
  const { state } = store;
  const detours = createDetours(clock);
  const roster = createRoster();
  const tree = createTree();
  let usage: { readonly value: PooledUsage; readonly atMs: number } | undefined;
  let accounts: (AccountMember & { readonly upstream: Account })[] = [];
  let children: (Member & { readonly upstream: Child })[] = [];
  let members: Member[] = [];
  let byId = new Map<string, Member>();
  let accountUpstreams = new Map<string, Account>();

  const view = (): QuotaView => ({ nowMs: clock.now(), ttlMs: settings().quotaTtlMs });

  const refusedLimits = createRefusedLimits(clock);

  const capacityView = (model: string | undefined): CapacityView => {
    const { policy, quotaTtlMs } = settings();
    const { weights, useCredits } = policy;
    return { nowMs: clock.now(), ttlMs: quotaTtlMs, weights, useCredits, model, refusedBy: refusedLimits.of };
  };

  const candidates = (model?: string): readonly Candidate[] => roster.candidates(capacityView(model));

  const loops = (hops: readonly Hop[]): readonly string[] =>
    children.flatMap(({ upstream }) => {
      const id = upstream.report(view())?.id;
      return hops.some((hop) => hop.id === id) ? [upstream.id] : [];
    });

  const placement = createPlacement({
    clock,
    policy: () => settings().policy,
    state,
    affinity,
    detours,
    candidates,
    offers: (id, model) => context.models().offers(id, model),
    loops,
  });

  const ledger = createLedger({
    ...context,
    view,
    useCredits: () => settings().policy.useCredits,
    refusedLimits,
    stateOf: (id, model) => candidates(model).find((candidate) => candidate.id === id),
  });

  /** Runs what may change the health of a member, and keeps its slow start in line. */
  const watched = (member: Member, change: () => void): void => {
    const { health } = member.record;
    change();
    roster.touch(member);
    const { health: after } = member.record;
    if (after === health) return;
    if (after.kind === "cooling") member.ramp = rampAfter(member.ramp, "cooled");
    else if (health.kind === "disabled") member.ramp = rampAfter(member.ramp, "restored");
  };

  const leases = createLeases({ clock, affinity, detours, roster, ledger, placement, watched });

  const sync = (): void => {
    const before = members;
    const knownAccounts = new Map(accounts.map((member) => [member.record, member]));
    accounts = state.accounts.map(
      (record) => knownAccounts.get(record) ?? newMember(record, context.makeAccount(record)),
    );
    const knownChildren = new Map(children.map((member) => [member.upstream, member]));
    children = context.children().map((child) => knownChildren.get(child) ?? newMember(child.state, child));
    members = [...accounts, ...children];
    const ids = new Set(members.map(({ record }) => record.id));
    for (const { record } of before) if (!ids.has(record.id)) affinity.drop(record.id);
    byId = new Map(members.map((member) => [member.record.id, member]));
    accountUpstreams = new Map(accounts.map(({ record, upstream }) => [record.id, upstream]));
    roster.set(members);
  };
  sync();

  const accountFacts = () => {
    const now = capacityView(undefined);
    const workspaces = workspacesToShow(state.accounts.map(identityOf));
    return accounts.map((member) => factsOf(member, now, workspaces));
  };

  const childFacts = (now: CapacityView) =>
    children.map(({ upstream, inFlight: count }) => ({ ...upstream.facts(now), inFlight: count }));

  const outlineAt = (now: CapacityView): PoolOutline => {
    const next = placement.next();
    return {
      self: context.self(),
      policy: settings().policy,
      accounts: state.accounts,
      children: childFacts(now),
      activeId: state.activeId,
      pinnedId: state.pinnedId,
      next: next === undefined ? undefined : { id: next.id, reason: next.reason },
      messageCounter: state.messageCounter,
      lastRotationMs: state.lastRotationMs,
    };
  };

  return {
    pick: (request) => {
      const choice = placement.place(request);
      const member = choice && byId.get(choice.id);
      return choice && member && leases.give(member, choice, request);
    },
    use: (upstreamId, request, placed) => {
      const member = byId.get(upstreamId);
      if (member === undefined || member.record.health.kind === "disabled") return undefined;
      return leases.give(member, placed ?? ownOf(upstreamId), request);
    },
    shouldMove: placement.shouldMove,
    shortage: (session, model) => {
      const { readers, offering } = placement.contextOf(session, model);
      const now = capacityView(model);
      const all = candidates(model).flatMap((candidate, index) => {
        const member = members[index];
        if (member === undefined || readers?.has(candidate.id) === false) return [];
        if (offering?.has(candidate.id) === false) return [];
        const { kind, label } = member.upstream;
        return [{ kind, label, candidate, health: healthFor(member, now), why: whyClosed(member, now) }];
      });
      const limitId = members
        .map(({ upstream }) => upstream.ownLimit(now)?.id)
        .find((id) => id !== undefined);
      return { ...shortageOf(all, now.nowMs), limitId, model: offering === undefined ? undefined : model };
    },
    inFlight: leases.count,
    sync,
    touch: (upstreamId) => {
      const member = byId.get(upstreamId);
      if (member !== undefined) roster.touch(member);
    },
    outline: () => outlineAt(capacityView(undefined)),
    facts: () => ({ ...outlineAt(capacityView(undefined)), accounts: accountFacts() }),
    usage: () => {
      const now = capacityView(undefined);
      const mostAgeMs = Math.floor(members.length / ACCOUNTS_PER_MS_OF_AGE);
      if (usage !== undefined && clock.monotonic() - usage.atMs < mostAgeMs) return usage.value;
      const own = accounts.map((member) => [member.record, pooledAccountOf(member, now)] as const);
      const pooled = tree.pooled(own, context.children(), now);
      usage = { value: pooledUsage(pooled, now, now.useCredits), atMs: clock.monotonic() };
      return usage.value;
    },
    explain: (session, model) => {
      const now = capacityView(model);
      const explained = members.map((member) => ({
        id: member.record.id,
        alias: member.upstream.label,
        health: healthFor(member, now),
        limit: nameOf(member.upstream.ownLimit(now)),
        ramp: member.ramp,
        why: whyClosed(member, now),
      }));
      return explanationOf(explained, candidates(model), placement.contextOf(session, model), {
        session,
        model,
      });
    },
    view,
    note: (id, event) => {
      const member = byId.get(id);
      if (member !== undefined) watched(member, () => ledger.note(member.record, event));
    },
    disable: (id, reason) => {
      const member = byId.get(id);
      if (member !== undefined) watched(member, () => ledger.disable(member, reason, {}));
    },
    learn: (id, evidence) => {
      const member = byId.get(id);
      if (member !== undefined) watched(member, () => ledger.learn(member.record, evidence));
    },
    accountOf: (id) => accountUpstreams.get(id),
    serving: (hops) => {
      const states = candidates();
      const excluded = loops(hops);
      return members.filter(
        ({ record }, index) => states[index]?.state !== "disabled" && !excluded.includes(record.id),
      );
    },
    idOf: (name) => accountNamed(state, name)?.id,
  };
}

// --- internal ---

/** Figures of a thousand accounts together may be ten milliseconds old, those of a few are as new as can be. */
const ACCOUNTS_PER_MS_OF_AGE = 100;

function nameOf(limit: LimitName | undefined): string | undefined {
  return limit && (limit.name ?? limit.id);
}

/** A session's own account. */
function ownOf(id: string): Choice {
  return { id, reason: "affinity", switched: false };
}
