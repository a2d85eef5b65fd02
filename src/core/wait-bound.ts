// How long a turn may wait for a reset, from the setting `proxy.wait_for_reset` and from `codexlb run --wait`.

import { durationOf } from "./duration.ts";

/** The longest wait: a weekly window is reset within this time. */
export const LONGEST_WAIT_MS = 7 * 24 * 3_600_000;

/** `codexlb run --wait` without a duration: longer than any 5-hour window lasts. */
export const RUN_WAIT = "8h";

/** The wait in ms; 0 for `off`. Undefined if `text` is neither `off` nor a duration above 0 of at most a week. */
export function waitBoundOf(text: string): number | undefined {
  if (text === "off") return 0;
  const ms = durationOf(text);
  // A negative duration is read as 0.
  return ms === undefined || ms === 0 || ms > LONGEST_WAIT_MS ? undefined : ms;
}
