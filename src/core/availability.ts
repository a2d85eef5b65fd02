// Whether an upstream can serve a request. Every part of the program that reports this derives it from the availability:
//
//   availability    takes a turn   takes a request    in a       in an         a run that is
//                                  that spends none   shortage   explanation   pinned to it
//   ready           first          first              open       ready         -
//   probing         second         first              open       probing       -
//   credits         third          first              open       credits       -
//   at_floor        fourth         first              open       at_floor      -
//   exhausted       fifth          first              open       exhausted     exhausted
//   last_resort     sixth          no                 open       last_resort   -
//   cooling         last           last               cooling    resting       resting
//   full            no             first              open       full          -
//   limited         no             first              limited    out           limited
//   kept_back       no             first              limited    kept_back     limited
//   draining        no             no                 draining   out           out
//   cannot_read     no             first              left out   out           out
//   without_model   no             no                 left out   out           out
//   without_tag     no             no                 left out   out           out
//   tried           no             no                 open       out           out
//   turns_only      -              no                 open       out           -
//   disabled        no             no                 disabled   out           out
//
// A pinned account is ready even if it is at its floor or is otherwise the last resort. `full` is the availability of an
// upstream that would otherwise take the turn. A turn waits for it rather than try one that is cooling down. A shortage
// counts it apart from the open ones (upstream/shortage.ts).

import { type AccountOptions, DEFAULT_OPTIONS } from "./account-options.ts";
import { allowsTags, type TagNeeds } from "./account-tags.ts";
import type { Capacity } from "./capacity.ts";
import type { Condition } from "./condition.ts";
import type { Health } from "./health.ts";
import type { QuotaSummary } from "./quota-summary.ts";
import type { RunSeen } from "./run-tag.ts";
import type { Ramp } from "./slow-start.ts";
import { reachedBound, type TurnUse } from "./turn-limit.ts";

/** The state of an upstream for one request. */
export type Availability =
  | Condition
  /** The upstream already serves as many turns as its limit allows. */
  | "full"
  /** The upstream takes no new sessions. */
  | "draining"
  /** The upstream cannot decrypt the session's history. */
  | "cannot_read"
  /** The upstream's catalogue does not list the model. */
  | "without_model"
  /** The upstream has none of the tags that the request requires. */
  | "without_tag"
  /** The upstream already failed this request. */
  | "tried"
  /** The upstream serves only turns, and the request is not a turn. */
  | "turns_only";

/** An upstream as the policies see it. */
export interface Candidate {
  readonly id: string;
  readonly condition: Condition;
  /** Why it is cooling, limited or disabled, or that it has reached a floor; undefined in the other conditions. */
  readonly reason: string | undefined;
  /** `health`: requests failed there, or the operator disabled it. `capacity`: its figures or its report say so. */
  readonly closedBy: "health" | "capacity" | undefined;
  /** True if it serves turns and nothing else. */
  readonly turnsOnly: boolean;
  /** When cooling or the limit ends, Unix ms; 0 when that is unknown, and in the other conditions. */
  readonly untilMs: number;
  /** The upstream keeps its sessions and takes no new ones. */
  readonly draining: boolean;
  /** Requests in flight, on all replicas of the pool. */
  readonly inFlight: number;
  /** Those of other replicas among them. */
  readonly inFlightElsewhere: number;
  /** How many requests it may have in flight while it recovers. */
  readonly ramp: Ramp;
  /** The number of concurrent turns at which it is full; undefined if it takes more. */
  readonly fullAt: number | undefined;
  /** 0..1, higher is better. */
  readonly score: number;
  /** What the user has set for it. */
  readonly options: AccountOptions;
  readonly summary: QuotaSummary;
}

/** What a request requires of an upstream. */
export interface RequestNeeds {
  /** True if it uses the allowance; an upstream without any can serve other requests as well. */
  readonly spends: boolean;
  readonly pinnedId: string | undefined;
  /** The upstream that the request's session belongs to. */
  readonly boundId: string | undefined;
  /** Only these can decrypt the session's history; undefined: all can. */
  readonly readers: ReadonlySet<string> | undefined;
  /** Ids of the upstreams that may have the requested model; undefined: all may. */
  readonly offering: ReadonlySet<string> | undefined;
  /** Upstreams that already failed this request. */
  readonly tried: ReadonlySet<string>;
  /** True during the search for an upstream that can decrypt the history. Draining upstreams are then asked as well. */
  readonly searching: boolean;
  readonly tags: TagNeeds;
  /** True if the request only opens a connection, which is not a turn. Default false. */
  readonly opensOnly?: boolean | undefined;
}

/** What the record of an upstream says about a candidate. */
export interface CandidateRecord
  extends Pick<Candidate, "id" | "draining" | "ramp" | "inFlightElsewhere">,
    TurnUse {
  /** Requests in flight on this replica. */
  readonly inFlight: number;
}

/** The upstream as a candidate. `health` is its health now, which wins over its capacity. */
export function candidateOf(
  record: CandidateRecord,
  capacity: Capacity,
  health: Health,
  options: AccountOptions = DEFAULT_OPTIONS,
): Candidate {
  const { id, draining, inFlight: inFlightHere, inFlightElsewhere, ramp } = record;
  const isHealthy = health.kind === "healthy";
  const inFlight = inFlightHere + inFlightElsewhere;
  const condition = isHealthy ? openCondition(capacity.condition, inFlight, ramp) : closedCondition(health);
  const closing = isHealthy ? "capacity" : "health";
  // One literal, because a candidate is made whenever a request begins or ends.
  return {
    id,
    condition,
    reason: isHealthy ? capacity.why : health.reason,
    closedBy: isOpen(condition) ? undefined : closing,
    turnsOnly: capacity.turnsOnly === true,
    untilMs: health.kind === "cooling" ? health.untilMs : capacity.untilMs,
    draining,
    inFlight,
    inFlightElsewhere,
    ramp,
    fullAt: reachedBound(options.concurrency, record),
    score: capacity.score,
    options,
    summary: capacity.summary,
  };
}

