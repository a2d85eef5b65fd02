// Why the next request would go where it goes: for each account what it is, what it is worth, and why it would or
// would not be chosen. It asks the same rules as the choice itself.

import { coolingLeftMs, HEALTHY, healthAt } from "./health.ts";
import {
  type Candidate,
  type Choice,
  type ChoiceContext,
  type ChoiceReason,
  choose,
  type PolicyMode,
  type Tier,
  tierOf,
  urgency,
} from "./policy.ts";
import type { AccountFacts } from "./pooled.ts";
import { UNKNOWN_SHARE, weightOf } from "./standing.ts";
import { presentOf, type WindowKind } from "./windows.ts";

/** An account or a child proxy as the explanation sees it. */
export interface Explainable extends Pick<AccountFacts, "id" | "alias" | "health" | "ramp"> {
  /** Name of the limit that counts for the model, unless it is the main one. */
  readonly limit: string | undefined;
  /** Why it cannot serve, where that does not show in its health. */
  readonly why?: string | undefined;
}

/** The request to explain. */
export interface ExplainedRequest {
  readonly session: string | undefined;
  readonly model: string | undefined;
}

export interface PoolExplanation {
  readonly mode: PolicyMode;
  readonly session: string | undefined;
  readonly model: string | undefined;
  /** Alias of the account that the session is bound to. */
  readonly bound_to: string | undefined;
  /** The session's history can be read by its account (and others of its workspace) only. */
  readonly held: boolean;
  readonly pinned: string | undefined;
  /** Alias of the account that would get the request, and the rule that decides. */
  readonly chosen: string | undefined;
  readonly reason: ChoiceReason | undefined;
  /** When nobody can take it: when the first account is back by itself, Unix ms. */
  readonly back_at_ms: number | undefined;
  /** The chosen one first, then as listed. */
  readonly accounts: readonly AccountExplanation[];
}

export interface AccountExplanation {
  readonly alias: string;
  readonly id: string;
  /** `ready`, `probing`, `credits`, `exhausted`, `resting`, or `out`. */
  readonly tier: Tier | "out";
  readonly in_flight: number;
  readonly score: number;
  readonly terms: readonly ScoreTerm[];
  /** Name of the limit that counts for the model, unless it is the main one. */
  readonly limit: string | undefined;
  /** What is left for the time that is left; 1 is just right. */
  readonly urgency: number;
  readonly why: string;
}

/** `share` (0.30 when unknown) times `weight` (of 1) is what the window adds to the score. */
export interface ScoreTerm {
  /** `daily` is the short window. */
  readonly window: "daily" | "weekly" | "monthly";
  readonly share: number;
  readonly known: boolean;
  readonly weight: number;
}

export function explanationOf(
  accounts: readonly Explainable[],
  candidates: readonly Candidate[],
  context: ChoiceContext,
  { session, model }: ExplainedRequest,
): PoolExplanation {
  const choice = choose(candidates, context);
  const aliasOf = (id: string | undefined) => accounts.find((account) => account.id === id)?.alias;
  const lines = candidates.map((candidate, index): AccountExplanation => {
    const account = accounts[index];
    return {
      alias: account?.alias ?? candidate.id,
      id: candidate.id,
      tier: tierOf(candidate, context) ?? "out",
      in_flight: candidate.inFlight,
      score: candidate.score,
      terms: termsOf(candidate, context),
      limit: account?.limit,
      urgency: urgency(candidate, context.settings.weights, context.nowMs),
      why: `${
        choice?.id === candidate.id
          ? CHOSEN[choice.reason]
          : whyNot(candidate, account, choice, candidates, context, aliasOf)
      }${account?.ramp === undefined || tierOf(candidate, context) === undefined ? "" : `; it recovers, ${account.ramp} at a time`}`,
    };
  });
  return {
    mode: context.settings.mode,
    session,
    model,
    bound_to: aliasOf(context.boundId),
    held: context.readers !== undefined,
    pinned: aliasOf(context.pinnedId),
    chosen: aliasOf(choice?.id),
    reason: choice?.reason,
    back_at_ms: choice === undefined ? backAt(candidates, context) : undefined,
    accounts: lines.sort((a, b) => Number(b.id === choice?.id) - Number(a.id === choice?.id)),
  };
}

// --- internal ---

const CHOSEN: Readonly<Record<ChoiceReason, string>> = {
  pinned: "it is pinned",
  affinity: "the session is with it",
  sticky: "it served last, and can still serve",
  "sticky-fallback": "the first in the list that can serve",
  rr: "its turn in the round",
  "rr-stay": "the only one in the round",
  "rr-fallback": "the next in the round that can serve",
  "usage-stay": "it served last, and no other score is better by more than delta_percent",
  "usage-hysteresis": "the best score, better than the last one's by more than delta_percent",
  "usage-idle": "as good a score as the last one's, and fewer requests under way",
  "usage-fallback": "the best score",
  "least-in-flight": "the fewest requests under way",
  "reset-stay": "it served last, and no other one is more urgent by more than delta_percent",
  "reset-aware": "the most left for the time to its reset",
  "least-bad": "all of them rest after faults; its rest ends first",
};

