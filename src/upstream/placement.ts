// Places requests: collects the facts for the pure rules in core/policy.ts. These are the candidates, the pin, the
// session's binding, the upstreams that can decrypt its history, and its detour.

import { type TagDemand, tagNeedsOf } from "../core/account-tags.ts";
import { availabilityFor, type Candidate, rankOf } from "../core/availability.ts";
import type { Hop } from "../core/hops.ts";
import { type Choice, type ChoiceContext, choose, type PolicySettings } from "../core/policy.ts";
import type { Clock } from "../deps.ts";
import type { AccountRecord } from "../state/account-record.ts";
import type { StoreState } from "../state/store-state.ts";
import type { Affinity } from "./affinity.ts";
import type { BriefMemory } from "./brief-memory.ts";
import type { Offering } from "./offering.ts";

/** The session of a request, the proxies it has passed, and its pin and model. */
export interface Origin {
  /** The session key, if the request has one. */
  readonly session: string | undefined;
  /** The proxies of a chain that the request has passed; it must not return to one of them. */
  readonly hops: readonly Hop[];
  /** The account that the request itself is pinned to; it wins over the pool's pin. */
  readonly pinnedId?: string | undefined;
  /** The requested model, if known. */
  readonly model?: string | undefined;
  /** The tags that its run and its key name, the run's first. */
  readonly tags?: readonly TagDemand[] | undefined;
}

/** A request to be placed. */
export interface PlacementRequest extends Origin {
  /** Upstreams that already failed this request. */
  readonly tried: ReadonlySet<string>;
  /** True if it uses quota. An exhausted upstream can serve all other requests. */
  readonly spends: boolean;
  /** True during the search for an upstream that can decrypt the history, which includes draining ones. */
  readonly searching?: boolean;
  /**
   * True if it only opens a connection: it prefers an upstream that takes the next turn, but accepts a full one.
   * Default false.
   */
  readonly opensOnly?: boolean | undefined;
  /**
   * The upstreams that may have the state that the request is about, the most likely one first. They are tried first,
   * even while they cool down, and regardless of pins. Default: none.
   */
  readonly owners?: readonly string[] | undefined;
}

export interface Placement {
  /** The upstream that takes the request; undefined if none can. */
  place(request: PlacementRequest): Choice | undefined;
  /** The upstream that would take the next turn of a new session. */
  next(): Choice | undefined;
  /** The upstream that would take a turn of `origin` now; undefined if none would. */
  takerOf(origin: Origin): Candidate | undefined;
  /** True if no upstream takes `request` now, but one would if it served fewer turns. */
  isFull(request: PlacementRequest): boolean;
  /** True if this holds for the next turn of a new session. */
  isNextFull(): boolean;
  /** The context for placing the next turn (of `session`, for `model`, with the tags of its run and its key). */
  contextOf(session: string | undefined, model?: string, tags?: readonly TagDemand[]): ChoiceContext;
  /**
   * True if `upstreamId` was removed or disabled, cannot take the next turn at all, or should not take it and another
   * upstream can. A request that uses no quota (`spends` is false) moves only to an upstream that can take it.
   */
  shouldMove(upstreamId: string, origin: Origin, spends: boolean): boolean;
  /** True if an upstream other than `upstreamId` has room for the session. */
  canLeave(upstreamId: string, origin: Origin): boolean;
}

/** The part of the policy that only the placement uses. */
export interface PlacementPolicy {
  /** True if sessions stay with their account. */
  readonly affinity: boolean;
  /** The tags of requests whose run and key name none; undefined: none. */
  readonly tags: TagDemand | undefined;
}

export interface PlacementContext {
  readonly clock: Clock;
  readonly policy: () => PolicySettings & PlacementPolicy;
  readonly state: StoreState;
  readonly affinity: Affinity;
  /** The upstreams on which the last response of a session broke off; its next try avoids them. */
  readonly detours: BriefMemory;
  /** The upstreams as candidates for `model`. */
  readonly candidates: (model: string | undefined) => readonly Candidate[];
  /** One of them; undefined if there is no such upstream. */
  readonly candidate: (id: string, model: string | undefined) => Candidate | undefined;
  readonly offering: Offering;
  /** The upstreams that take no request which has passed `hops`: those that lead back to one of them, and API keys. */
  readonly closedTo: (hops: readonly Hop[]) => readonly string[];
}

