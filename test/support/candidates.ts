// Builds candidates and contexts for the policy, with a default for every field that a test leaves out.

import { type Candidate, conditionOf } from "../../src/core/availability.ts";
import { NO_STANDING } from "../../src/core/capacity.ts";
import type { ChoiceContext, PolicyMode } from "../../src/core/policy.ts";
import type { Standing, WindowStanding } from "../../src/core/standing.ts";

/** Half of it left, and no reset known. */
export const WINDOW: WindowStanding = { kind: "short", left: 0.5, resetAtMs: undefined, lengthMs: 1000 };

/** A short and a weekly window, both `WINDOW` except for the given fields. */
export function windows(
  short: Partial<WindowStanding> = {},
  weekly: Partial<WindowStanding> = {},
): Standing["windows"] {
  return {
    short: { ...WINDOW, ...short },
    weekly: { ...WINDOW, kind: "weekly", ...weekly },
    monthly: undefined,
  };
}

/** `more`: fields of the candidate or of its standing. Without a condition it has the one of its figures. */
export function candidate(
  id: string,
  { windows: shown = windows(), exhausted = false, credits = false, ...more }: Partial<AnyField> = {},
): Candidate {
  return {
    id,
    condition: conditionOf({ exhausted, credits }),
    reason: undefined,
    closedBy: undefined,
    untilMs: 0,
    draining: false,
    inFlight: 0,
    ramp: undefined,
    score: 0.5,
    standing: { ...NO_STANDING, windows: shown, exhausted, credits },
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

// --- internal ---

type AnyField = Omit<Candidate, "standing"> & Pick<Standing, "windows" | "exhausted" | "credits">;
