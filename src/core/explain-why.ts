// The reasons in an explanation: why a candidate gets the request, or why not.

import { floorOf, windowsAtFloor } from "./account-options.ts";
import { hasTag } from "./account-tags.ts";
import { CAP_REASON, NO_CAP_REASON, RESERVED_REASON } from "./api-capacity.ts";
import { type Availability, availabilityFor, type Candidate, isRefusedKey, rankOf } from "./availability.ts";
import { disabledText } from "./health.ts";
import { type Choice, type ChoiceContext, type ChoiceReason, urgency } from "./policy.ts";
import { WINDOW_LIMITS } from "./reason-words.ts";
import { fullWords } from "./turn-limit.ts";
import type { WindowKind } from "./windows.ts";

/** Why `chosen` gets the request: what narrowed the choice to it and others, the rule, and what it costs. */
export function whyChosen(
  { reason }: Choice,
  chosen: Candidate,
  all: readonly Candidate[],
  context: ChoiceContext,
): string {
  const availability = availabilityFor(chosen, context);
  // The rule compares exhausted accounts only, so it says nothing about why one of them gets a turn.
  if (availability === "exhausted" && reason !== "pinned" && reason !== "affinity")
    return `${TRIED}, so the proxy tries it before ${all.some((one) => isLastResort(one, context)) ? "the API key" : "it refuses the turn"}`;
  const { priority } = chosen.options;
  const { preferred } = context.tags;
  const isNarrowed = reason !== "pinned" && reason !== "affinity" && reason !== "least-bad";
  const group = [
    ...(hasTag(chosen.options, preferred) ? [`the tag ${preferred.join(" or ")}`] : []),
    ...(all.some(({ options }) => options.priority !== priority) ? [`priority ${priority}`] : []),
  ].join(" and ");
  const among = isNarrowed && group !== "" ? `among those with ${group}: ` : "";
  const cost =
    availability === "at_floor"
      ? `; no other account can serve, so its kept-back quota is used${floorsReached(chosen)}`
      : "";
  return `${among}${CHOSEN[reason]}${cost}`;
}

/**
 * Why `candidate`, which has this availability, does not get the request: its availability, or what makes the chosen
 * candidate better; empty if no candidate is chosen. `aliasOf` returns the name of an upstream.
 */
export function whyNot(
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
  const first = availabilityFor(chosen, context);
  if (availability === "last_resort" && first !== "last_resort")
    return `${status(candidate, availability, context.nowMs)}; ${winner} ${first === "exhausted" ? "is tried first" : "can"}`;
  if (availability !== first) return `${status(candidate, availability, context.nowMs)}; ${winner} is not`;
  const { preferred } = context.tags;
  if (preferred.length > 0 && hasTag(chosen.options, preferred) && !hasTag(candidate.options, preferred))
    return `no tag ${preferred.join(" or ")}: ${winner} has one`;
  if (choice.reason !== "pinned" && choice.reason !== "affinity" && availability !== "cooling") {
    const { priority } = candidate.options;
    if (priority < chosen.options.priority)
      return `priority ${priority}: ${winner} has ${chosen.options.priority}`;
  }
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
      return `comes after ${winner} in the rotation`;
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
    case "last-resort":
      return `${winner} comes first in the list`;
    case "anchor":
      return `this turn only starts the 5h window of ${winner}`;
    default:
      return choice.reason satisfies never;
  }
}

export type TermName = "daily" | "weekly" | "monthly";

/** The names of windows in explanations, as in the JSON. */
export const TERM_NAMES: Readonly<Record<WindowKind, TermName>> = {
  short: "daily",
  weekly: "weekly",
  monthly: "monthly",
};

// --- internal ---

const TRIED = "exhausted according to its figures, which may be wrong";

function isLastResort(candidate: Candidate, context: ChoiceContext): boolean {
  return availabilityFor(candidate, context) === "last_resort";
}

