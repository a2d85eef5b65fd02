// Applies new figures. Most replies repeat the figures of the reply before. In that case everything computed from the
// figures stays valid, and only their time is newer.

import {
  isExhausted,
  type LimitQuota,
  mergeQuota,
  newestFigureMs,
  type Quota,
  type QuotaEvidence,
  type QuotaView,
} from "./quota.ts";
import {
  type Credits,
  type Dated,
  type IndividualLimit,
  type Spending,
  UNKNOWN_SPENDING,
} from "./spending.ts";
import { WINDOW_KINDS } from "./windows.ts";

export interface LearnedFigures {
  readonly quota: Quota;
  /** True if the evidence repeats what was known, so that only the times in `quota` are newer. */
  readonly isRepeat: boolean;
}

/** `quota` after `evidence`: merged, and without the refusals that newer figures contradict. */
export function learnedFigures(quota: Quota, evidence: QuotaEvidence, view: QuotaView): LearnedFigures {
  const merged = mergeQuota(quota, evidence);
  if (isRepeat(quota, evidence, view)) return { quota: merged, isRepeat: true };
  return { quota: withoutEndedRefusals(merged, evidence, view), isRepeat: false };
}

// --- internal ---

/**
 * True if `evidence` has the same values as `quota`, at the same or a later time. False if the known figures are outdated,
 * because the newer time makes them valid again.
 */
function isRepeat(quota: Quota, evidence: QuotaEvidence, view: QuotaView): boolean {
  return (
    (evidence.planType === undefined || evidence.planType === quota.planType) &&
    repeatsLimit(quota.main, evidence.main, view) &&
    evidence.additional.every((heard) => {
      const known = quota.additional.find(({ id }) => id === heard.id);
      return known !== undefined && known.refusal === undefined && repeatsLimit(known, heard, view);
    }) &&
    repeatsSpending(quota.spending, evidence.spending, view)
  );
}

function repeatsLimit(known: LimitQuota, heard: LimitQuota, view: QuotaView): boolean {
  if (heard.refusal !== undefined) return false;
  if (heard.name !== undefined && heard.name !== known.name) return false;
  if (heard.model !== undefined && heard.model !== known.model) return false;
  // The first complete list says which windows there are, and a later one which are left.
  if (known.completeAsOfMs === 0 && heard.completeAsOfMs > 0) return false;
  for (const kind of WINDOW_KINDS) {
    const before = known.windows[kind];
    const now = heard.windows[kind];
    if (now === undefined) {
      if (before !== undefined && before.asOfMs < heard.completeAsOfMs) return false;
    } else if (
      before === undefined ||
      now.asOfMs < heard.completeAsOfMs ||
      !isNewerDate(before, now, view) ||
      before.usedPercent !== now.usedPercent ||
      before.resetAtMs !== now.resetAtMs ||
      before.windowSeconds !== now.windowSeconds
    )
      return false;
  }
  return true;
}

function repeatsSpending(known: Spending, heard: Spending, view: QuotaView): boolean {
  return (
    heard === UNKNOWN_SPENDING ||
    (repeatsPart(known.credits, heard.credits, isSameCredits, view) &&
      repeatsPart(known.individual, heard.individual, isSameLimit, view) &&
      repeatsPart(known.spendControl, heard.spendControl, Object.is, view) &&
      repeatsPart(known.reachedType, heard.reachedType, Object.is, view) &&
      repeatsPart(known.creditsRefused, heard.creditsRefused, Object.is, view))
  );
}

function repeatsPart<Value>(
  known: Dated<Value> | undefined,
  heard: Dated<Value> | undefined,
  isSame: (a: Value, b: Value) => boolean,
  view: QuotaView,
): boolean {
  if (heard === undefined) return true;
  return known !== undefined && isNewerDate(known, heard, view) && isSame(known.value, heard.value);
}

function isSameCredits(a: Credits, b: Credits): boolean {
  return a.hasCredits === b.hasCredits && a.unlimited === b.unlimited && a.balance === b.balance;
}

function isSameLimit(a: IndividualLimit | undefined, b: IndividualLimit | undefined): boolean {
  return a?.remainingPercent === b?.remainingPercent && a?.resetAtMs === b?.resetAtMs;
}

function isNewerDate(
  known: { readonly asOfMs: number },
  heard: { readonly asOfMs: number },
  { nowMs, ttlMs }: QuotaView,
): boolean {
  return known.asOfMs <= heard.asOfMs && nowMs - known.asOfMs <= ttlMs;
}

function withoutEndedRefusals(quota: Quota, evidence: QuotaEvidence, view: QuotaView): Quota {
  const hasEnded = ({ id, refusal }: LimitQuota): boolean => {
    const heard = evidence.additional.find((limit) => limit.id === id);
    if (refusal === undefined || heard === undefined) return false;
    return newestFigureMs(heard) > refusal.sinceMs && !isExhausted(quota, heard, view);
  };
  if (!quota.additional.some(hasEnded)) return quota;
  return {
    ...quota,
    additional: quota.additional.map((limit) => (hasEnded(limit) ? { ...limit, refusal: undefined } : limit)),
  };
}
