// The status of a snapshot as it is now: a cooldown has less left than when the snapshot was taken.

import type { StatusAnswer } from "../../core/status-schema.ts";
import type { Snapshot } from "../messages.ts";

/** The status of `snapshot` with the cooldowns that are left at `nowMs`. */
export function agedStatus({ status, atMs }: Snapshot, nowMs: number): StatusAnswer {
  const passed = Math.max(0, (nowMs - atMs) / 1000);
  const aged = <One extends { readonly cooldown_seconds: number }>(one: One): One => ({
    ...one,
    cooldown_seconds: Math.max(0, one.cooldown_seconds - passed),
  });
  return { ...status, accounts: status.accounts.map(aged), child_proxies: status.child_proxies.map(aged) };
}
