// Why nobody can take a request, and when somebody can.

import { coolingLeftMs, healthAt } from "../core/health.ts";
import type { QuotaView } from "../core/quota.ts";
import type { AccountRecord } from "../state/store.ts";

export interface Shortage {
  readonly kind: "no_accounts" | "all_exhausted" | "all_disabled" | "all_tried";
  /** When the first account has room again, Unix ms; undefined when none waits for a reset. */
  readonly untilMs: number | undefined;
  /** When the first account that rests after a fault may be used again, Unix ms. */
  readonly restsUntilMs: number | undefined;
  /** Accounts that are disabled. */
  readonly disabled: number;
  /** `alias (reason)` of each account. */
  readonly details: readonly string[];
}

/** The shortage among `records`: the accounts that could have taken the request at all. */
export function shortageOf(records: readonly AccountRecord[], view: QuotaView): Shortage {
  const limits = ends(records, view, "limit");
  const rests = ends(records, view, "fault");
  // What drains takes nothing new, as if it were disabled.
  const closed = records.filter(
    (record) =>
      record.health.kind === "disabled" ||
      (record.draining && healthAt(record.health, view.nowMs).kind === "healthy"),
  );
  return {
    kind: kindOf(records.length, closed.length, limits.length),
    untilMs: limits.length === 0 ? undefined : Math.min(...limits),
    restsUntilMs: rests.length === 0 ? undefined : Math.min(...rests),
    disabled: records.filter((record) => record.health.kind === "disabled").length,
    details: records.map((record) => `${record.alias} (${describe(record, view.nowMs)})`),
  };
}

// --- internal ---

function kindOf(all: number, closed: number, limited: number): Shortage["kind"] {
  if (all === 0) return "no_accounts";
  if (closed === all) return "all_disabled";
  return limited > 0 && limited + closed === all ? "all_exhausted" : "all_tried";
}

/** When the rests for `cause` that are going on are over, Unix ms. */
function ends(records: readonly AccountRecord[], { nowMs }: QuotaView, cause: "limit" | "fault"): number[] {
  return records.flatMap((record) => {
    const health = healthAt(record.health, nowMs);
    return health.kind === "cooling" && health.cause === cause ? [health.untilMs] : [];
  });
}

function describe(record: AccountRecord, nowMs: number): string {
  const now = healthAt(record.health, nowMs);
  switch (now.kind) {
    case "healthy":
      return record.draining ? "draining" : "failed this request";
    case "cooling":
      return `${now.reason}, ${Math.ceil(coolingLeftMs(now, nowMs) / 1000)} s left`;
    case "disabled":
      return `disabled: ${now.reason}`;
    default:
      return now satisfies never;
  }
}
