// The period that the flags `--since` and `--until` name.

import { startOfDay } from "../../core/local-days.ts";
import type { UsageQuery } from "../../core/usage-report.ts";
import { usage } from "../flags.ts";
import { TIME_FORMS, timeFlag } from "../time-flag.ts";

/** The period from `since` to `until` (undefined: the end of today). Throws `usage`. */
export function periodOf(
  since: string,
  until: string | undefined,
  nowMs: number,
): Pick<UsageQuery, "sinceMs" | "untilMs"> {
  const sinceMs = timeFlag(since, "since", nowMs);
  const untilMs = until === undefined ? startOfDay(nowMs, 1) : timeFlag(until, "until", nowMs, 1);
  if (sinceMs >= nowMs)
    throw usage(
      `flag --since: ${JSON.stringify(since)} is not in the past, so it selects no turns`,
      TIME_FORMS,
    );
  if (sinceMs < untilMs) return { sinceMs, untilMs };
  throw usage("--since must be before --until", "write both as 2026-11-28, or --since as 7d");
}