export function createPlacement(context: PlacementContext): Placement {
  const { clock, policy, state, affinity, detours, candidates, candidate, offering, closedTo } = context;
  /** The upstream that was last chosen for a turn. `round_robin` continues after it, even before that turn ends. */
  let turnId: string | undefined;

  /** `openId`: the upstream whose connection the session has open; it replaces a missing binding. */
  const choosing = (
    { session, hops, pinnedId, model, tags = [], tried, spends, searching = false }: PlacementRequest,
    openId?: string,
  ): ChoiceContext => {
    const settings = policy();
    const binding = session === undefined ? undefined : affinity.get(session);
    const holds = binding?.held === true && spends;
    const tagNeeds = tagNeedsOf(tags, settings.tags);
    // A run's pin is more specific than any preference, and the pool's pin than that of the settings.
    const isPinned = pinnedId !== undefined || (state.pinnedId !== undefined && tags.length === 0);
    return {
      settings,
      spends,
      nowMs: clock.now(),
      activeId: settings.mode === "round_robin" ? (turnId ?? state.activeId) : state.activeId,
      pinnedId: pinnedId ?? state.pinnedId,
      boundId: (settings.affinity || holds ? binding?.upstreamId : undefined) ?? openId,
      readers: holds ? readersOf(binding.upstreamId, state.accounts, candidates(model)) : undefined,
      offering: model === undefined ? undefined : offering(model, candidates(model)),
      tried: hops.length === 0 ? tried : new Set([...tried, ...closedTo(hops)]),
      searching,
      tags: isPinned ? { ...tagNeeds, preferred: [] } : tagNeeds,
    };
  };

  /** `how` without the upstream on which the session's last response broke off, if another one has room. */
  const aroundDetour = ({ session, model }: Origin, how: ChoiceContext): ChoiceContext => {
    const avoided = detours.of(session);
    if (avoided === undefined) return how;
    const around = { ...how, tried: new Set([...how.tried, avoided]) };
    const other = choose(candidates(model), around);
    // A detour neither crosses a floor nor spends money.
    const condition = other && candidate(other.id, model)?.condition;
    const isReserve = condition === "at_floor" || condition === "last_resort";
    return hasRoom(other, model) && !isReserve ? around : how;
  };

  /** The first owner of the state that may be asked. */
  const ownerFor = (request: PlacementRequest): string | undefined => {
    const { owners = [], model } = request;
    if (owners.length === 0) return undefined;
    // Like a search, this includes draining upstreams.
    const how = choosing({ ...request, searching: true });
    return owners.find((id) => {
      const owner = candidate(id, model);
      return owner !== undefined && rankOf(availabilityFor(owner, how)) !== undefined;
    });
  };

  /** True if the session's own upstream would have got the turn but was full. */
  const leavesFull = ({ id, reason }: Choice, how: ChoiceContext, model: string | undefined): boolean => {
    const { boundId } = how;
    if (boundId === undefined || boundId === id || reason === "pinned") return false;
    const bound = candidate(boundId, model);
    return bound !== undefined && availabilityFor(bound, how) === "full";
  };

  const isFull = (request: PlacementRequest): boolean => {
    const how = choosing(request);
    const all = candidates(request.model);
    return all.some((one) => availabilityFor(one, how) === "full") && choose(all, how) === undefined;
  };

  const hasRoom = (choice: Choice | undefined, model: string | undefined): boolean => {
    if (choice === undefined || choice.reason === "least-bad") return false;
    const chosen = candidate(choice.id, model);
    return chosen !== undefined && (!chosen.summary.exhausted || chosen.summary.credits);
  };

  return {
    place: (request) => {
      const owner = ownerFor(request);
      if (owner !== undefined) return { id: owner, reason: "affinity", switched: false };
      const all = candidates(request.model);
      const how = aroundDetour(request, choosing(request));
      const choice =
        choose(all, how) ?? (request.opensOnly ? choose(all, { ...how, opensOnly: true }) : undefined);
      if (request.spends && choice !== undefined && request.pinnedId === undefined) turnId = choice.id;
      return choice === undefined || !leavesFull(choice, how, request.model)
        ? choice
        : { ...choice, leavesFull: true };
    },
    next: () => choose(candidates(undefined), choosing(nextTurn(NO_ORIGIN))),
    takerOf: (origin) => {
      const choice = choose(candidates(origin.model), aroundDetour(origin, choosing(nextTurn(origin))));
      return choice && candidate(choice.id, origin.model);
    },
    isFull,
    isNextFull: () => isFull(nextTurn(NO_ORIGIN)),
    contextOf: (session, model, tags) => {
      const origin = { ...NO_ORIGIN, session, model, tags };
      return aroundDetour(origin, choosing(nextTurn(origin)));
    },
    shouldMove: (upstreamId, origin, spends) => {
      const current = candidate(upstreamId, origin.model);
      const all = candidates(origin.model);
      if (current === undefined || current.condition === "disabled") return true;
      // The open socket counts as a binding if the session has no other.
      const how = choosing(nextTurn(origin), upstreamId);
      const availability = availabilityFor(current, how);
      // A turn waits for a full upstream only if no other one takes it.
      if (rankOf(availability) === undefined)
        return (spends && availability !== "full") || choose(all, how) !== undefined;
      // A cooldown ends by itself, except that of a child proxy that does not answer.
      if (current.condition === "cooling" && current.untilMs > 0) return false;
      const next = choose(all, aroundDetour(origin, how));
      return next !== undefined && next.reason !== "least-bad" && next.id !== upstreamId;
    },
    canLeave: (upstreamId, origin) => {
      const how = choosing({ ...nextTurn(origin), tried: new Set([upstreamId]) });
      return hasRoom(choose(candidates(origin.model), how), origin.model);
    },
  };
}

// --- internal ---

const NONE: ReadonlySet<string> = new Set();

const NO_ORIGIN: Origin = { session: undefined, hops: [] };

function nextTurn(origin: Origin): PlacementRequest {
  return { ...origin, tried: NONE, spends: true };
}

/**
 * The upstreams that can decrypt the ciphertexts of `ownerId`: the accounts of its workspace, or the child proxy that
 * has such an account. Undefined if the owner was removed.
 */
function readersOf(
  ownerId: string,
  accounts: readonly AccountRecord[],
  candidates: readonly Candidate[],
): ReadonlySet<string> | undefined {
  const owner = accounts.find(({ id }) => id === ownerId);
  if (owner === undefined)
    return candidates.some(({ id }) => id === ownerId) ? new Set([ownerId]) : undefined;
  const workspace = owner.chatgptAccountId;
  const readers = accounts.filter(
    ({ id, chatgptAccountId }) =>
      id === ownerId || (workspace !== undefined && chatgptAccountId === workspace),
  );
  return new Set(readers.map(({ id }) => id));
}
