// Whether the 5h window of an account has begun. The backend does not say so. For a window that has not begun it
// reports a reset that lies a whole window after each request, so the reset moves with the time; a window that has begun
// has a fixed reset. Two figures with some time between them are therefore needed.

import type { QuotaWindow } from "../quota.ts";

/** Follows the figures of the 5h windows of several accounts. */
export interface WindowWatch {
  /** Takes the current figures of the account's 5h window; undefined if it has none. */
  see(accountId: string, window: QuotaWindow | undefined): void;
  /** True if the figures show that the window has not begun. */
  hasNotBegun(accountId: string): boolean;
}

export function createWindowWatch(): WindowWatch {
  /** The first and the last of the figures whose resets have moved with the time. */
  const seen = new Map<string, { readonly first: Sighting; readonly last: Sighting }>();
  return {
    see: (id, window) => {
      const now = sightingOf(window);
      const before = seen.get(id);
      if (now === undefined) seen.delete(id);
      else if (before === undefined || now.asOfMs < before.last.asOfMs || !hasMoved(before.first, now))
        seen.set(id, { first: now, last: now });
      else seen.set(id, { first: before.first, last: now });
    },
    hasNotBegun: (id) => {
      const known = seen.get(id);
      return known !== undefined && known.last.asOfMs - known.first.asOfMs >= LEAST_GAP_MS;
    },
  };
}

// --- internal ---

interface Sighting {
  readonly asOfMs: number;
  readonly resetAtMs: number;
}

/** The backend reports whole percents, and for an unused window sometimes the smallest one. */
const MOST_USED_PERCENT = 1;
/** The least time between two figures that prove anything. */
const LEAST_GAP_MS = 60_000;
/** How far a reset that moves with the time may deviate: rounding to seconds, slow responses, and corrections of clocks. */
const TOLERANCE_MS = 20_000;

/** The figures of a window that may not have begun; undefined if it has. */
function sightingOf(window: QuotaWindow | undefined): Sighting | undefined {
  if (window === undefined || window.usedPercent > MOST_USED_PERCENT) return undefined;
  const { asOfMs, resetAtMs } = window;
  return resetAtMs === undefined || resetAtMs <= asOfMs ? undefined : { asOfMs, resetAtMs };
}

function hasMoved(first: Sighting, now: Sighting): boolean {
  return Math.abs(now.resetAtMs - first.resetAtMs - (now.asOfMs - first.asOfMs)) <= TOLERANCE_MS;
}
