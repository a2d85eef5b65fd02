// What a child proxy can take, computed from its report about its accounts.

import { type AccountOptions, DEFAULT_OPTIONS } from "./account-options.ts";
import { type Candidate, candidateOf, isOpen, shortageGroupOf } from "./availability.ts";
import { type Capacity, type CapacityView, capacityOfQuota, FLOOR_REASON, NO_SUMMARY } from "./capacity.ts";
import { type ChildReport, REPORT_MS } from "./child-report.ts";
import { conditionOf } from "./condition.ts";
import { healthOnOwnLimit } from "./health.ts";
import { limitFor } from "./meters.ts";
import type { QuotaView } from "./quota.ts";
import type { QuotaSummary, WindowSummary } from "./quota-summary.ts";
import type { AccountAnswer } from "./status-schema.ts";
import { NO_TURNS } from "./turn-limit.ts";
import type { WindowKind } from "./windows.ts";

/** The child's capacity for `view.model`: the mean of its accounts in service, weighted as in the Go program. */
export function capacityOfReport(report: ChildReport, view: CapacityView): Capacity {
  const endMs = report.askedMs + REPORT_MS;
  // The child has already dropped figures that are too old.
  const judged = { ...view, ttlMs: Number.POSITIVE_INFINITY };
  const all = report.accounts.map((account) => {
    const isMain = limitFor(account.quota, view.model, view.refusedBy) === account.quota.main;
    const { key: id, reported } = account;
    const record = {
      ...NO_TURNS,
      id,
      draining: reported.draining,
      inFlight: 0,
      inFlightElsewhere: 0,
      ramp: undefined,
    };
    const health = isMain ? account.health : healthOnOwnLimit(account.health);
    // The floors are those of the child, which also decides whether they give way.
    const asChild = { ...judged, spendFloors: reported.kept_back ? "never" : "last" } as const;
    return {
      reported,
      isMain,
      candidate: candidateOf(record, capacityOfQuota(account.quota, asChild, floorsOf(reported)), health),
    };
  });
  const candidates = all.map(({ candidate }) => candidate);
  const open = all.filter(({ candidate }) => isOpen(candidate.condition) && !candidate.draining);
  if (open.length === 0) return closed(report, candidates, view, endMs);
  const summaries = open.map(({ candidate }) => candidate.summary);
  const withRoom = summaries.filter(({ exhausted }) => !exhausted);
  const onCredits = summaries.filter(({ credits }) => credits && view.useCredits);
  const scores = open.map(({ reported, isMain, candidate }) =>
    isMain ? Math.min(1, Math.max(0, reported.score)) : candidate.score,
  );
  const score = scores.reduce((sum, one) => sum + one, 0) / scores.length;
  const counted = withRoom.length === 0 ? summaries : withRoom;
  const summary: QuotaSummary = {
    windows: {
      short: meanOf(counted, "short"),
      weekly: meanOf(counted, "weekly"),
      monthly: meanOf(counted, "monthly"),
    },
    exhausted: withRoom.length === 0,
    exhaustedUntilMs: undefined,
    credits: onCredits.length > 0,
    refusedUntilMs: 0,
    goodUntilMs: Math.min(endMs, ...summaries.map(({ goodUntilMs }) => goodUntilMs)),
  };
  const conditions = new Set(open.map(({ candidate }) => candidate.condition));
  const isAtFloor = conditions.has("at_floor") && !conditions.has("ready") && !conditions.has("credits");
  return {
    condition: isAtFloor ? "at_floor" : conditionOf(summary),
    untilMs: 0,
    why: isAtFloor ? FLOOR_REASON : undefined,
    summary,
    score,
    hasOwnLimits: hasLimits(report),
  };
}

// --- internal ---

function floorsOf(reported: AccountAnswer): AccountOptions {
  const { floor_daily_pct: floorDaily = 0, floor_weekly_pct: floorWeekly = 0 } = reported;
  return { ...DEFAULT_OPTIONS, floorDaily, floorWeekly };
}

function hasLimits({ accounts }: ChildReport): boolean {
  return accounts.some(({ quota }) => quota.additional.length > 0);
}

/** The capacity if no account is open: why none is, and when the first one is back. */
function closed(
  report: ChildReport,
  candidates: readonly Candidate[],
  { nowMs }: QuotaView,
  endMs: number,
): Capacity {
  const { accounts, cycle } = report;
  const base = {
    summary: { ...NO_SUMMARY, goodUntilMs: endMs },
    score: 0,
    hasOwnLimits: hasLimits(report),
  };
  const cooling = candidates.filter(({ condition }) => condition === "cooling");
  const limited = candidates.filter(({ condition }) => shortageGroupOf(condition) === "limited");
  if (cooling.length + limited.length === 0) {
    const back = cycle === undefined ? "" : `, and it leads back to this proxy: ${cycle}`;
    const why = `${accounts.length === 0 ? "it has no accounts" : "none of its accounts is in service"}${back}`;
    return { ...base, condition: "disabled", untilMs: 0, why };
  }
  const waiting = cooling.length === 0 ? limited : cooling;
  return {
    ...base,
    condition: cooling.length === 0 ? "limited" : "cooling",
    untilMs: Math.max(nowMs + 1, Math.min(...waiting.map(({ untilMs }) => untilMs))),
    why: cooling.length === 0 ? "usage-limit" : "its accounts are cooling down",
  };
}

/** The mean of one window over the accounts that have it. */
function meanOf(summaries: readonly QuotaSummary[], kind: WindowKind): WindowSummary | undefined {
  const windows = summaries.map(({ windows }) => windows[kind]).filter((window) => window !== undefined);
  const first = windows[0];
  if (first === undefined) return undefined;
  const known = windows.map(({ left }) => left).filter((left) => left !== undefined);
  const resets = windows.map(({ resetAtMs }) => resetAtMs).filter((reset) => reset !== undefined);
  return {
    kind,
    left: known.length === 0 ? undefined : known.reduce((sum, left) => sum + left, 0) / known.length,
    resetAtMs: resets.length === 0 ? undefined : Math.min(...resets),
    lengthMs: first.lengthMs,
  };
}
