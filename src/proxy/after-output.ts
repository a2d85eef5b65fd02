// A turn that fails after its first output cannot be sent again by the proxy: the client has seen it begin. The client
// itself can: cut off, Codex keeps what is done, sends everything again at once and says nothing of it the first time.
// So a failure that another account, or a moment, would cure is told as a cut instead of an end.

import type { Verdict } from "../core/verdict.ts";
import type { Lease } from "../upstream/leases.ts";

/** What the client gets of a failure after output: the event as it came, or a cut upon which it comes back. */
export function afterOutput(lease: Lease, verdict: Verdict): "pass" | "cut" {
  switch (verdict.kind) {
    case "limit":
    case "disable":
    case "elsewhere":
    case "foreign_ciphertext":
      return lease.canLeave() ? "cut" : "pass";
    case "cool":
      // Codex waits by itself for the time that an event names.
      return verdict.told && !lease.canLeave() ? "pass" : "cut";
    case "renew":
      return "cut";
    case "ok":
    case "open":
    case "client":
      return "pass";
    default:
      return verdict satisfies never;
  }
}
