// Compares this machine's clock with the backend's. With a wrong clock valid tokens look expired and cooldowns end at
// the wrong time.

import type { Finding } from "./finding.ts";

/** The headers of a backend response with its times, in Unix ms of this machine's clock. */
export interface TimedResponse {
  readonly headers: Pick<Headers, "get">;
  readonly askedMs: number;
  readonly answeredMs: number;
}

/**
 * A warning if the two clocks differ by a minute or more. A response from a cache is not compared, because its date is
 * that of the first request.
 */
export function examineClock({ headers, askedMs, answeredMs }: TimedResponse): Finding[] {
  const dateMs = Date.parse(headers.get("date") ?? "");
  if (Number.isNaN(dateMs) || headers.get("age") !== null) return [];
  // The backend answered at some moment between the two times. Its date has no milliseconds.
  const aheadMs = askedMs - (dateMs + SECOND_MS);
  const behindMs = dateMs - answeredMs;
  const skewMs = Math.max(aheadMs, behindMs);
  if (skewMs < SKEW_LIMIT_MS) return [];
  return [
    {
      check: "clock",
      status: "warning",
      detail: `this machine's clock is ${durationText(skewMs)} ${aheadMs > behindMs ? "ahead of" : "behind"} the backend's`,
      remedy: "set the clock: sudo timedatectl set-ntp true (Linux), sudo sntp -sS time.apple.com (macOS)",
    },
  ];
}

// --- internal ---

const SECOND_MS = 1_000;
/** Tokens and cooldowns have a safety margin of about this size. */
const SKEW_LIMIT_MS = 60_000;

function durationText(ms: number): string {
  const seconds = Math.round(ms / SECOND_MS);
  if (seconds < 2 * 60) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 2 * 60) return `${minutes} min`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} days`;
}
