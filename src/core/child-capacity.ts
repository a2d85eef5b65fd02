// What a child proxy can take, computed from its report about its accounts.

import { type Candidate, candidateOf, conditionOf, isOpen } from "./availability.ts";
import { type Capacity, type CapacityView, capacityOfQuota, NO_STANDING } from "./capacity.ts";
import { type ChildReport, REPORT_MS } from "./child-report.ts";
import { healthOnOwnLimit } from "./health.ts";
import { limitFor } from "./meters.ts";
import type { QuotaView } from "./quota.ts";
import type { Standing, WindowStanding } from "./standing.ts";
import type { WindowKind } from "./windows.ts";

/** The child's capacity for `view.model`: the mean of its accounts in service, weighted as in the Go program. */
export function capacityOfReport(report: ChildReport, view: CapacityView): Capacity {
  const endMs = report.askedMs + REPORT_MS;
  // The child has already dropped figures that are too old.
  const judged = { ...view, ttlMs: Number.POSITIVE_INFINITY };
  const all = report.accounts.map((account) => {
    const isMain = limitFor(account.quota, view.model, view.refusedBy) === account.quota.main;
    const { key: id, told } = account;
    const record = { id, draining: told.draining, inFlight: 0, ramp: undefined };
    const health = isMain ? account.health : healthOnOwnLimit(account.health);
    return { told, isMain, candidate: candidateOf(record, capacityOfQuota(account.quota, judged), health) };
  });
  const candidates = all.map(({ candidate }) => candidate);
  const open = all.filter(({ candidate }) => isOpen(candidate.condition) && !candidate.draining);
  if (open.length === 0) return closed(report, candidates, view, endMs);
  const standings = open.map(({ candidate }) => candidate.standing);
  const withRoom = standings.filter(({ exhausted }) => !exhausted);
  const onCredits = standings.filter(({ credits }) => credits && view.useCredits);
  const scores = open.map(({ told, isMain, candidate }) =>
    isMain ? Math.min(1, Math.max(0, told.score)) : candidate.score,
  );
  const score = scores.reduce((sum, one) => sum + one, 0) / scores.length;
  const counted = withRoom.length === 0 ? standings : withRoom;
  const standing: Standing = {
    windows: {
      short: meanOf(counted, "short"),
      weekly: meanOf(counted, "weekly"),
      monthly: meanOf(counted, "monthly"),
    },
    exhausted: withRoom.length === 0,
    exhaustedUntilMs: undefined,
    credits: onCredits.length > 0,
    refusedUntilMs: 0,
    goodUntilMs: Math.min(endMs, ...standings.map(({ goodUntilMs }) => goodUntilMs)),
  };
  const hasOwnLimits = hasLimits(report);
  return { condition: conditionOf(standing), untilMs: 0, why: undefined, standing, score, hasOwnLimits };
}

// --- internal ---

function hasLimits({ accounts }: ChildReport): boolean {
  return accounts.some(({ quota }) => quota.additional.length > 0);
}

/** The capacity without an account in service: when the first of them is back, and why none is. */
function closed(
  report: ChildReport,
  candidates: readonly Candidate[],
  { nowMs }: QuotaView,
  endMs: number,
): Capacity {
  const { accounts, cycle } = report;
  const base = {
    standing: { ...NO_STANDING, goodUntilMs: endMs },
    score: 0,
    hasOwnLimits: hasLimits(report),
  };
  const cooling = candidates.filter(({ condition }) => condition === "cooling");
  const limited = candidates.filter(({ condition }) => condition === "limited");
  if (cooling.length + limited.length === 0) {
    const back = cycle === undefined ? "" : `, and it leads back here: ${cycle}`;
    const why = `${accounts.length === 0 ? "no accounts there" : "none of its accounts is in service"}${back}`;
    return { ...base, condition: "disabled", untilMs: 0, why };
  }
  const waiting = cooling.length === 0 ? limited : cooling;
  return {
    ...base,
    condition: cooling.length === 0 ? "limited" : "cooling",
    untilMs: Math.max(nowMs + 1, Math.min(...waiting.map(({ untilMs }) => untilMs))),
    why: cooling.length === 0 ? "usage-limit" : "its accounts are cooling",
  };
}

/** The mean of one window over the accounts that have it. */
function meanOf(standings: readonly Standing[], kind: WindowKind): WindowStanding | undefined {
  const windows = standings.map(({ windows }) => windows[kind]).filter((window) => window !== undefined);
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
