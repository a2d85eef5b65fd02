// Explains where the next request would go: the state and the score of each account, and why it would or would not be
// chosen. The explanation uses the functions of the choice itself.

import {
  type Availability,
  availabilityFor,
  type Candidate,
  rankOf,
  type Tier,
  tierOf,
} from "./availability.ts";
import { disabledText } from "./health.ts";
import {
  type Choice,
  type ChoiceContext,
  type ChoiceReason,
  choose,
  type PolicyMode,
  urgency,
} from "./policy.ts";
import { UNKNOWN_SHARE, weightOf } from "./quota-summary.ts";
import { presentOf, type WindowKind } from "./windows.ts";

/** What an explanation shows of an account or a child proxy, in addition to its candidate. */
export interface ExplainedUpstream {
  readonly id: string;
  readonly alias: string;
  /** Name of the limit that counts for the model, unless it is the main one. */
  readonly limit: string | undefined;
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
  /** True if only the session's account (and others of its workspace) can decrypt its history. */
  readonly held: boolean;
  readonly pinned: string | undefined;
  /** Alias of the account that would get the request, and the rule that decides. */
  readonly chosen: string | undefined;
  readonly reason: ChoiceReason | undefined;
  /** If no account can take the request: when the first one can again, Unix ms. */
  readonly back_at_ms: number | undefined;
  /** Alias of that account. */
  readonly back: string | undefined;
  /** The chosen account first, then in list order. */
  readonly accounts: readonly AccountExplanation[];
}

export interface AccountExplanation {
  readonly alias: string;
  readonly id: string;
  readonly tier: Tier;
  readonly in_flight: number;
  readonly score: number;
  readonly terms: readonly ScoreTerm[];
  /** Name of the limit that counts for the model, unless it is the main one. */
  readonly limit: string | undefined;
  /** What is left relative to the time that is left; 1 is balanced. */
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
  accounts: readonly ExplainedUpstream[],
  candidates: readonly Candidate[],
  context: ChoiceContext,
  { session, model }: ExplainedRequest,
): PoolExplanation {
  const choice = choose(candidates, context);
  const aliasOf = (id: string | undefined) => accounts.find((account) => account.id === id)?.alias;
  const lines = candidates.map((candidate, index): AccountExplanation => {
    const account = accounts[index];
    const availability = availabilityFor(candidate, context);
    const recovers =
      candidate.ramp === undefined || rankOf(availability) === undefined
        ? ""
        : `; recovering, at most ${candidate.ramp} at a time`;
    const why =
      choice?.id === candidate.id
        ? CHOSEN[choice.reason]
        : whyNot(candidate, availability, choice, candidates, context, aliasOf);
    return {
      alias: account?.alias ?? candidate.id,
      id: candidate.id,
      tier: tierOf(availability),
      in_flight: candidate.inFlight,
      score: candidate.score,
      terms: termsOf(candidate, context),
      limit: account?.limit,
      urgency: urgency(candidate, context.settings.weights, context.nowMs),
      why: `${why}${recovers}`,
    };
  });
  const back = choice === undefined ? firstBack(candidates, context) : undefined;
  return {
    mode: context.settings.mode,
    session,
    model,
    bound_to: aliasOf(context.boundId),
    held: context.readers !== undefined,
    pinned: aliasOf(context.pinnedId),
    chosen: aliasOf(choice?.id),
    reason: choice?.reason,
    back_at_ms: back?.untilMs,
    back: aliasOf(back?.id),
    accounts: lines.sort((a, b) => Number(b.id === choice?.id) - Number(a.id === choice?.id)),
  };
}

// --- internal ---

const CHOSEN: Readonly<Record<ChoiceReason, string>> = {
  pinned: "it is pinned",
  affinity: "the session belongs to it",
  sticky: "it served last, and can still serve",
  "sticky-fallback": "the first in the list that can serve",
  rr: "its turn in the round",
  "rr-stay": "the only one in the round",
  "rr-fallback": "the next in the round that can serve",
  "usage-stay": "it served last, and no other score is better by more than delta_percent",
  "usage-hysteresis": "the best score, better than the last one's by more than delta_percent",
  "usage-idle": "the same score as the last one, and fewer requests in flight",
  "usage-fallback": "the best score",
  "least-in-flight": "the fewest requests in flight",
  "reset-stay": "it served last, and no other is more urgent by more than delta_percent",
  "reset-aware": "the most quota left for the time until its reset",
  "least-bad": "all accounts are cooling down; its cooldown ends first",
};

