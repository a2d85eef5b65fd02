// Pools as the notifications see them, with a default for every field that a test leaves out.

import type { WatchedAccount, WatchedPool } from "../../src/core/notify/trouble.ts";
import { candidate, windows } from "./candidates.ts";

export type CandidateFields = NonNullable<Parameters<typeof candidate>[1]>;

export function watchedAccount(alias: string, more: CandidateFields = {}): WatchedAccount {
  return { alias, candidate: candidate(`openai:${alias}`, more) };
}

/** An account whose `window` is exhausted until `untilMs`. */
export function exhaustedAccount(
  alias: string,
  untilMs: number,
  window: "short" | "weekly" = "weekly",
): WatchedAccount {
  const spent = { left: 0, resetAtMs: untilMs };
  return watchedAccount(alias, {
    condition: "limited",
    reason: "usage-limit",
    closedBy: "health",
    untilMs,
    exhausted: true,
    windows: window === "short" ? windows(spent) : windows({}, spent),
  });
}

/** An account whose login no longer works. */
export function deadAccount(alias: string, reason = "refresh-token-expired"): WatchedAccount {
  return watchedAccount(alias, { condition: "disabled", reason, closedBy: "health" });
}

/** `left`: what is left of the pool's weekly window, 0..1; null: unknown. */
export function watchedPool(
  accounts: readonly WatchedAccount[],
  left: number | null = 0.9,
  children: WatchedPool["children"] = [],
): WatchedPool {
  const weekly =
    left === null
      ? undefined
      : ({ kind: "weekly", left, resetAtMs: undefined, windowSeconds: 604_800 } as const);
  return { accounts, children, main: { windows: { short: undefined, weekly, monthly: undefined } } };
}
