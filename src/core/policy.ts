// Chooses the upstream for a request: pure rules over candidates. Only candidates with the best availability qualify
// (core/availability.ts ranks them). Among those, the tags decide first, then the pin, then the session's own upstream,
// then the priority, then the policy.

import type { SpendFloors } from "./account-options.ts";
import { hasTag } from "./account-tags.ts";
import {
  type Availability,
  availabilityFor,
  type Candidate,
  type RequestNeeds,
  rankOf,
} from "./availability.ts";
import { type ScoreWeights, UNKNOWN_SHARE, type WindowSummary, weightedMean } from "./quota-summary.ts";

export const POLICY_MODES = [
  "usage_balanced",
  "sticky",
  "round_robin",
  "least_in_flight",
  "reset_aware",
] as const;
export type PolicyMode = (typeof POLICY_MODES)[number];

export interface PolicySettings {
  readonly mode: PolicyMode;
  /**
   * How much better another account must be before requests without a session move to it: percent points of score
   * for `usage_balanced`, percent of urgency for `reset_aware`.
   */
  readonly deltaPercent: number;
  readonly weights: ScoreWeights;
  readonly spendFloors: SpendFloors;
}

export interface ChoiceContext extends RequestNeeds {
  readonly settings: PolicySettings;
  /** Unix ms. */
  readonly nowMs: number;
  /** The upstream that served last; with `round_robin` the one chosen last. */
  readonly activeId: string | undefined;
}

export interface Choice {
  readonly id: string;
  readonly reason: ChoiceReason;
  /** True if it is another upstream than the active one, or than the one that had the turn before. */
  readonly switched: boolean;
  /** The first upstream that failed the request, if one did. */
  readonly failedId?: string | undefined;
  /** True if the session's own upstream was full. Default false. */
  readonly leavesFull?: boolean;
}

export type ChoiceReason =
  | "pinned"
  | "affinity"
  | "sticky"
  | "sticky-fallback"
  | "rr"
  | "rr-stay"
  | "rr-fallback"
  | "usage-stay"
  | "usage-hysteresis"
  | "usage-idle"
  | "usage-fallback"
  | "least-in-flight"
  | "reset-stay"
  | "reset-aware"
  | "least-bad"
  /** No other upstream can serve, so an account with an API key does. */
  | "last-resort"
  /** Only for turns that start a window (upstream/anchorer.ts). */
  | "anchor";

/**
 * Chooses among `candidates` (in list order); undefined if none takes the request. A slow start does not hold back a pin.
 * If all candidates are cooling, the one whose cooldown ends first is tried. None is tried while one is only full,
 * because its next free slot comes sooner.
 */
export function choose(candidates: readonly Candidate[], context: ChoiceContext): Choice | undefined {
  const best = bestAvailability(candidates, context);
  if (best === undefined || best === "full") return undefined;
  const isBest = (candidate: Candidate) => availabilityFor(candidate, context) === best;
  if (best === "cooling") return leastBad(candidates, isBest);
  const isWanted = tagTest(candidates, isBest, context);
  const isOpen = isWanted === undefined ? isBest : (one: Candidate) => isWanted(one) && isBest(one);
  const { pinnedId, boundId } = context;
  const serves = (id: string | undefined): id is string => {
    const candidate = id === undefined ? undefined : candidates.find((one) => one.id === id);
    if (candidate === undefined || isWanted?.(candidate) === false) return false;
    const availability = availabilityFor(candidate, context);
    return availability === best || (availability === "probing" && id === pinnedId);
  };
  if (serves(pinnedId)) return { id: pinnedId, reason: "pinned", switched: false };
  if (serves(boundId)) return { id: boundId, reason: "affinity", switched: false };
  const isFirst = firstInOrder(candidates, isOpen);
  const choice =
    best === "last_resort" ? lastResort(candidates, isFirst) : byPolicy(candidates, isFirst, context);
  // The session leaves its upstream, even if the policy stays with the one that served other sessions last.
  const leaves = choice !== undefined && boundId !== undefined && choice.id !== boundId;
  return leaves ? { ...choice, switched: true } : choice;
}

/**
 * How urgently an account's quota should be spent: what is left of each window divided by the share of the window's time
 * that is left, as a weighted mean. At 1 the quota lasts exactly until the reset; above 1 some would expire unused; below
 * 1 it will be exhausted early. An unknown window counts as 0.30 left, and a window without a known reset as just begun.
 */
export function urgency(
  { summary: { windows } }: { readonly summary: Pick<Candidate["summary"], "windows"> },
  weights: ScoreWeights,
  nowMs: number,
): number {
  return weightedMean(windows, weights, (window) => pace(window, nowMs));
}

// --- internal ---

/** `full` if only full candidates, or those and cooling ones, could take the request. */
function bestAvailability(
  candidates: readonly Candidate[],
  context: ChoiceContext,
): Availability | undefined {
  let best: Availability | undefined;
  let bestRank = Number.POSITIVE_INFINITY;
  /** `cooling`: all full candidates are cooling down as well, so their slots are worth no more than those of others. */
  let full: "serving" | "cooling" | undefined;
  for (const candidate of candidates) {
    const availability = availabilityFor(candidate, context);
    if (availability === "ready") return availability;
    if (availability === "full")
      full = full === "serving" || candidate.condition !== "cooling" ? "serving" : "cooling";
    const rank = rankOf(availability) ?? Number.POSITIVE_INFINITY;
    if (rank >= bestRank) continue;
    best = availability;
    bestRank = rank;
  }
  const isBetter = best === undefined || (best === "cooling" && full === "serving");
  return full !== undefined && isBetter ? "full" : best;
}

