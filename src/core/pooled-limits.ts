// The limits per feature or model, pooled over the accounts that have them.

import { MOST_LIMITS } from "./bounds.ts";
import type { Health } from "./health.ts";
import { type LimitQuota, type Quota, type QuotaView, type QuotaWindow, remaining } from "./quota.ts";
import type { QuotaSummary } from "./quota-summary.ts";
import { type ByWindow, presentOf, USUAL_SECONDS, type WindowKind } from "./windows.ts";

/** An account as a pool counts it. */
export interface PooledAccount {
  readonly health: Health;
  readonly quota: Quota;
  /** Under the main limit. Its windows contain only what the pool may use. */
  readonly summary: QuotaSummary;
}

/** A pooled window: the mean share left over the accounts that know it, and the earliest reset still to come. */
export interface PooledWindow {
  readonly kind: WindowKind;
  /** 0..1. */
  readonly left: number;
  readonly resetAtMs: number | undefined;
  readonly windowSeconds: number;
}

export interface PooledLimit {
  readonly id: string;
  readonly name: string | undefined;
  readonly model: string | undefined;
  /** The windows with a known figure in at least one account. */
  readonly windows: ByWindow<PooledWindow>;
  /** True if no account has anything left of it. */
  readonly reached: boolean;
  /** True if no account is in service. */
  readonly closed?: boolean;
}

/** The additional limits of the enabled `accounts`, pooled by id. */
export function pooledLimits(
  accounts: readonly Pick<PooledAccount, "health" | "quota">[],
  view: QuotaView,
): PooledLimit[] {
  const byId = new Map<string, LimitQuota[]>();
  for (const { health, quota } of accounts) {
    if (health.kind === "disabled") continue;
    for (const limit of quota.additional) {
      const limits = byId.get(limit.id);
      if (limits === undefined) byId.set(limit.id, [limit]);
      else limits.push(limit);
    }
  }
  return [...byId].slice(0, MOST_LIMITS).map(([id, limits]) => pooledLimit(id, limits, view));
}

/** Several accounts' figures of one limit as one. */
export function pooledLimit(id: string, limits: readonly LimitQuota[], view: QuotaView): PooledLimit {
  const isExhausted = ({ windows, refusal }: LimitQuota) =>
    (refusal?.untilMs ?? 0) > view.nowMs ||
    presentOf(windows).some((window) => remaining(window, view) === 0);
  const pooled = (kind: WindowKind) =>
    pooledWindow(
      kind,
      limits.map(({ windows }) => windows[kind]),
      view,
    );
  return {
    id,
    name: limits.find((limit) => limit.name !== undefined)?.name,
    model: limits.find((limit) => limit.model !== undefined)?.model,
    windows: { short: pooled("short"), weekly: pooled("weekly"), monthly: pooled("monthly") },
    reached: limits.length > 0 && limits.every(isExhausted),
  };
}

// --- internal ---

function pooledWindow(
  kind: WindowKind,
  windows: readonly (QuotaWindow | undefined)[],
  view: QuotaView,
): PooledWindow | undefined {
  const known = windows.filter((window) => window !== undefined);
  const left = known.map((window) => remaining(window, view)).filter((share) => share !== undefined);
  if (left.length === 0) return undefined;
  const resets = known
    .map((window) => window.resetAtMs)
    .filter((reset) => reset !== undefined && reset > view.nowMs) as number[];
  return {
    kind,
    left: left.reduce((sum, share) => sum + share, 0) / left.length,
    resetAtMs: resets.length === 0 ? undefined : Math.min(...resets),
    windowSeconds:
      known.find((window) => window.windowSeconds !== undefined)?.windowSeconds ?? USUAL_SECONDS[kind],
  };
}
