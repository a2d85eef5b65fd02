// Which upstream takes a request: pure rules over candidates. `pool.ts` builds the candidates and keeps the state.

import { type Quota, type QuotaView, type QuotaWindow, remaining, remainingOfLimit } from "./quota.ts";

export const POLICY_MODES = ["usage_balanced", "sticky", "round_robin"] as const;
export type PolicyMode = (typeof POLICY_MODES)[number];

export interface PolicySettings {
  readonly mode: PolicyMode;
  /** How much better, in percent points of score, another account must be before `usage_balanced` moves. */
  readonly deltaPercent: number;
  readonly weights: { readonly daily: number; readonly weekly: number };
}

/** What choosing needs to know of one upstream. */
export interface Candidate {
  readonly id: string;
  /** `available`: may take work. `resting`: merely cooling after a fault. `out`: disabled or out of quota till a reset. */
  readonly state: "available" | "resting" | "out";
  /** Figures say that nothing is left, although no request was refused yet. */
  readonly exhausted: boolean;
  /** It keeps the sessions it has and takes no new ones. */
  readonly draining: boolean;
  /** 0..1, higher is better. */
  readonly score: number;
  /** When resting ends, Unix ms; 0 when not resting. */
  readonly untilMs: number;
}

export interface ChoiceContext {
  readonly settings: PolicySettings;
  /** The upstream that served last (`usage_balanced`, `sticky`) or was chosen last (`round_robin`). */
  readonly activeId: string | undefined;
  readonly pinnedId: string | undefined;
  /** The upstream that the request's session belongs to. */
  readonly boundId: string | undefined;
  /** Upstreams that already failed this request. */
  readonly tried: ReadonlySet<string>;
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
  | "usage-fallback"
  | "least-bad";

/** What an unknown window counts in a score. */
export const UNKNOWN_SHARE = 0.3;

/**
 * Chooses among `candidates` (in list order), or returns undefined when none of them may be used at all.
 * Order of rules: pin, the session's own account, policy; accounts with known room before exhausted ones;
 * when everything merely rests, the one whose rest ends first ("least bad").
 */
export function choose(candidates: readonly Candidate[], context: ChoiceContext): Choice | undefined {
  const untried = candidates.filter((candidate) => !context.tried.has(candidate.id));
  const { pinnedId, boundId } = context;
  const own = eligibleOf(untried);
  const has = (id: string | undefined): id is string =>
    id !== undefined && own.some((candidate) => candidate.id === id);
  if (has(pinnedId)) return { id: pinnedId, reason: "pinned", switched: false };
  if (has(boundId)) return { id: boundId, reason: "affinity", switched: false };
  const open = untried.filter(
    (candidate) => !candidate.draining || candidate.id === pinnedId || candidate.id === boundId,
  );
  const eligible = eligibleOf(open);
  return eligible.length === 0 ? leastBad(open) : byPolicy(candidates, eligible, context);
}

/**
 * The score of an account, 0..1: the weighted mean of what is left of its two windows (unknown counts 0.30),
 * and never more than what is left of any additional limit.
 */
export function score(quota: Quota, weights: PolicySettings["weights"], view: QuotaView): number {
  const daily = Math.max(0, weights.daily);
  const weekly = Math.max(0, weights.weekly);
  const sum = daily + weekly;
  const share = (window: QuotaWindow | undefined) => remaining(window, view) ?? UNKNOWN_SHARE;
  const base =
    sum === 0 ? 0 : (daily * share(quota.main.primary) + weekly * share(quota.main.secondary)) / sum;
  return Math.min(base, ...quota.additional.map((limit) => remainingOfLimit(limit, view)));
}

// --- internal ---

/** Those that may take work: with known room if there are any, else the exhausted ones. */
function eligibleOf(candidates: readonly Candidate[]): Candidate[] {
  const available = candidates.filter((candidate) => candidate.state === "available");
  const withRoom = available.filter((candidate) => !candidate.exhausted);
  return withRoom.length > 0 ? withRoom : available;
}

function byPolicy(
  all: readonly Candidate[],
  eligible: readonly Candidate[],
  { settings, activeId }: ChoiceContext,
): Choice | undefined {
  const first = eligible[0];
  if (first === undefined) return undefined;
  const active = eligible.find((candidate) => candidate.id === activeId);
  switch (settings.mode) {
    case "sticky":
      return active === undefined
        ? { id: first.id, reason: "sticky-fallback", switched: true }
        : { id: active.id, reason: "sticky", switched: false };
    case "round_robin":
      return roundRobin(all, eligible, activeId);
    case "usage_balanced":
      return balanced(eligible, active, settings.deltaPercent);
    default:
      return settings.mode satisfies never;
  }
}

function roundRobin(
  all: readonly Candidate[],
  eligible: readonly Candidate[],
  activeId: string | undefined,
): Choice | undefined {
  const allowed = new Set(eligible.map((candidate) => candidate.id));
  if (eligible.length === 1 && activeId !== undefined && allowed.has(activeId))
    return { id: activeId, reason: "rr-stay", switched: false };
  // An active account that cannot serve now still marks the place in the round; -1 starts at the top.
  const start = all.findIndex((candidate) => candidate.id === activeId);
  const reason = activeId !== undefined && allowed.has(activeId) ? "rr" : "rr-fallback";
  for (let step = 1; step <= all.length; step++) {
    const next = all[(start + step) % all.length];
    if (next !== undefined && allowed.has(next.id)) return { id: next.id, reason, switched: true };
  }
  return undefined;
}

function balanced(
  eligible: readonly Candidate[],
  active: Candidate | undefined,
  deltaPercent: number,
): Choice | undefined {
  const best = eligible.reduce<Candidate | undefined>(
    (top, candidate) => (top === undefined || candidate.score > top.score ? candidate : top),
    undefined,
  );
  if (best === undefined) return undefined;
  if (active === undefined) return { id: best.id, reason: "usage-fallback", switched: true };
  if (active.score < best.score - Math.max(0, deltaPercent) / 100)
    return { id: best.id, reason: "usage-hysteresis", switched: true };
  return { id: active.id, reason: "usage-stay", switched: false };
}

function leastBad(untried: readonly Candidate[]): Choice | undefined {
  const resting = untried.filter((candidate) => candidate.state === "resting");
  const soonest = resting.reduce<Candidate | undefined>(
    (best, candidate) => (best === undefined || candidate.untilMs < best.untilMs ? candidate : best),
    undefined,
  );
  return soonest === undefined ? undefined : { id: soonest.id, reason: "least-bad", switched: true };
}
