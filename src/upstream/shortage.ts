// Why nobody can take a request, and when somebody can.

import { type Health, healthAt } from "../core/health.ts";
import type { Candidate } from "../core/policy.ts";
import type { Upstream } from "./upstream.ts";

export interface Shortage {
  readonly kind: "no_accounts" | "all_exhausted" | "all_disabled" | "all_tried";
  /** When the first account has room again, Unix ms; undefined when none waits for a reset. */
  readonly untilMs: number | undefined;
  /** When the first account that rests after a fault may be used again, Unix ms. */
  readonly restsUntilMs: number | undefined;
  /** Accounts that are disabled. */
  readonly disabled: number;
  /** There are accounts of our own among them. */
  readonly ofAccounts: boolean;
  /** `alias (reason)` of each. */
  readonly details: readonly string[];
  /** The limit that counts for the model, unless it is the main one. */
  readonly limitId?: string | undefined;
  /** The model, if only some upstreams have it: the others are not counted. */
  readonly model?: string | undefined;
}

/** One of those that could have taken the request at all. */
export interface Wanting {
  readonly kind: Upstream["kind"];
  readonly label: string;
  readonly candidate: Candidate;
  readonly health: Health;
  /** Why it cannot serve, where that does not show in its health. */
  readonly why: string | undefined;
}

/** The shortage among `all`: those that could have taken the request at all. */
export function shortageOf(all: readonly Wanting[], nowMs: number): Shortage {
  const limited = all.filter(({ candidate }) => candidate.state === "limited").length;
  // `untilMs` is 0 if the end is unknown.
  const limits = ends(all, "limited").filter((untilMs) => untilMs > 0);
  const rests = ends(all, "resting");
  const disabled = all.filter(({ candidate }) => candidate.state === "disabled").length;
  // What drains takes nothing new, as if it were disabled.
  const draining = all.filter(({ candidate }) => candidate.state === "available" && candidate.draining);
  return {
    kind: kindOf(all.length, disabled + draining.length, limited),
    untilMs: limits.length === 0 ? undefined : Math.min(...limits),
    // Of one that nothing is heard of, nobody knows.
    restsUntilMs: rests.length === 0 ? undefined : Math.max(nowMs, Math.min(...rests)),
    disabled,
    ofAccounts: all.some(({ kind }) => kind === "account"),
    details: all.map((one) => `${one.label} (${describe(one, nowMs)})`),
  };
}

// --- internal ---

function kindOf(all: number, closed: number, limited: number): Shortage["kind"] {
  if (all === 0) return "no_accounts";
  if (closed === all) return "all_disabled";
  return limited > 0 && limited + closed === all ? "all_exhausted" : "all_tried";
}

/** When those in `state` are out of it, Unix ms. */
function ends(all: readonly Wanting[], state: "limited" | "resting"): number[] {
  return all.flatMap(({ candidate }) => (candidate.state === state ? [candidate.untilMs] : []));
}

function describe({ candidate, health, why }: Wanting, nowMs: number): string {
  const now = healthAt(health, nowMs);
  const reason = now.kind === "healthy" ? why : now.reason;
  switch (candidate.state) {
    case "available":
      return candidate.draining ? "draining" : "failed this request";
    case "resting":
    case "limited": {
      const left = Math.ceil((candidate.untilMs - nowMs) / 1000);
      return left > 0 ? `${reason}, ${left} s left` : `${reason}`;
    }
    case "disabled":
      return now.kind === "disabled" ? `disabled: ${reason}` : `${reason}`;
    default:
      return candidate.state satisfies never;
  }
}
