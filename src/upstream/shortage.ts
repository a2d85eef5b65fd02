// Explains why no upstream can take a request, and when one can.

import { type FloorName, floorsReached, OPTION_NAMES, type OptionValues } from "../core/account-options.ts";
import type { TagNeeds } from "../core/account-tags.ts";
import { CAP_REASON } from "../core/api-capacity.ts";
import { type Candidate, isRefusedKey, shortageGroupOf } from "../core/availability.ts";
import { FLOOR_REASON } from "../core/capacity.ts";
import { disabledText, OPERATOR_REASON } from "../core/health.ts";
import { exhaustedWindow } from "../core/quota-summary.ts";
import { reasonWords } from "../core/reason-words.ts";
import { fullWords } from "../core/turn-limit.ts";
import type { WindowKind } from "../core/windows.ts";
import type { Upstream } from "./upstream.ts";

export interface Shortage {
  readonly kind: "no_accounts" | "all_exhausted" | "all_disabled" | "all_full" | "all_tried";
  /** When the first account has room again, Unix ms; undefined if none waits for a reset. */
  readonly untilMs: number | undefined;
  /** That account or child proxy. */
  readonly first?: FirstReset | undefined;
  /** When the first cooldown after a fault ends, Unix ms; undefined if there is none. */
  readonly coolingUntilMs: number | undefined;
  /** How many accounts are disabled. */
  readonly disabled: number;
  /** True if accounts of this proxy are among them. */
  readonly ofAccounts: boolean;
  /** The full accounts, by alias. */
  readonly full?: readonly string[];
  /** The accounts of this proxy that a person disabled, by alias. */
  readonly disabledByOperator: readonly string[];
  /** The accounts that are kept back because they have reached a floor. */
  readonly keptBack: readonly KeptBackAccount[];
  /** The accounts with an API key that have reached their monthly cap, by alias. */
  readonly atCap: readonly string[];
  /** The accounts with an API key that the API refused, by alias. */
  readonly refusedKeys?: readonly string[];
  /** The model, if an API key does not serve it because it has no price. */
  readonly unpriced?: string | undefined;
  /** `alias (reason)` of each. */
  readonly details: readonly string[];
  /** The limit that counts for the model, unless it is the main one. */
  readonly limitId?: string | undefined;
  /** The model, if only some upstreams have it. The other upstreams are not counted. */
  readonly model?: string | undefined;
  /** The tags that the request requires, one of each list. The accounts without them are not counted. */
  readonly requiredTags?: TagNeeds["required"];
}

/** The account or child proxy that has room again first. */
export interface FirstReset {
  /** Alias or name. */
  readonly label: string;
  /** The window that is then reset; undefined if it is unknown, or another limit counts. */
  readonly window: WindowKind | undefined;
}

/** An account that its floors keep back. */
export interface KeptBackAccount {
  readonly alias: string;
  /** The floors that it has reached, as the options name them. */
  readonly floors: readonly FloorName[];
  /** Those of `floors` that config.toml sets, so no command can remove them. */
  readonly floorsInFile: readonly FloorName[];
}

/** An upstream that could take the request if it were available. */
export interface ShortUpstream {
  readonly kind: Upstream["kind"];
  readonly label: string;
  readonly candidate: Candidate;
  /** Its options in config.toml. */
  readonly fileOptions: OptionValues;
}

