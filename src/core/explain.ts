// Explains where the next request would go: the state and the score of each account, and why it would or would not be
// chosen. The explanation uses the functions of the choice itself.

import { allowsTags } from "./account-tags.ts";
import { availabilityFor, type Candidate, rankOf, type Tier, tierOf } from "./availability.ts";
import { TERM_NAMES, type TermName, whyChosen, whyNot } from "./explain-why.ts";
import { compareNames } from "./outage.ts";
import { type ChoiceContext, type ChoiceReason, choose, type PolicyMode, urgency } from "./policy.ts";
import { UNKNOWN_SHARE, weightOf } from "./quota-summary.ts";
import { presentOf } from "./windows.ts";

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
  readonly priority: number;
  readonly tags: readonly string[];
  readonly why: string;
}

/** `share` (0.30 when unknown) times `weight` (of 1) is what the window adds to the score. */
export interface ScoreTerm {
  /** `daily` is the short window. */
  readonly window: TermName;
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
        ? whyChosen(choice, candidate, candidates, context)
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
      priority: candidate.options.priority,
      tags: candidate.options.tags,
      why: `${why}${recovers}`,
    };
  });
  const back = choice === undefined ? firstBack(candidates, context, aliasOf) : undefined;
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

/**
 * Why accounts with the best availability but a lower priority, and accounts at their floor, do not get the next turn: by
 * id. Empty if no account would get it.
 */
export function passedOver({ chosen, reason, accounts }: PoolExplanation): ReadonlyMap<string, string> {
  const [first] = accounts;
  if (first === undefined || chosen === undefined) return new Map();
  const decides = reason !== "pinned" && reason !== "affinity";
  const isPassedOver = ({ tier, priority }: AccountExplanation) =>
    tier === "kept_back" ||
    (tier === "at_floor" && first.tier !== "at_floor") ||
    (tier === "last_resort" && first.tier !== "last_resort") ||
    (decides && tier === first.tier && priority < first.priority);
  return new Map(accounts.filter(isPassedOver).map(({ id, why }) => [id, why]));
}

// --- internal ---

/**
 * The account whose limit or cooldown ends first, of those that could take the request then. Times count in whole seconds,
 * as in the status, so that both name the same account.
 */
function firstBack(
  candidates: readonly Candidate[],
  { readers, tags, nowMs }: ChoiceContext,
  aliasOf: (id: string) => string | undefined,
): Candidate | undefined {
  const waiting = candidates.filter(
    ({ id, options, untilMs }) => readers?.has(id) !== false && allowsTags(options, tags) && untilMs > nowMs,
  );
  const seconds = ({ untilMs }: Candidate) => Math.ceil((untilMs - nowMs) / 1000);
  const name = ({ id }: Candidate) => aliasOf(id) ?? id;
  return waiting.sort((a, b) => seconds(a) - seconds(b) || compareNames(name(a), name(b)))[0];
}

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
