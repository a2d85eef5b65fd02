// Credits, the workspace's limit for a member, and the workspace's spend control. Every part has its own date, because
// the sources report different parts.

import { believableEnd, LONGEST_NAME, shortText } from "./bounds.ts";

/** A value with the time at which it was true (Unix ms). */
export interface Dated<Value> {
  readonly value: Value;
  readonly asOfMs: number;
}

export interface Credits {
  readonly hasCredits: boolean;
  readonly unlimited: boolean;
  /** The balance in the backend's unit; 0 if the backend gives no number. */
  readonly balance: number;
}

/** A workspace's limit for one member. */
export interface IndividualLimit {
  /** 0..100. */
  readonly remainingPercent: number;
  /** When the limit resets, Unix ms; undefined when unknown. */
  readonly resetAtMs: number | undefined;
}

export interface Spending {
  readonly credits: Dated<Credits> | undefined;
  /** A value of undefined: the backend reports no such limit. */
  readonly individual: Dated<IndividualLimit | undefined> | undefined;
  /** True if the workspace has reached the spend limit set by its owner. */
  readonly spendControl: Dated<boolean> | undefined;
  /** The backend's code for why nothing is left; a value of undefined: something is left. */
  readonly reachedType: Dated<string | undefined> | undefined;
  /** Until when credits are not used again, after a request was refused despite credits. */
  readonly creditsRefused: Dated<number> | undefined;
}

export const UNKNOWN_SPENDING: Spending = {
  credits: undefined,
  individual: undefined,
  spendControl: undefined,
  reachedType: undefined,
  creditsRefused: undefined,
};

/** Merges `evidence` into `known`. The newer value of each part wins. */
export function mergeSpending(known: Spending, evidence: Spending): Spending {
  if (evidence === UNKNOWN_SPENDING) return known;
  return {
    credits: newer(known.credits, evidence.credits),
    individual: newer(known.individual, evidence.individual),
    spendControl: newer(known.spendControl, evidence.spendControl),
    reachedType: newer(known.reachedType, evidence.reachedType),
    creditsRefused: newer(known.creditsRefused, evidence.creditsRefused),
  };
}

/** The plausible part of untrusted `spending`, at `nowMs`. */
export function believableSpending(spending: Spending, nowMs: number): Spending {
  if (spending === UNKNOWN_SPENDING) return spending;
  const dated = <Value>(part: Dated<Value> | undefined, value: (value: Value) => Value) =>
    part && { value: value(part.value), asOfMs: Math.min(nowMs, part.asOfMs) };
  return {
    credits: dated(spending.credits, (credits) => ({
      ...credits,
      balance: Math.min(MOST_BALANCE, Math.max(0, credits.balance)),
    })),
    individual: dated(
      spending.individual,
      (limit) =>
        limit && {
          remainingPercent: Math.min(100, Math.max(0, limit.remainingPercent)),
          resetAtMs: limit.resetAtMs === undefined ? undefined : believableEnd(limit.resetAtMs, nowMs),
        },
    ),
    spendControl: dated(spending.spendControl, (reached) => reached),
    reachedType: dated(spending.reachedType, (type) => type && shortText(type, LONGEST_NAME)),
    creditsRefused: dated(spending.creditsRefused, (untilMs) => believableEnd(untilMs, nowMs) ?? nowMs),
  };
}

/** Until when the workspace forbids any use, Unix ms; undefined if it does not. Infinity if the end is unknown. */
export function forbiddenUntilMs(
  { individual, reachedType }: Spending,
  { nowMs, ttlMs }: { readonly nowMs: number; readonly ttlMs: number },
): number | undefined {
  const limit = individual?.value;
  if (limit !== undefined && limit.remainingPercent <= 0) {
    const endMs = limit.resetAtMs ?? Number.POSITIVE_INFINITY;
    if (endMs > nowMs && (limit.resetAtMs !== undefined || isFresh(individual, nowMs, ttlMs))) return endMs;
  }
  const type = reachedType?.value;
  return type !== undefined && type !== ORDINARY && isFresh(reachedType, nowMs, ttlMs)
    ? Number.POSITIVE_INFINITY
    : undefined;
}

/** True when the account can be used on credits. */
export function hasSpendableCredits(
  spending: Spending,
  view: { readonly nowMs: number; readonly ttlMs: number },
): boolean {
  const { credits, spendControl, creditsRefused } = spending;
  if (credits === undefined || !credits.value.hasCredits) return false;
  if (!credits.value.unlimited && credits.value.balance <= 0) return false;
  if (spendControl?.value === true || (creditsRefused?.value ?? 0) > view.nowMs) return false;
  return forbiddenUntilMs(spending, view) === undefined;
}

/** The next time at which one of the answers above changes without new figures, Unix ms. */
export function spendingChangeMs(
  { individual, reachedType, creditsRefused }: Spending,
  { nowMs, ttlMs }: { readonly nowMs: number; readonly ttlMs: number },
): number {
  const times = [
    individual?.value?.resetAtMs,
    individual && individual.asOfMs + ttlMs + 1,
    reachedType && reachedType.asOfMs + ttlMs + 1,
    creditsRefused?.value,
  ];
  return Math.min(...times.map((at) => (at !== undefined && at > nowMs ? at : Number.POSITIVE_INFINITY)));
}

/** Why the workspace allows no more, in the backend's words; undefined if it does, or if only a window is exhausted. */
export function workspaceReason({ reachedType }: Spending): string | undefined {
  const type = reachedType?.value;
  return type === ORDINARY ? undefined : type;
}

// --- internal ---

/** The reached type for exhausted windows. The windows themselves already say so. */
const ORDINARY = "rate_limit_reached";

const MOST_BALANCE = 1e12;

function newer<Value>(a: Dated<Value> | undefined, b: Dated<Value> | undefined): Dated<Value> | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  if (a.asOfMs !== b.asOfMs) return b.asOfMs > a.asOfMs ? b : a;
  // At equal times any fixed order works; the order of arrival must not matter.
  return JSON.stringify(b.value) > JSON.stringify(a.value) ? b : a;
}

function isFresh(part: Dated<unknown> | undefined, nowMs: number, ttlMs: number): boolean {
  return part !== undefined && nowMs - part.asOfMs <= ttlMs;
}
