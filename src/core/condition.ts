// The condition of an upstream: the part of its availability that does not depend on the request.

import type { QuotaSummary } from "./quota-summary.ts";

/** The state of an upstream, independent of the request. */
export type Condition =
  /** The upstream has room. */
  | "ready"
  /** The upstream has room, but is recovering and already has the most requests allowed. */
  | "probing"
  /** Only credits are left, and they may be spent. */
  | "credits"
  /** A window has reached its floor. The quota below it is spent only if no other upstream can serve. */
  | "at_floor"
  /** The figures say that nothing is left, although no request was refused yet. */
  | "exhausted"
  /** The account has an API key, so its turns cost money, and its monthly cap is not reached. */
  | "last_resort"
  /** The upstream is cooling down after a failure, or is a child proxy that does not answer. */
  | "cooling"
  /**
   * The upstream takes no turns until a reset: the backend refuses them, or they would spend credits, which is
   * forbidden, or the monthly cap of its API key is reached.
   */
  | "limited"
  /** A window has reached its floor, and policy.spend_floors forbids spending the quota below it. */
  | "kept_back"
  /** The upstream is out of service. */
  | "disabled";

/** The condition according to the figures of a limit alone. */
export function conditionOf({
  exhausted,
  credits,
}: Pick<QuotaSummary, "exhausted" | "credits">): "ready" | "credits" | "exhausted" {
  if (!exhausted) return "ready";
  return credits ? "credits" : "exhausted";
}
