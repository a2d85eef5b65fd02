// Builds candidates and contexts for the policy, with a default for every field that a test leaves out.

import { DEFAULT_OPTIONS } from "../../src/core/account-options.ts";
import { NO_TAGS } from "../../src/core/account-tags.ts";
import type { Candidate } from "../../src/core/availability.ts";
import { NO_SUMMARY } from "../../src/core/capacity.ts";
import { conditionOf } from "../../src/core/condition.ts";
import type { ChoiceContext, PolicyMode } from "../../src/core/policy.ts";
import type { QuotaSummary, WindowSummary } from "../../src/core/quota-summary.ts";

/** Half of it left, and no reset known. */
export const WINDOW: WindowSummary = { kind: "short", left: 0.5, resetAtMs: undefined, lengthMs: 1000 };

/** A short and a weekly window, both `WINDOW` except for the given fields. */
export function windows(
  short: Partial<WindowSummary> = {},
  weekly: Partial<WindowSummary> = {},
): QuotaSummary["windows"] {
  return {
    short: { ...WINDOW, ...short },
    weekly: { ...WINDOW, kind: "weekly", ...weekly },
    monthly: undefined,
  };
}

/** `more`: fields of the candidate or of its summary. Without a condition it has the one of its figures. */
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
    turnsOnly: false,
    draining: false,
    inFlight: 0,
    inFlightElsewhere: 0,
    ramp: undefined,
    fullAt: undefined,
    score: 0.5,
    options: DEFAULT_OPTIONS,
    summary: { ...NO_SUMMARY, windows: shown, exhausted, credits },
    ...more,
  };
}

export function context(mode: PolicyMode, more: Partial<ChoiceContext> = {}): ChoiceContext {
  return {
    settings: { mode, deltaPercent: 10, weights: { daily: 60, weekly: 40 }, spendFloors: "last" },
    spends: true,
    nowMs: 0,
    activeId: undefined,
    pinnedId: undefined,
    boundId: undefined,
    readers: undefined,
    offering: undefined,
    tried: new Set(),
    searching: false,
    tags: NO_TAGS,
    ...more,
  };
}

// --- internal ---

type AnyField = Omit<Candidate, "summary"> & Pick<QuotaSummary, "windows" | "exhausted" | "credits">;