function whyNot(
  candidate: Candidate,
  account: Explainable | undefined,
  choice: Choice | undefined,
  candidates: readonly Candidate[],
  context: ChoiceContext,
  aliasOf: (id: string) => string | undefined,
): string {
  const tier = tierOf(candidate, context);
  if (tier === undefined) return whyOut(candidate, account, context);
  const chosen = candidates.find((one) => one.id === choice?.id);
  if (choice === undefined || chosen === undefined) return "";
  const winner = aliasOf(chosen.id) ?? chosen.id;
  if (tier !== tierOf(chosen, context)) return `${behind(tier, account, context)}; ${winner} is not`;
  switch (choice.reason) {
    case "pinned":
      return `${winner} is pinned`;
    case "affinity":
      return `the session is with ${winner}`;
    case "sticky":
    case "sticky-fallback":
      return `${winner} comes first`;
    case "rr":
    case "rr-stay":
    case "rr-fallback":
      return `its turn comes after ${winner}'s`;
    case "usage-stay":
      return `score ${number(candidate.score)}: not better than ${winner}'s ${number(chosen.score)} by more than ${context.settings.deltaPercent} points`;
    case "usage-hysteresis":
    case "usage-idle":
    case "usage-fallback":
      return `score ${number(candidate.score)}: ${winner} has ${number(chosen.score)}${candidate.score === chosen.score ? ` and ${chosen.inFlight} under way` : ""}`;
    case "least-in-flight":
      return candidate.inFlight === chosen.inFlight
        ? `${candidate.inFlight} under way as ${winner}, and score ${number(candidate.score)}: ${winner} has ${number(chosen.score)}`
        : `${candidate.inFlight} under way: ${winner} has ${chosen.inFlight}`;
    case "reset-stay":
      return `urgency ${pace(candidate, context)}: not more than ${winner}'s ${pace(chosen, context)} by more than ${context.settings.deltaPercent} percent`;
    case "reset-aware":
      return `urgency ${pace(candidate, context)}: ${winner} has ${pace(chosen, context)}`;
    case "least-bad":
      return `its rest ends after ${winner}'s`;
    default:
      return choice.reason satisfies never;
  }
}

function pace(candidate: Candidate, { settings, nowMs }: ChoiceContext): string {
  return number(urgency(candidate, settings.weights, nowMs));
}

function behind(tier: Tier, account: Explainable | undefined, { nowMs }: ChoiceContext): string {
  switch (tier) {
    case "ready":
      return "ready";
    case "probing":
      return "it has as many requests under way as it may";
    case "credits":
      return "only credits are left";
    case "exhausted":
      return "exhausted by its figures";
    case "resting": {
      const health = account === undefined ? HEALTHY : healthAt(account.health, nowMs);
      if (health.kind !== "cooling") return account?.why ?? "it rests after a fault";
      return `it rests after ${health.reason}, for ${duration(coolingLeftMs(health, nowMs))} more`;
    }
    default:
      return tier satisfies never;
  }
}

/** When the first limit or rest ends of those that could take it then. */
function backAt(candidates: readonly Candidate[], context: ChoiceContext): number | undefined {
  const ends = candidates
    .filter(({ id }) => context.readers?.has(id) !== false)
    .map(({ untilMs }) => untilMs)
    .filter((untilMs) => untilMs > context.nowMs);
  return ends.length === 0 ? undefined : Math.min(...ends);
}

function whyOut(candidate: Candidate, account: Explainable | undefined, context: ChoiceContext): string {
  const health = account === undefined ? HEALTHY : healthAt(account.health, context.nowMs);
  if (health.kind === "disabled") return `disabled: ${health.reason}`;
  if (candidate.state === "disabled") return account?.why ?? "";
  if (candidate.state === "limited") return whyLimited(candidate, account, context);
  if (context.offering?.has(candidate.id) === false) return "its catalogue does not list the model";
  if (context.tried.has(candidate.id))
    return "the session's last answer broke off there: it goes around it once";
  if (context.readers?.has(candidate.id) === false) return "it cannot decrypt this session's history";
  return "it drains: it takes no new sessions";
}

function whyLimited(
  { untilMs, exhausted, credits }: Candidate,
  account: Explainable | undefined,
  { nowMs }: ChoiceContext,
): string {
  const leftMs = untilMs - nowMs;
  const ends = leftMs > 0 ? `, for ${duration(leftMs)} more` : "";
  const isCooling = account !== undefined && healthAt(account.health, nowMs).kind === "cooling";
  return exhausted && credits && !isCooling
    ? `${account?.why ?? "its limit is exhausted"}${ends}`
    : `its limit is exhausted${ends}`;
}

const TERM_NAMES: Readonly<Record<WindowKind, ScoreTerm["window"]>> = {
  short: "daily",
  weekly: "weekly",
  monthly: "monthly",
};

function termsOf({ windows }: Candidate, { settings }: ChoiceContext): ScoreTerm[] {
  const present = presentOf(windows);
  const sum = present.reduce((total, { kind }) => total + weightOf(kind, settings.weights), 0);
  return present.map(({ kind, left }) => ({
    window: TERM_NAMES[kind],
    share: left ?? UNKNOWN_SHARE,
    known: left !== undefined,
    weight: sum === 0 ? 0 : weightOf(kind, settings.weights) / sum,
  }));
}

function number(value: number): string {
  return value.toFixed(2);
}

function duration(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  if (minutes < 1) return `${Math.ceil(ms / 1000)} s`;
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}