type Test = (candidate: Candidate) => boolean;

/** The test for the preferred tags; undefined if no tag is preferred, or no account with one is among the `best`. */
function tagTest(all: readonly Candidate[], best: Test, { tags }: ChoiceContext): Test | undefined {
  if (tags.preferred.length === 0) return undefined;
  const isPreferred: Test = ({ options }) => hasTag(options, tags.preferred);
  return all.some((one) => isPreferred(one) && best(one)) ? isPreferred : undefined;
}

/** `open`, restricted to the highest priority among the open candidates. */
function firstInOrder(all: readonly Candidate[], open: Test): Test {
  const first = all[0]?.options.priority;
  if (all.every(({ options }) => options.priority === first)) return open;
  const top = Math.max(...all.filter(open).map(({ options }) => options.priority));
  return (candidate) => candidate.options.priority === top && open(candidate);
}

function byPolicy(all: readonly Candidate[], open: Test, context: ChoiceContext): Choice | undefined {
  const { settings, activeId, nowMs } = context;
  const active = all.find((candidate) => candidate.id === activeId && open(candidate));
  switch (settings.mode) {
    case "sticky": {
      if (active !== undefined) return { id: active.id, reason: "sticky", switched: false };
      const first = all.find(open);
      return first && { id: first.id, reason: "sticky-fallback", switched: true };
    }
    case "round_robin":
      return roundRobin(all, open, active, activeId);
    case "usage_balanced":
      return balanced(all, open, active, settings.deltaPercent);
    case "least_in_flight": {
      const idle = best(all, open, (a, b) => b.inFlight - a.inFlight || a.score - b.score);
      return idle && { id: idle.id, reason: "least-in-flight", switched: idle.id !== activeId };
    }
    case "reset_aware":
      return resetAware(all, open, active, settings, nowMs);
    default:
      return settings.mode satisfies never;
  }
}

function roundRobin(
  all: readonly Candidate[],
  open: Test,
  active: Candidate | undefined,
  activeId: string | undefined,
): Choice | undefined {
  // An active account that cannot serve now still marks the place in the round; -1 starts at the top.
  const start = all.findIndex((candidate) => candidate.id === activeId);
  for (let step = 1; step <= all.length; step++) {
    const next = all[(start + step) % all.length];
    if (next === undefined || !open(next)) continue;
    if (next === active) return { id: next.id, reason: "rr-stay", switched: false };
    return { id: next.id, reason: active === undefined ? "rr-fallback" : "rr", switched: true };
  }
  return undefined;
}

function balanced(
  all: readonly Candidate[],
  open: Test,
  active: Candidate | undefined,
  deltaPercent: number,
): Choice | undefined {
  const top = best(all, open, (a, b) => a.score - b.score || b.inFlight - a.inFlight);
  if (top === undefined) return undefined;
  if (active === undefined) return { id: top.id, reason: "usage-fallback", switched: true };
  if (active.score < top.score - Math.max(0, deltaPercent) / 100)
    return { id: top.id, reason: "usage-hysteresis", switched: true };
  if (top.score === active.score && top.inFlight < active.inFlight)
    return { id: top.id, reason: "usage-idle", switched: true };
  return { id: active.id, reason: "usage-stay", switched: false };
}

function resetAware(
  all: readonly Candidate[],
  open: Test,
  active: Candidate | undefined,
  { weights, deltaPercent }: PolicySettings,
  nowMs: number,
): Choice | undefined {
  const of = (candidate: Candidate) => urgency(candidate, weights, nowMs);
  const top = best(all, open, (a, b) => of(a) - of(b) || b.inFlight - a.inFlight);
  if (top === undefined) return undefined;
  if (active !== undefined && of(active) >= of(top) * (1 - Math.max(0, deltaPercent) / 100))
    return { id: active.id, reason: "reset-stay", switched: false };
  return { id: top.id, reason: "reset-aware", switched: true };
}

/** The greatest open candidate by `compare`, which is asked first because it costs less; of equals, the first. */
function best(
  all: readonly Candidate[],
  open: Test,
  compare: (a: Candidate, b: Candidate) => number,
): Candidate | undefined {
  let top: Candidate | undefined;
  for (const candidate of all)
    if ((top === undefined || compare(candidate, top) > 0) && open(candidate)) top = candidate;
  return top;
}

function leastBad(all: readonly Candidate[], open: Test): Choice | undefined {
  const soonest = best(all, open, (a, b) => b.untilMs - a.untilMs);
  return soonest && { id: soonest.id, reason: "least-bad", switched: true };
}

/** The policies compare quota, which an API key does not have. */
function lastResort(all: readonly Candidate[], open: Test): Choice | undefined {
  const first = all.find(open);
  return first && { id: first.id, reason: "last-resort", switched: true };
}

/** A lower bound, because in the last minutes of a window any remaining quota would be almost infinitely urgent. */
const LEAST_TIME_SHARE = 0.01;

function pace({ left, resetAtMs, lengthMs }: WindowSummary, nowMs: number): number {
  const time = resetAtMs === undefined ? 1 : (resetAtMs - nowMs) / lengthMs;
  return (left ?? UNKNOWN_SHARE) / Math.min(1, Math.max(LEAST_TIME_SHARE, time));
}
