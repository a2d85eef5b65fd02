// Maps the result of an attempt to the term under which it is counted.

import type { AttemptEnd } from "./traffic-counts.ts";
import type { UseResult } from "./use-upstream.ts";

/** How the use of an upstream ended. */
export function attemptEndOf(result: UseResult<unknown>): AttemptEnd {
  if (result.kind !== "reply") return result.kind === "broken" ? "connection" : result.kind;
  const { kind } = result.verdict;
  switch (kind) {
    case "ok":
    case "open":
      return "served";
    case "client":
      return "client_error";
    case "cool":
      return "cooldown";
    case "disable":
    case "renew":
      return "login_ended";
    default:
      return kind;
  }
}
