// What a child proxy can take, by what it says of its accounts.

import { conditionOf, isOpen } from "./availability.ts";
import { type Capacity, type CapacityView, capacityOfQuota, NO_STANDING } from "./capacity.ts";
import { type ChildReport, REPORT_MS, type RemoteAccount } from "./child-report.ts";
import { type CoolCause, HEALTHY, type Health } from "./health.ts";
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
    const limit = limitFor(account.quota, view.model, view.refusedBy);
    const isMain = limit === account.quota.main;
    return {
      account,
      isMain,
      capacity: capacityOfQuota(account.quota, judged),
      health: healthOn(account, isMain),
    };
  });
  const open = all.filter(
    ({ account, capacity, health }) =>
      health.kind === "healthy" && isOpen(capacity.condition) && !account.told.draining,
  );
  if (open.length === 0) return closed(report, all, view, endMs);
  const standings = open.map(({ capacity }) => capacity.standing);
  const withRoom = standings.filter(({ exhausted }) => !exhausted);
  const onCredits = standings.filter(({ credits }) => credits && view.useCredits);
  const scores = open.map(({ account, isMain, capacity }) =>
    isMain ? Math.min(1, Math.max(0, account.told.score)) : capacity.score,
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

/** A refusal on the main limit does not apply to a model with its own limit. */
function healthOn({ health }: RemoteAccount, isMain: boolean): Health {
  return !isMain && health.kind === "cooling" && health.cause === "limit" ? HEALTHY : health;
}

function hasLimits({ accounts }: ChildReport): boolean {
  return accounts.some(({ quota }) => quota.additional.length > 0);
}

interface Judged {
  readonly capacity: Capacity;
  readonly health: Health;
}

/** None of its accounts is in service: when the first of them will be, and why none is. */
function closed(report: ChildReport, all: readonly Judged[], { nowMs }: QuotaView, endMs: number): Capacity {
  const { accounts, cycle } = report;
  const base = {
    standing: { ...NO_STANDING, goodUntilMs: endMs },
    score: 0,
    hasOwnLimits: hasLimits(report),
  };
  const ends = all.flatMap(({ health, capacity }): { cause: CoolCause; untilMs: number }[] => {
    if (health.kind === "cooling") return [health];
    const { condition, untilMs } = capacity;
    return health.kind === "healthy" && condition === "limited" ? [{ cause: "limit", untilMs }] : [];
  });
  if (ends.length === 0) {
    const back = cycle === undefined ? "" : `, and it leads back here: ${cycle}`;
    const why = `${accounts.length === 0 ? "no accounts there" : "none of its accounts is in service"}${back}`;
    return { ...base, condition: "disabled", untilMs: 0, why };
  }
  const faults = ends.filter(({ cause }) => cause === "fault");
  const counted = faults.length === 0 ? ends : faults;
  return {
    ...base,
    condition: faults.length === 0 ? "limited" : "cooling",
    untilMs: Math.max(nowMs + 1, Math.min(...counted.map(({ untilMs }) => untilMs))),
    why: faults.length === 0 ? "usage-limit" : "its accounts are cooling",
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