function whyNot(
  candidate: Candidate,
  availability: Availability,
  choice: Choice | undefined,
  candidates: readonly Candidate[],
  context: ChoiceContext,
  aliasOf: (id: string) => string | undefined,
): string {
  if (rankOf(availability) === undefined) return status(candidate, availability, context.nowMs);
  const chosen = candidates.find((one) => one.id === choice?.id);
  if (choice === undefined || chosen === undefined) return "";
  const winner = aliasOf(chosen.id) ?? chosen.id;
  if (availability !== availabilityFor(chosen, context))
    return `${status(candidate, availability, context.nowMs)}; ${winner} is not`;
  switch (choice.reason) {
    case "pinned":
      return `${winner} is pinned`;
    case "affinity":
      return `the session belongs to ${winner}`;
    case "sticky":
    case "sticky-fallback":
      return `${winner} comes first`;
    case "rr":
    case "rr-stay":
    case "rr-fallback":
      return `its turn comes after ${winner}'s`;
    case "usage-stay":
      return `score ${number(candidate.score)}: not better than ${winner}'s ${number(chosen.score)} by more than ${number(Math.max(0, context.settings.deltaPercent) / 100)}`;
    case "usage-hysteresis":
    case "usage-idle":
    case "usage-fallback":
      return `score ${number(candidate.score)}: ${winner} has ${number(chosen.score)}${candidate.score === chosen.score ? ` and ${chosen.inFlight} in flight` : ""}`;
    case "least-in-flight":
      return candidate.inFlight === chosen.inFlight
        ? `${candidate.inFlight} in flight like ${winner}, and score ${number(candidate.score)}: ${winner} has ${number(chosen.score)}`
        : `${candidate.inFlight} in flight: ${winner} has ${chosen.inFlight}`;
    case "reset-stay":
      return `urgency ${pace(candidate, context)}: not more than ${winner}'s ${pace(chosen, context)} by more than ${context.settings.deltaPercent} percent`;
    case "reset-aware":
      return `urgency ${pace(candidate, context)}: ${winner} has ${pace(chosen, context)}`;
    case "least-bad":
      return `its cooldown ends after ${winner}'s`;
    default:
      return choice.reason satisfies never;
  }
}

function pace(candidate: Candidate, { settings, nowMs }: ChoiceContext): string {
  return number(urgency(candidate, settings.weights, nowMs));
}

/** Describes an upstream that is not chosen because of its availability. */
function status(candidate: Candidate, availability: Availability, nowMs: number): string {
  const { reason, closedBy, untilMs } = candidate;
  const leftMs = untilMs - nowMs;
  const ends = leftMs > 0 ? `, for ${duration(leftMs)} more` : "";
  switch (availability) {
    case "ready":
      return "ready";
    case "probing":
      return "it is recovering and already has as many requests in flight as it may";
    case "credits":
      return "only credits are left";
    case "exhausted":
      return "exhausted according to its figures";
    case "cooling":
      if (closedBy === "health") return `cooling down after ${reason}${ends}`;
      return reason ?? "cooling down after a failure";
    case "limited":
      return `${reason === undefined || reason === USAGE_LIMIT ? "its limit is exhausted" : reason}${ends}`;
    case "disabled":
      return closedBy === "health" ? disabledText(reason) : (reason ?? "");
    case "without_model":
      return "it does not have the model";
    case "tried":
      return "the session's last answer broke off there, so the session avoids it once";
    case "cannot_read":
      return "it cannot decrypt this session's history";
    case "draining":
      return "draining: it takes no new sessions";
    default:
      return availability satisfies never;
  }
}

/** The account whose limit or cooldown ends first, of those that could take the request then. */
function firstBack(
  candidates: readonly Candidate[],
  { readers, nowMs }: ChoiceContext,
): Candidate | undefined {
  const waiting = candidates.filter(({ id, untilMs }) => readers?.has(id) !== false && untilMs > nowMs);
  return waiting.sort((a, b) => a.untilMs - b.untilMs)[0];
}

/** The reason of a refusal because of a limit. */
const USAGE_LIMIT = "usage-limit";

const TERM_NAMES: Readonly<Record<WindowKind, ScoreTerm["window"]>> = {
  short: "daily",
  weekly: "weekly",
  monthly: "monthly",
};

function termsOf({ summary: { windows } }: Candidate, { settings }: ChoiceContext): ScoreTerm[] {
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

const DAY_MINUTES = 24 * 60;

function duration(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  if (minutes < 1) return `${Math.ceil(ms / 1000)} s`;
  if (minutes < 120) return `${minutes} min`;
  return minutes < 2 * DAY_MINUTES
    ? `${Math.round(minutes / 60)} h`
    : `${Math.round(minutes / DAY_MINUTES)} days`;
}