/** The shortage among `all`, the upstreams that could take the request if they were available. */
export function shortageOf(all: readonly ShortUpstream[], nowMs: number): Shortage {
  const limited = endsIn(all, "limited");
  const cooling = endsIn(all, "cooling");
  const disabled = endsIn(all, "disabled").length;
  // A draining upstream takes nothing new, as if it were disabled.
  const draining = endsIn(all, "draining").length;
  const full = all.filter(({ candidate }) => groupOf(candidate) === "full").map(({ label }) => label);
  // `untilMs` is 0 if the end is unknown.
  const limits = limited.filter((untilMs) => untilMs > 0);
  const untilMs = limits.length === 0 ? undefined : Math.min(...limits);
  return {
    kind: kindOf(all.length, {
      closed: disabled + draining,
      limited: limited.length,
      cooling: cooling.length,
      full: full.length,
    }),
    untilMs,
    first: firstReset(all, untilMs),
    // The end of a child proxy's cooldown may be unknown (0).
    coolingUntilMs: cooling.length === 0 ? undefined : Math.max(nowMs, Math.min(...cooling)),
    disabled,
    full,
    ofAccounts: all.some(({ kind }) => kind === "account"),
    disabledByOperator: all.flatMap(({ kind, label, candidate }) =>
      kind === "account" && groupOf(candidate) === "disabled" && candidate.reason === OPERATOR_REASON
        ? [label]
        : [],
    ),
    keptBack: all.flatMap((one) => (one.candidate.condition === "kept_back" ? [keptBackOf(one)] : [])),
    atCap: all.flatMap(({ label, candidate }) => (candidate.reason === CAP_REASON ? [label] : [])),
    refusedKeys: all.flatMap(({ label, candidate }) => (isRefusedKey(candidate) ? [label] : [])),
    details: all.map((one) => `${one.label} (${describe(one.candidate, nowMs)})`),
  };
}

// --- internal ---

function keptBackOf({ label, candidate: { summary, options }, fileOptions }: ShortUpstream): KeptBackAccount {
  const floors = floorsReached(summary.windows, options);
  const isInFile = (floor: FloorName) => fileOptions[OPTION_NAMES[`floor_${floor}`]] !== undefined;
  return { alias: label, floors, floorsInFile: floors.filter(isInFile) };
}

type Group = ReturnType<typeof groupOf>;

function groupOf({ condition, draining, fullAt }: Candidate) {
  const group = shortageGroupOf(condition);
  if (group !== "open") return group;
  if (draining) return "draining";
  return fullAt === undefined ? group : "full";
}

function kindOf(
  all: number,
  { closed, limited, cooling, full }: Readonly<Record<"closed" | "limited" | "cooling" | "full", number>>,
): Shortage["kind"] {
  if (all === 0) return "no_accounts";
  if (closed === all) return "all_disabled";
  if (full > 0 && full + closed + limited + cooling === all) return "all_full";
  return limited > 0 && limited + closed === all ? "all_exhausted" : "all_tried";
}

/** When each upstream in `group` leaves it, Unix ms; 0 if unknown. */
function endsIn(all: readonly ShortUpstream[], group: Group): number[] {
  return all.flatMap(({ candidate }) => (groupOf(candidate) === group ? [candidate.untilMs] : []));
}

function firstReset(all: readonly ShortUpstream[], untilMs: number | undefined): FirstReset | undefined {
  const first = all.find(
    ({ candidate }) => groupOf(candidate) === "limited" && candidate.untilMs === untilMs,
  );
  return first && { label: first.label, window: exhaustedWindow(first.candidate.summary)?.kind };
}

function describe(candidate: Candidate, nowMs: number): string {
  const { reason, closedBy, untilMs } = candidate;
  const group = groupOf(candidate);
  const words = reason === undefined ? "unavailable" : reasonWords(reason);
  switch (group) {
    case "open":
      return "failed this request";
    case "draining":
      return "draining";
    case "full":
      return fullWords(candidate.fullAt ?? 0, candidate.options.concurrency);
    case "cooling":
    case "limited": {
      const left = Math.ceil((untilMs - nowMs) / 1000);
      const why = reason === FLOOR_REASON ? "kept back by its floor" : words;
      return left > 0 ? `${why}, ${left} s left` : why;
    }
    case "disabled":
      if (isRefusedKey(candidate)) return "the API refused its key";
      return closedBy === "health" ? disabledText(reason) : words;
    default:
      return group satisfies never;
  }
}
