// The pool of upstreams: picks one for a request, and records the results. Everything is synchronous and in memory. The
// rules are pure (core/policy.ts); this file connects them with the records and the settings.

import type { CapacityView } from "../core/capacity.ts";
import type { ModelOffers } from "../core/catalogue.ts";
import type { HealthEvent } from "../core/health.ts";
import type { Hop } from "../core/hops.ts";
import type { Choice, PolicySettings } from "../core/policy.ts";
import type { MovedTurn } from "../core/pool-facts.ts";
import type { QuotaEvidence, QuotaView } from "../core/quota.ts";
import type { Deps } from "../deps.ts";
import type { AccountRecord } from "../state/account-record.ts";
import type { EventFields, EventLog } from "../state/events.ts";
import type { Store } from "../state/store.ts";
import { accountNamed } from "../state/store-state.ts";
import type { Account } from "./account.ts";
import type { Affinity } from "./affinity.ts";
import { createBriefMemory } from "./brief-memory.ts";
import type { ServingMember } from "./catalogue-cells.ts";
import type { Child } from "./child.ts";
import { createLeases, type Lease, type LiveUse, type PickRequest } from "./leases.ts";
import { createLedger } from "./ledger.ts";
import { createMembers } from "./members.ts";
import { createOffering } from "./offering.ts";
import { createPlacement, type Placement, type PlacementPolicy } from "./placement.ts";
import type { PoolObserver } from "./pool-observer.ts";
import { createPoolViews, type PoolViews } from "./pool-views.ts";
import { createRefusedLimits } from "./refused-limits.ts";
import { createRoster } from "./roster.ts";
import { createStateOwners, type StateOwners } from "./state-owners.ts";
import { createSwitches } from "./switches.ts";

export interface PoolSettings {
  readonly policy: PolicySettings &
    PlacementPolicy & {
      /** True if accounts with only credits left may spend them. */
      readonly useCredits: boolean;
    };
  /** The options of accounts that config.toml sets, by alias in lower case. */
  readonly fileOptions: CapacityView["fileOptions"];
  /** Figures older than this are unknown, ms. */
  readonly quotaTtlMs: number;
}

export interface Pool extends PoolViews, Pick<Placement, "shouldMove" | "takerOf" | "isFull"> {
  /** Which upstreams have the state that belongs to one account. */
  readonly stateOwners: StateOwners;
  /** Chooses an upstream and counts a use of it; undefined if no upstream can serve the request. */
  pick(request: PickRequest): Lease | undefined;
  /**
   * Counts a use of the upstream whose connection the session has open; undefined if it was removed, or is disabled
   * or full. `placed`: why it was chosen, for the first turn there.
   */
  use(upstreamId: string, request: PickRequest, placed: Choice | undefined): Lease | undefined;
  /** A number that changes whenever something changes in the record of an upstream. */
  revision(): number;
  /** The number of requests in flight. */
  inFlight(): number;
  /** The requests in flight, oldest first. */
  live(): readonly LiveUse[];
  /** Calls `listener` whenever an upstream may have room for another turn. */
  onRoom(listener: () => void): void;
  /** A turn has ended on another replica. */
  noteRoom(): void;
  /** Adds and removes members according to the store's accounts and the child proxies. */
  sync(): void;
  /** The time and the settings with which figures are read now. */
  view(): QuotaView;
  /** Applies `event` to the health of an upstream, outside of any request. */
  note(upstreamId: string, event: HealthEvent): void;
  /** Takes an account out of service, outside of any request. `fields`: for the event. */
  disable(accountId: string, reason: string, fields?: EventFields): void;
  /** The backend refuses `model` because of the limit `limitId`, until `untilMs` (Unix ms). */
  noteModelLimit(model: string, limitId: string, untilMs: number): void;
  /** Merges figures from outside of any request. */
  learn(accountId: string, evidence: QuotaEvidence): void;
  /** Adds a switch of another replica to the last ones. */
  noteSwitch(moved: MovedTurn): void;
  accountOf(accountId: string): Account | undefined;
  /** The enabled upstreams that have a catalogue, in list order, without those that lead back to a proxy in `hops`. */
  serving(hops: readonly Hop[]): readonly ServingMember[];
  /** The id of this proxy's account with the alias or id `name`. */
  idOf(name: string): string | undefined;
}

export interface PoolContext {
  readonly deps: Pick<Deps, "clock" | "log" | "random">;
  readonly store: Store;
  readonly affinity: Affinity;
  readonly events: EventLog;
  /** The turns that moved before this process started, oldest first. */
  readonly pastSwitches: readonly MovedTurn[];
  /** Gets each turn that moves. */
  readonly shareSwitch?: ((moved: MovedTurn) => void) | undefined;
  readonly settings: () => PoolSettings;
  /** This proxy. */
  readonly self: () => Hop;
  readonly makeAccount: (record: AccountRecord) => Account;
  /** The child proxies, in the order of the settings. */
  readonly children: () => readonly Child[];
  /** Undefined if the proxy works alone. */
  readonly observer?: PoolObserver | undefined;
  /** The models in the upstreams' catalogues. */
  readonly models: () => Pick<ModelOffers, "offers">;
}

