// The quota of an account and of the pool in the status document.

import type { AccountFacts } from "./pool-facts.ts";
import { type PooledLimit, pooledLimit } from "./pooled-limits.ts";
import { type LimitQuota, type Quota, type QuotaView, type QuotaWindow, remaining } from "./quota.ts";
import type { QuotaSummary } from "./quota-summary.ts";
import { unixSeconds } from "./quota-wire.ts";
import type { AccountStatus, FigureStatus, LimitStatus } from "./status-schema.ts";
import { goSlots, presentOf, WINDOW_KINDS, type WindowKind } from "./windows.ts";

/** Names of the main limit's windows, as in the Go program's fields. */
export const FIELD_NAMES: Readonly<Record<WindowKind, string>> = {
  short: "daily",
  weekly: "weekly",
  monthly: "monthly",
};

/** The windows of the main limit: percent left (-1: unknown) and reset, Unix s (0: unknown). */
export function windowFields(
  { windows, completeAsOfMs }: LimitQuota,
  { windows: summary }: Pick<QuotaSummary, "windows">,
): Pick<
  AccountStatus,
  | "daily_left_pct"
  | "weekly_left_pct"
  | "daily_reset_at"
  | "weekly_reset_at"
  | "monthly_left_pct"
  | "monthly_reset_at"
  | "windows"
> {
  return {
    daily_left_pct: leftPercent(summary.short?.left),
    weekly_left_pct: leftPercent(summary.weekly?.left),
    daily_reset_at: unixSeconds(windows.short?.resetAtMs),
    weekly_reset_at: unixSeconds(windows.weekly?.resetAtMs),
    ...(windows.monthly === undefined
      ? {}
      : {
          monthly_left_pct: leftPercent(summary.monthly?.left),
          monthly_reset_at: unixSeconds(windows.monthly.resetAtMs),
        }),
    ...(completeAsOfMs === 0
      ? {}
      : {
          windows: WINDOW_KINDS.flatMap((kind) => (windows[kind] === undefined ? [] : [FIELD_NAMES[kind]])),
        }),
  };
}

/** Credits, and the limits that a workspace sets. */
export function spendingFields({
  quota: { spending },
  candidate: { summary },
}: AccountFacts): Pick<
  AccountStatus,
  "credits" | "individual_limit" | "spend_control_reached" | "limit_reached_type"
> {
  const credits = spending.credits?.value;
  const individual = spending.individual?.value;
  const type = spending.reachedType?.value;
  return {
    ...(credits === undefined
      ? {}
      : {
          credits: {
            has_credits: credits.hasCredits,
            unlimited: credits.unlimited,
            balance: credits.balance,
            usable: summary.credits,
          },
        }),
    ...(individual === undefined
      ? {}
      : {
          individual_limit: {
            left_pct: individual.remainingPercent,
            reset_at: unixSeconds(individual.resetAtMs),
          },
        }),
    ...(spending.spendControl?.value === true ? { spend_control_reached: true } : {}),
    ...(type === undefined || !summary.exhausted ? {} : { limit_reached_type: type }),
  };
}

/** Every figure of an account with its source and age. */
export function figuresOf({ main, additional }: Quota, view: QuotaView): FigureStatus[] {
  const figure = (window: string, figure: QuotaWindow | undefined): FigureStatus[] =>
    figure === undefined
      ? []
      : [
          {
            window,
            used_percent: figure.usedPercent,
            source: figure.source,
            age_seconds: Math.max(0, Math.round((view.nowMs - figure.asOfMs) / 1000)),
            outdated: remaining(figure, view) === undefined,
          },
        ];
  return [
    ...WINDOW_KINDS.flatMap((kind) => figure(FIELD_NAMES[kind], main.windows[kind])),
    ...additional.flatMap(({ id, windows }) => {
      const { primary, secondary } = goSlots(windows);
      return [...figure(`${id} primary`, primary), ...figure(`${id} secondary`, secondary)];
    }),
  ];
}

/** The source of the newest figure of a limit. */
export function newestSource({ windows }: LimitQuota): string {
  const newest = presentOf(windows).sort((a, b) => b.asOfMs - a.asOfMs)[0];
  return newest?.source ?? "stored";
}

/** A limit of one account, with its cooldown. */
export function ownLimitStatus(limit: LimitQuota, view: QuotaView): LimitStatus {
  const cooldownMs = (limit.refusal?.untilMs ?? 0) - view.nowMs;
  return {
    ...limitStatus(pooledLimit(limit.id, [limit], view)),
    ...(limit.completeAsOfMs === 0 ? {} : { complete: true }),
    ...(cooldownMs > 0 ? { cooldown_seconds: Math.ceil(cooldownMs / 1000) } : {}),
  };
}

/** A limit of the pool. */
export function limitStatus(limit: PooledLimit): LimitStatus {
  const { primary, secondary } = goSlots(limit.windows);
  return {
    limit_id: limit.id,
    ...(limit.name === undefined ? {} : { limit_name: limit.name }),
    primary_left_pct: leftPercent(primary?.left),
    primary_reset_at: unixSeconds(primary?.resetAtMs),
    primary_window_seconds: primary?.windowSeconds ?? 0,
    secondary_left_pct: leftPercent(secondary?.left),
    secondary_reset_at: unixSeconds(secondary?.resetAtMs),
    secondary_window_seconds: secondary?.windowSeconds ?? 0,
    ...(limit.model === undefined ? {} : { model: limit.model }),
  };
}

// --- internal ---

/** A share as percent; -1 if it is unknown, as in the Go program. */
function leftPercent(share: number | undefined): number {
  return share === undefined ? -1 : share * 100;
}
