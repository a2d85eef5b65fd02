// The health of one upstream as a small state machine. It is judged on reading: time alone ends a cooldown,
// nothing has to be written for that.
//
//   from \ event   cool            disable    renewed            served            room
//   healthy        cooling         disabled   healthy            healthy           healthy
//   cooling        longer one wins disabled   (unchanged)        healthy, if the   healthy, if the cooldown
//                                                                request began     came from a limit and the
//                                                                after it cooled   evidence is newer
//   disabled       (unchanged)     first wins healthy, if it was (unchanged)       (unchanged)
//                                             about credentials

/** Why an upstream rests. `limit`: its allowance is used up until a reset. `fault`: it failed, try again soon. */
export type CoolCause = "limit" | "fault";

export type Health =
  | { readonly kind: "healthy" }
  | {
      readonly kind: "cooling";
      readonly cause: CoolCause;
      readonly reason: string;
      readonly sinceMs: number;
      readonly untilMs: number;
    }
  | { readonly kind: "disabled"; readonly reason: string; readonly sinceMs: number };

export type HealthEvent =
  | {
      readonly kind: "cool";
      readonly cause: CoolCause;
      readonly reason: string;
      readonly atMs: number;
      readonly untilMs: number;
    }
  | { readonly kind: "disable"; readonly reason: string; readonly atMs: number }
  /** The credentials were renewed or replaced. */
  | { readonly kind: "renewed" }
  /** A request that began at `startedMs` was served. */
  | { readonly kind: "served"; readonly startedMs: number }
  /** Figures of `asOfMs` say that every window has room. */
  | { readonly kind: "room"; readonly asOfMs: number };

export const HEALTHY: Health = { kind: "healthy" };

/** Reasons for being disabled that new credentials cure. An operator's own `disable` is not among them. */
const CREDENTIAL_REASONS: ReadonlySet<string> = new Set([
  "missing-auth",
  "http-401",
  "http-403",
  "refresh-token-reused",
  "refresh-token-expired",
  "refresh-token-invalidated",
  "invalid-grant",
]);

/** The next state; the table above. Returns the same object when nothing changes. */
export function transition(health: Health, event: HealthEvent): Health {
  switch (event.kind) {
    case "cool":
      return cooled(health, event);
    case "disable":
      return health.kind === "disabled"
        ? health
        : { kind: "disabled", reason: event.reason, sinceMs: event.atMs };
    case "renewed":
      return health.kind === "disabled" && CREDENTIAL_REASONS.has(health.reason) ? HEALTHY : health;
    case "served":
      return health.kind === "cooling" && event.startedMs >= health.sinceMs ? HEALTHY : health;
    case "room":
      return health.kind === "cooling" && health.cause === "limit" && event.asOfMs > health.sinceMs
        ? HEALTHY
        : health;
    default:
      return event satisfies never;
  }
}

/** What `health` amounts to at `nowMs`: a cooldown whose time has passed reads as healthy. */
export function healthAt(health: Health, nowMs: number): Health {
  return health.kind === "cooling" && health.untilMs <= nowMs ? HEALTHY : health;
}

/** Milliseconds until an ongoing cooldown ends; 0 when there is none. */
export function coolingLeftMs(health: Health, nowMs: number): number {
  return health.kind === "cooling" ? Math.max(0, health.untilMs - nowMs) : 0;
}

// --- internal ---

function cooled(health: Health, event: HealthEvent & { kind: "cool" }): Health {
  if (health.kind === "disabled") return health;
  // A short fault during a long limit must not shorten it, and the other way round.
  if (health.kind === "cooling" && health.untilMs >= event.untilMs) return health;
  return {
    kind: "cooling",
    cause: event.cause,
    reason: event.reason,
    sinceMs: event.atMs,
    untilMs: event.untilMs,
  };
}