export function createPool(context: PoolContext): Pool {
  const { store, affinity, settings } = context;
  const { clock } = context.deps;
  const { state } = store;
  const detours = createBriefMemory(clock);
  const failures = createBriefMemory(clock);
  const refusedLimits = createRefusedLimits(clock);
  const members = createMembers({ ...context, state });
  const roster = createRoster();

  const view = (): QuotaView => ({ nowMs: clock.now(), ttlMs: settings().quotaTtlMs });

  const capacityView = (model: string | undefined): CapacityView => {
    const { policy, quotaTtlMs, fileOptions } = settings();
    const { weights, useCredits, spendFloors } = policy;
    return {
      nowMs: clock.now(),
      ttlMs: quotaTtlMs,
      weights,
      useCredits,
      spendFloors,
      fileOptions,
      model,
      refusedBy: refusedLimits.of,
    };
  };

  const closedTo = (hops: readonly Hop[]): readonly string[] => {
    if (hops.length === 0) return [];
    const children = members.children().filter(({ upstream }) => {
      const id = upstream.report(view())?.id;
      return hops.some((hop) => hop.id === id);
    });
    // The proxy in front may have other accounts that can serve.
    const paid = members.accounts().filter(({ record }) => record.billing !== undefined);
    return [...children, ...paid].map(({ record }) => record.id);
  };

  const policy = () => settings().policy;
  const candidate = (id: string, model: string | undefined) => roster.candidate(id, capacityView(model));

  const placement = createPlacement({
    clock,
    policy,
    state,
    affinity,
    detours,
    candidates: (model) => roster.candidates(capacityView(model)),
    candidate,
    offering: createOffering({
      clock,
      offers: (id, model) => context.models().offers(id, model),
      refuses: (id, model) => members.byId(id)?.upstream.refuses(model) === true,
    }),
    closedTo,
  });
  const switches = createSwitches({
    past: context.pastSwitches,
    share: context.shareSwitch,
    nowMs: () => clock.now(),
    candidate,
    label: (id) => members.byId(id)?.upstream.label,
    keepsSessions: () => policy().affinity,
  });
  const ledger = createLedger({
    ...context,
    view,
    useCredits: () => settings().policy.useCredits,
    refusedLimits,
    switches,
    candidate,
  });
  const roomListeners: (() => void)[] = [];
  const noteRoom = (): void => {
    for (const listener of roomListeners) listener();
  };
  const leases = createLeases({
    clock,
    affinity,
    detours,
    failures,
    ledger,
    placement,
    turnsChanged: context.observer?.turnsChanged,
    turnEnded: noteRoom,
  });
  const views = createPoolViews({
    ...context,
    clock,
    state,
    members,
    roster,
    switches,
    placement,
    policy,
    capacityView,
  });

  const sync = (): void => {
    for (const id of members.sync()) affinity.drop(id);
    roster.set(members.all());
  };
  sync();

  return {
    ...views,
    stateOwners: createStateOwners(affinity),
    pick: (request) => {
      const choice = placement.place(request);
      const member = choice && members.byId(choice.id);
      return choice && member && leases.give(member, choice, request);
    },
    use: (upstreamId, request, placed) => {
      const member = members.byId(upstreamId);
      if (member === undefined || member.record.health.kind === "disabled") return undefined;
      if (request.bytes !== undefined && candidate(upstreamId, request.model)?.fullAt !== undefined)
        return undefined;
      return leases.give(member, placed ?? ownOf(upstreamId), request);
    },
    shouldMove: placement.shouldMove,
    revision: () => members.all().reduce((sum, { record }) => sum + record.revision, 0),
    takerOf: placement.takerOf,
    inFlight: leases.count,
    live: leases.live,
    onRoom: (listener) => void roomListeners.push(listener),
    noteRoom,
    isFull: placement.isFull,
    sync,
    view,
    note: (id, event) => {
      const member = members.byId(id);
      if (member !== undefined) ledger.note(member.record, event);
    },
    disable: (id, reason, fields = {}) => {
      const member = members.byId(id);
      if (member !== undefined) ledger.disable(member, reason, fields);
    },
    noteModelLimit: refusedLimits.note,
    learn: (id, evidence) => {
      const member = members.byId(id);
      if (member !== undefined) ledger.learn(member.record, evidence);
    },
    noteSwitch: switches.add,
    accountOf: (id) => members.account(id)?.upstream,
    serving: (hops) => {
      const states = roster.candidates(capacityView(undefined));
      const excluded = closedTo(hops);
      return members
        .all()
        .filter(
          ({ record }, index) =>
            states[index]?.condition !== "disabled" &&
            states[index]?.turnsOnly === false &&
            !excluded.includes(record.id),
        );
    },
    idOf: (name) => accountNamed(state, name)?.id,
  };
}

// --- internal ---

/** The choice of the upstream to which the session is already connected. */
function ownOf(id: string): Choice {
  return { id, reason: "affinity", switched: false };
}