const CHOSEN: Readonly<Record<ChoiceReason, string>> = {
  pinned: "it is pinned",
  affinity: "the session belongs to it",
  sticky: "it served last, and can still serve",
  "sticky-fallback": "the first in the list that can serve",
  rr: "next in the rotation",
  "rr-stay": "the only one in the rotation",
  "rr-fallback": "the next one in the rotation that can serve",
  "usage-stay": "it served last, and no other score is better by more than delta_percent",
  "usage-hysteresis":
    "the best score, better than that of the account that served last, by more than delta_percent",
  "usage-idle": "the same score as the account that served last, and fewer requests in flight",
  "usage-fallback": "the best score",
  "least-in-flight": "the fewest requests in flight",
  "reset-stay": "it served last, and no other is more urgent by more than delta_percent",
  "reset-aware": "the most quota left for the time until its reset",
  "least-bad": "all accounts are cooling down; its cooldown ends first",
  "last-resort": "no other account can serve, and its monthly cap is not reached",
  anchor: "this turn starts its 5h window",
};

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
      return "it is recovering, and already has the most requests allowed";
    case "credits":
      return "only credits are left";
    case "at_floor":
      return `at its floor${floorsReached(candidate)}`;
    case "kept_back":
      return `at its floor${floorsReached(candidate)}, and policy.spend_floors is "never"${ends}`;
    case "exhausted":
      return "exhausted according to its figures";
    case "last_resort":
      return "it has an API key, so it serves only if no other account can";
    case "turns_only":
      return "an API key serves only turns";
    case "cooling":
      if (closedBy === "health") return `cooling down after ${reason}${ends}`;
      return reason ?? "cooling down after a failure";
    case "limited":
      return `${LIMITED[reason ?? ""] ?? reason ?? "its limit is exhausted"}${ends}`;
    case "disabled":
      if (isRefusedKey(candidate)) return "disabled: the API refused the key";
      return closedBy === "health" ? disabledText(reason) : (reason ?? "");
    case "without_model":
      // An API key has no catalogue: it serves every model with a price.
      return candidate.turnsOnly
        ? "the model has no price ([prices] in config.toml)"
        : "it does not have the model";
    case "without_tag":
      return "it has no tag that the request requires";
    case "tried":
      return "the session's last response broke off there, so it is avoided for now";
    case "full":
      return fullWords(candidate.fullAt ?? 0, candidate.options.concurrency);
    case "cannot_read":
      return "it cannot decrypt this session's history";
    case "draining":
      return "draining: it takes no new sessions";
    default:
      return availability satisfies never;
  }
}

/** The windows that have reached their floor, in parentheses; empty for a child proxy, whose accounts have the floors. */
function floorsReached({ summary: { windows }, options }: Candidate): string {
  const texts = windowsAtFloor(windows, options).map(
    ({ kind }) => `${WINDOW_LIMITS[TERM_NAMES[kind]]}: the last ${floorOf(kind, options)} % are kept back`,
  );
  return texts.length === 0 ? "" : ` (${texts.join(", ")})`;
}

/** The words for why an account takes no turns until a reset, by the code of the reason. */
const LIMITED: Readonly<Record<string, string>> = {
  "usage-limit": "its limit is exhausted",
  [CAP_REASON]: "its monthly cap is reached",
  [NO_CAP_REASON]: "it has no monthly cap",
  [RESERVED_REASON]: "its turns in flight may reach its monthly cap",
};

function number(value: number): string {
  return value.toFixed(2);
}

const DAY_MINUTES = 24 * 60;

function duration(ms: number): string {
  if (ms < 2 * 60_000) return `${Math.ceil(ms / 1000)} s`;
  const minutes = Math.round(ms / 60_000);
  if (minutes < 120) return `${minutes} min`;
  return minutes < 2 * DAY_MINUTES
    ? `${Math.round(minutes / 60)} h`
    : `${Math.round(minutes / DAY_MINUTES)} days`;
}
