// Reset credits in words for a person.

import { counted } from "./count-words.ts";
import type { AccountAnswer } from "./status-schema.ts";
import { ago, until } from "./time-words.ts";

type ShownCredits = NonNullable<AccountAnswer["reset_credits"]>;

/** Their number rarely changes, but the age of an older one is shown, ms. */
const OLD_MS = 3_600_000;

/** `2 reset credits, the first expires in 12 days`; empty if there are none, or if they are unknown. */
export function resetCreditTexts({ reset_credits: resets }: AccountAnswer, nowMs: number): string[] {
  if (resets === undefined || resets.count === 0) return [];
  const isOld = nowMs - resets.as_of_ms > OLD_MS;
  const words = `${counted(resets.count, "reset credit")}${expiryWords(resets, nowMs)}`;
  return [isOld ? `${words} (as of ${ago(resets.as_of_ms, nowMs)})` : words];
}

/** `2, the first expires in 12 days`, or `none`. */
export function creditCountWords(resets: ShownCredits, nowMs: number): string {
  return resets.count === 0 ? "none" : `${resets.count}${expiryWords(resets, nowMs)}`;
}

// --- internal ---

function expiryWords({ count, expires_at }: ShownCredits, nowMs: number): string {
  if (expires_at * 1000 <= nowMs) return "";
  return `, ${count === 1 ? "expires" : "the first expires"} ${until(expires_at * 1000, nowMs)}`;
}