/** The availability of `candidate` for a request. */
export function availabilityFor(candidate: Candidate, needs: RequestNeeds): Availability {
  const { id, condition } = candidate;
  const atFloor = condition === "at_floor" || condition === "kept_back";
  const isHeld = condition === "limited" || (condition === "kept_back" && id !== needs.pinnedId);
  if (condition === "disabled" || (isHeld && needs.spends)) return condition;
  if (candidate.turnsOnly && !needs.spends) return "turns_only";
  if (needs.tags.required.length > 0 && !allowsTags(candidate.options, needs.tags)) return "without_tag";
  if (needs.offering?.has(id) === false) return "without_model";
  if (needs.tried.has(id)) return "tried";
  if (needs.spends && needs.readers?.has(id) === false) return "cannot_read";
  if (candidate.draining && !needs.searching && id !== needs.pinnedId && id !== needs.boundId)
    return "draining";
  if (candidate.fullAt !== undefined && isCounted(needs)) return "full";
  if ((atFloor || condition === "last_resort") && id === needs.pinnedId) return "ready";
  return needs.spends || condition === "cooling" ? condition : "ready";
}

/** True if the upstream is an API key that the API refused. */
export function isRefusedKey({ turnsOnly, condition, closedBy, reason }: Candidate): boolean {
  return turnsOnly && condition === "disabled" && closedBy === "health" && reason === "http-401";
}

/** How long the upstream gets no requests because requests failed there, ms; 0 if it gets some or the end is unknown. */
export function cooldownLeftMs({ condition, closedBy, untilMs }: Candidate, nowMs: number): number {
  return closedBy === "health" && condition !== "disabled" ? Math.max(0, untilMs - nowMs) : 0;
}

/** True if the upstream takes turns, and not only as a last resort. */
export function isOpen(condition: Condition): boolean {
  return ROWS[condition].shortage === "open";
}

/** The rank of an availability among those that take a request, 0 is the best; undefined if it takes none. */
export function rankOf(availability: Availability): number | undefined {
  return ROWS[availability].rank;
}

/** The group in which a shortage counts an upstream in this condition that is not draining. */
export function shortageGroupOf(condition: Condition): ShortageGroup {
  return ROWS[condition].shortage;
}

export type ShortageGroup = "open" | "cooling" | "limited" | "disabled";

/** The word for an availability in an explanation. */
export function tierOf(availability: Availability): Tier {
  return ROWS[availability].tier;
}

export type Tier =
  | "ready"
  | "probing"
  | "credits"
  | "at_floor"
  | "exhausted"
  | "last_resort"
  | "resting"
  | "full"
  | "kept_back"
  | "out";

/** What a run that is pinned to the upstream reports; undefined if the upstream serves it. */
export function absenceOf(availability: Availability): RunSeen["absence"] {
  return ROWS[availability].absence;
}

// --- internal ---

function isCounted({ spends, opensOnly }: RequestNeeds): boolean {
  return spends && opensOnly !== true;
}

function openCondition(condition: Condition, inFlight: number, ramp: Ramp): Condition {
  return condition === "ready" && ramp !== undefined && inFlight >= ramp ? "probing" : condition;
}

function closedCondition(health: Exclude<Health, { kind: "healthy" }>): Condition {
  if (health.kind === "disabled") return "disabled";
  return health.cause === "limit" ? "limited" : "cooling";
}

interface Row {
  readonly rank: number | undefined;
  readonly shortage: ShortageGroup;
  readonly tier: Tier;
  readonly absence: RunSeen["absence"];
}

/** An upstream that is out only for one request is counted by its condition in a shortage. */
const OUT = { rank: undefined, tier: "out", absence: "out", shortage: "open" } as const;

/** The table at the top of this file. */
const ROWS: Readonly<Record<Availability, Row>> = {
  ready: { rank: 0, shortage: "open", tier: "ready", absence: undefined },
  probing: { rank: 1, shortage: "open", tier: "probing", absence: undefined },
  credits: { rank: 2, shortage: "open", tier: "credits", absence: undefined },
  at_floor: { rank: 3, shortage: "open", tier: "at_floor", absence: undefined },
  exhausted: { rank: 4, shortage: "open", tier: "exhausted", absence: "exhausted" },
  last_resort: { rank: 5, shortage: "open", tier: "last_resort", absence: undefined },
  cooling: { rank: 6, shortage: "cooling", tier: "resting", absence: "resting" },
  full: { rank: undefined, shortage: "open", tier: "full", absence: undefined },
  limited: { ...OUT, absence: "limited", shortage: "limited" },
  kept_back: { rank: undefined, shortage: "limited", tier: "kept_back", absence: "limited" },
  disabled: { ...OUT, shortage: "disabled" },
  draining: OUT,
  cannot_read: OUT,
  without_model: OUT,
  without_tag: OUT,
  tried: OUT,
  turns_only: OUT,
};
