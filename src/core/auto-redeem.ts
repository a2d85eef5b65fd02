// Decides whether a reset credit is spent automatically, and on which account. Pure.

import type { Candidate } from "./availability.ts";
import { exhaustedWindow } from "./quota-summary.ts";
import { firstExpiryMs, type ResetCredits } from "./reset-credits.ts";

/** When codexlb may spend credits by itself. */
export const AUTO_REDEEM_CASES = ["never", "pool_exhausted"] as const;
export type AutoRedeemCase = (typeof AUTO_REDEEM_CASES)[number];

/** `[policy.auto_redeem]`. */
export interface AutoRedeemSettings {
  readonly when: AutoRedeemCase;
  /** A credit is spent only if the first reset is further away, ms. */
  readonly minWaitMs: number;
  /** How many credits of the pool are never spent automatically. */
  readonly keep: number;
  /** The most attempts in a day. */
  readonly perDay: number;
}

/** The automatic attempts to spend a credit of an account, as the store keeps them. */
export interface AutoRedeems {
  /** The day of the local calendar, `2026-01-31`. */
  readonly day: string;
  /** Attempts on this day, including those that failed. */
  readonly attempts: number;
  /** When the last credit was spent, Unix ms; 0 if none was. */
  readonly redeemedMs: number;
}

/** An account of this proxy, under its main limit. */
export interface RedeemCandidate {
  readonly candidate: Candidate;
  /** The credits that it can spend now; undefined if that is unknown. */
  readonly credits: ResetCredits | undefined;
  readonly attempts: AutoRedeems | undefined;
}

export interface AutoRedeemView {
  readonly settings: AutoRedeemSettings;
  /** Unix ms. */
  readonly nowMs: number;
  /** The day of `nowMs`. */
  readonly day: string;
}

/**
 * The id of the account whose credit is to be spent now; undefined if none is. `others`: the child proxies, which can
 * also serve, but whose accounts' credits this proxy cannot spend.
 */
export function autoRedeemId(
  accounts: readonly RedeemCandidate[],
  others: readonly Candidate[],
  { settings, nowMs, day }: AutoRedeemView,
): string | undefined {
  if (settings.when === "never") return undefined;
  const attempts = accounts.reduce((sum, one) => sum + attemptsOn(one.attempts, day), 0);
  const credits = accounts.reduce((sum, one) => sum + (one.credits?.count ?? 0), 0);
  if (attempts >= settings.perDay || credits <= settings.keep) return undefined;
  const members = [...accounts.map(({ candidate }) => candidate), ...others].filter(isInService);
  // A reset at an unknown time may be soon.
  if (!members.every((member) => isExhausted(member) && backMs(member) > nowMs + settings.minWaitMs))
    return undefined;
  return accounts
    .filter(({ candidate, credits: own }) => canBeReset(candidate) && (own?.count ?? 0) > 0)
    .sort((a, b) => expiryOf(a) - expiryOf(b) || backMs(b.candidate) - backMs(a.candidate))[0]?.candidate.id;
}

/** The attempts after one more on `day`. */
export function withAttempt(before: AutoRedeems | undefined, day: string): AutoRedeems {
  return { day, attempts: attemptsOn(before, day) + 1, redeemedMs: before?.redeemedMs ?? 0 };
}

/** What two replicas have counted of the same account. Returns `own` itself if `other` adds nothing. */
export function mergedAttempts(own: AutoRedeems | undefined, other: AutoRedeems): AutoRedeems {
  if (own === undefined) return other;
  const { day, attempts } = other.day > own.day ? other : own;
  const most = other.day === own.day ? Math.max(own.attempts, other.attempts) : attempts;
  const redeemedMs = Math.max(own.redeemedMs, other.redeemedMs);
  if (day === own.day && most === own.attempts && redeemedMs === own.redeemedMs) return own;
  return { day, attempts: most, redeemedMs };
}

// --- internal ---

function attemptsOn(attempts: AutoRedeems | undefined, day: string): number {
  return attempts?.day === day ? attempts.attempts : 0;
}

/**
 * Accounts that need a new login, or that the user disabled or drains, cannot take new sessions anyway. A free credit is
 * spent before the user pays for an API key, so a key does not count either, whatever it may still spend.
 */
function isInService({ condition, draining, turnsOnly }: Candidate): boolean {
  return condition !== "disabled" && !draining && !turnsOnly;
}

/** True if a limit keeps it from serving. An account at its floor still has quota, so it is not exhausted. */
function isExhausted({ condition, summary }: Candidate): boolean {
  return (condition === "exhausted" || condition === "limited") && summary.exhausted;
}

/** True if an exhausted window is the reason. A credit does not lift a limit of the account's workspace. */
function canBeReset(candidate: Candidate): boolean {
  return isInService(candidate) && isExhausted(candidate) && exhaustedWindow(candidate.summary) !== undefined;
}

/** When it can serve again, Unix ms; 0 if that is unknown. */
function backMs({ untilMs, summary }: Candidate): number {
  return Math.max(untilMs, summary.exhaustedUntilMs ?? 0);
}

function expiryOf({ credits }: RedeemCandidate): number {
  return (credits && firstExpiryMs(credits)) ?? Number.POSITIVE_INFINITY;
}
