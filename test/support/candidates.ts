// Candidates and contexts of a choice, with everything ordinary that a test does not say.

import type { Candidate, ChoiceContext, PolicyMode } from "../../src/core/policy.ts";
import type { WindowStanding } from "../../src/core/standing.ts";

/** Half of it left, and no reset known. */
export const WINDOW: WindowStanding = { kind: "short", left: 0.5, resetAtMs: undefined, lengthMs: 1000 };

/** A short and a weekly window, both `WINDOW` except for the given fields. */
export function windows(
  short: Partial<WindowStanding> = {},
  weekly: Partial<WindowStanding> = {},
): Candidate["windows"] {
  return {
    short: { ...WINDOW, ...short },
    weekly: { ...WINDOW, kind: "weekly", ...weekly },
    monthly: undefined,
  };
}

export function candidate(id: string, more: Partial<Candidate> = {}): Candidate {
  return {
    id,
    state: "available",
    exhausted: false,
    credits: false,
    draining: false,
    full: false,
    inFlight: 0,
    score: 0.5,
    windows: windows(),
    untilMs: 0,
    ...more,
  };
}

export function context(mode: PolicyMode, more: Partial<ChoiceContext> = {}): ChoiceContext {
  return {
    settings: { mode, deltaPercent: 10, weights: { daily: 60, weekly: 40 } },
    spends: true,
    nowMs: 0,
    activeId: undefined,
    pinnedId: undefined,
    boundId: undefined,
    readers: undefined,
    offering: undefined,
    tried: new Set(),
    searching: false,
    ...more,
  };
}
