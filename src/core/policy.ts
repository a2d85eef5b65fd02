// Which upstream takes a request: pure rules over candidates. `pool.ts` builds the candidates and keeps the state.
//
// Candidates fall into tiers, and only the best tier that anyone is in is chosen from:
//   ready      available, with known room, not held back by its slow start
//   probing    the same, but it has as many requests under way as a recovering account may have
//   credits    available, but only credits are left
//   exhausted  available, although its figures say that no quota is left
//   resting    cooling after a fault ("least bad": the one whose cooldown ends first)
// Disabled accounts, those out of quota until a reset, those that cannot read the session and those that do not have
// the model are in no tier. A request that spends nothing excludes only disabled ones and those without the model.

import {
  type ScoreWeights,
  type Standing,
  UNKNOWN_SHARE,
  type WindowStanding,
  weightedMean,
} from "./standing.ts";

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
}

/** What choosing needs to know of one upstream. */
export interface Candidate {
  readonly id: string;
  /** `available`: may take work. `resting`: merely cooling after a fault. `limited`: out of quota till a reset. */
  readonly state: "available" | "resting" | "limited" | "disabled";
  /** Figures say that nothing is left, although no request was refused yet. */
  readonly exhausted: boolean;
  /** True if credits are left. */
  readonly credits: boolean;
  /** It keeps the sessions it has and takes no new ones. */
  readonly draining: boolean;
  /** It recovers from a rest, and has as many requests under way as it may have for now. */
  readonly full: boolean;
  /** Requests under way. */
  readonly inFlight: number;
  /** 0..1, higher is better. */
  readonly score: number;
  readonly windows: Standing["windows"];
  /** When resting ends, Unix ms; 0 when not resting. */
  readonly untilMs: number;
}

export interface ChoiceContext {
  readonly settings: PolicySettings;
  /** It uses the allowance; what does not, an account without any can serve as well. */
  readonly spends: boolean;
  readonly nowMs: number;
  /** The upstream that served last; with `round_robin` the one chosen last. */
  readonly activeId: string | undefined;
  readonly pinnedId: string | undefined;
  /** The upstream that the request's session belongs to. */
  readonly boundId: string | undefined;
  /** Only these can read the session's history; undefined: anyone can. */
  readonly readers: ReadonlySet<string> | undefined;
  /** Ids of the upstreams that have the requested model; undefined: any may have it. */
  readonly offering: ReadonlySet<string> | undefined;
  /** Upstreams that already failed this request. */
  readonly tried: ReadonlySet<string>;
  /** Whoever can read the history is looked for, so that those which take no new sessions are asked as well. */
  readonly searching: boolean;
}

/** `switched`: another upstream than the active one, by decision of the policy. */
export interface Choice {
  readonly id: string;
  readonly reason: ChoiceReason;
  readonly switched: boolean;
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
  | "least-bad";

export type Tier = "ready" | "probing" | "credits" | "exhausted" | "resting";

/** Best first. */
export const TIERS: readonly Tier[] = ["ready", "probing", "credits", "exhausted", "resting"];

/**
 * Chooses among `candidates` (in list order), or returns undefined when none of them may be used at all. Order of
 * rules: the best tier; in it the pin, the session's own account, the policy. A pin is not held back by a slow start.
 */
export function choose(candidates: readonly Candidate[], context: ChoiceContext): Choice | undefined {
  const best = bestTier(candidates, context);
  if (best === undefined) return undefined;
  const { pinnedId, boundId } = context;
  const serves = (id: string | undefined): id is string =>
    id !== undefined && mayServe(id, candidates, best, context);
  if (best !== "resting" && serves(pinnedId)) return { id: pinnedId, reason: "pinned", switched: false };
  if (best !== "resting" && serves(boundId)) return { id: boundId, reason: "affinity", switched: false };
  const open = (candidate: Candidate) => tierOf(candidate, context) === best;
  return best === "resting" ? leastBad(candidates, open) : byPolicy(candidates, open, context);
}

/** The tier of a candidate for a request; undefined when it may not be used for it at all. */
export function tierOf(candidate: Candidate, context: ChoiceContext): Tier | undefined {
  const { id, state } = candidate;
  if (state === "disabled" || context.tried.has(id)) return undefined;
  if (context.offering?.has(id) === false) return undefined;
  if (candidate.draining && !context.searching && id !== context.pinnedId && id !== context.boundId)
    return undefined;
  if (context.spends && (state === "limited" || context.readers?.has(id) === false)) return undefined;
  if (state === "resting") return "resting";
  if (!context.spends) return "ready";
  if (candidate.exhausted) return candidate.credits ? "credits" : "exhausted";
  return candidate.full ? "probing" : "ready";
}

/**
 * How much an account's allowance calls for being spent: what is left of each window, over the share of the window's
 * time that is left, weighted. 1: just right; above: some of it would expire unused; below: it is being spent early.
 * Unknown windows count as 0.30 left, and a window without a known reset as one that has just begun.
 */
export function urgency(
  { windows }: Pick<Candidate, "windows">,
  weights: ScoreWeights,
  nowMs: number,
): number {
  return weightedMean(windows, weights, (window) => pace(window, nowMs));
}

// --- internal ---

function bestTier(candidates: readonly Candidate[], context: ChoiceContext): Tier | undefined {
  let best: Tier | undefined;
  for (const candidate of candidates) {
    const tier = tierOf(candidate, context);
    if (tier === "ready") return tier;
    if (tier !== undefined && (best === undefined || TIERS.indexOf(tier) < TIERS.indexOf(best))) best = tier;
  }
  return best;
}

function mayServe(id: string, candidates: readonly Candidate[], best: Tier, context: ChoiceContext): boolean {
  const candidate = candidates.find((one) => one.id === id);
  const tier = candidate === undefined ? undefined : tierOf(candidate, context);
  return tier === best || (tier === "probing" && id === context.pinnedId);
}

type Test = (candidate: Candidate) => boolean;

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

/** The greatest by `compare` among the open ones; the first among equals. */
function best(
  all: readonly Candidate[],
  open: Test,
  compare: (a: Candidate, b: Candidate) => number,
): Candidate | undefined {
  let top: Candidate | undefined;
  for (const candidate of all)
    if (open(candidate) && (top === undefined || compare(candidate, top) > 0)) top = candidate;
  return top;
}

function leastBad(all: readonly Candidate[], open: Test): Choice | undefined {
  const soonest = best(all, open, (a, b) => b.untilMs - a.untilMs);
  return soonest && { id: soonest.id, reason: "least-bad", switched: true };
}

/** The last minutes of a window would make any rest of it look infinitely urgent. */
const LEAST_TIME_SHARE = 0.01;

function pace({ left, resetAtMs, lengthMs }: WindowStanding, nowMs: number): number {
  const time = resetAtMs === undefined ? 1 : (resetAtMs - nowMs) / lengthMs;
  return (left ?? UNKNOWN_SHARE) / Math.min(1, Math.max(LEAST_TIME_SHARE, time));
}
