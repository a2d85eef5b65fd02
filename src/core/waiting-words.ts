// Turns that wait for a reset, in words for a person.

import { counted } from "./count-words.ts";
import { windowReset } from "./reason-words.ts";
import type { WaitingSummary } from "./run-tag.ts";
import { resetAt } from "./time-words.ts";

/** `2 turns waiting for alice's 5h reset at 05:41`; undefined if no turn waits. */
export function waitingWords(waiting: WaitingSummary, nowMs: number): string | undefined {
  const { turns, untilMs } = waiting;
  if (turns === 0 || untilMs === undefined) return undefined;
  return `${counted(turns, "turn")} waiting for ${resetWords(waiting)} ${resetAt(untilMs, nowMs)}`;
}

/** What the turns wait for: `alice's 5h reset`, or `the first reset` if that is all that is known. */
export function resetWords({ account, window }: Pick<WaitingSummary, "account" | "window">): string {
  if (account === undefined) return window === undefined ? "the first reset" : `a ${windowReset(window)}`;
  return `${account}'s ${window === undefined ? "reset" : windowReset(window)}`;
}
