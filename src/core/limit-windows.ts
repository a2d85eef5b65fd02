// The windows of a limit in the status document, which has two windows and their lengths.

import type { StatusAnswer } from "./status-schema.ts";
import { type ByWindow, byKind } from "./windows.ts";

type Limit = NonNullable<StatusAnswer["additional_limits"]>[number];

/** A window as the views show it. */
export interface ShownWindow {
  /** 0..100; negative if it is unknown. */
  readonly leftPct: number;
  /** Unix seconds; 0 if it is unknown or the window has no reset. */
  readonly resetAt: number;
}

/** The windows of `limit` by their length; undefined for missing and unknown windows. */
export function limitWindows(limit: Limit): ByWindow<ShownWindow> {
  const window = (leftPct: number, resetAt: number, seconds: number) =>
    leftPct < 0 ? undefined : { leftPct, resetAt, windowSeconds: seconds > 0 ? seconds : undefined };
  return byKind(
    window(limit.primary_left_pct, limit.primary_reset_at, limit.primary_window_seconds),
    window(limit.secondary_left_pct, limit.secondary_reset_at, limit.secondary_window_seconds),
  );
}

/** A missing window. */
export const NO_WINDOW: ShownWindow = { leftPct: -1, resetAt: 0 };
