// The windows of a limit in the status document: two places, each with the length of its window.

import type { StatusAnswer } from "../../core/status-wire.ts";
import { type ByWindow, byKind } from "../../core/windows.ts";

type Limit = NonNullable<StatusAnswer["additional_limits"]>[number];

/** One window as people see it. */
export interface ShownWindow {
  /** 0..100, negative when unknown. */
  readonly leftPct: number;
  /** Unix seconds; 0 when unknown, or where a reset means nothing. */
  readonly resetAt: number;
}

/** The windows of `limit` by their length; undefined for those that it does not have or that are unknown. */
export function limitWindows(limit: Limit): ByWindow<ShownWindow> {
  const window = (leftPct: number, resetAt: number, seconds: number) =>
    leftPct < 0 ? undefined : { leftPct, resetAt, windowSeconds: seconds > 0 ? seconds : undefined };
  return byKind(
    window(limit.primary_left_pct, limit.primary_reset_at, limit.primary_window_seconds),
    window(limit.secondary_left_pct, limit.secondary_reset_at, limit.secondary_window_seconds),
  );
}

/** A window that is not there. */
export const NO_WINDOW: ShownWindow = { leftPct: -1, resetAt: 0 };
