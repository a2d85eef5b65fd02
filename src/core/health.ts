// The health of one upstream as a small state machine. Time alone ends a cooldown: the end is noticed when the
// health is read, and nothing is written.
//
//   from \ event   cool            disable        renewed            served            room              enable
//   healthy        cooling         disabled       healthy            healthy           healthy           healthy
//   cooling        longer one wins disabled       (unchanged)        healthy, if the   healthy, if the   healthy
//                                                                    request began     cooldown came
//                                                                    after it cooled   from a limit and
//                                                                                      the evidence is
//                                                                                      newer (from when
//                                                                                      it says)
//   disabled       (unchanged)     first wins,    healthy, if it was (unchanged)       (unchanged)       healthy
//                                  but the        about credentials
//                                  operator's
//                                  over any

import { prolonged } from "./jitter.ts";

/** Why an upstream cools down. `limit`: it is exhausted until a reset. `fault`: it failed, try again soon. */
export type CoolCause = "limit" | "fault";

export type Health =
  | { readonly kind: "healthy" }
  | {
      readonly kind: "cooling";
      readonly cause: CoolCause;
      readonly reason: string;
      readonly sinceMs: number;
      readonly untilMs: number;
      /** Faults in a row, this one included; 0 for a limit. */
      readonly faults: number;
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
  /** Figures of `asOfMs` say that every window has room, or has it from `fromMs` on. */
  | { readonly kind: "room"; readonly asOfMs: number; readonly fromMs?: number }
  /** The operator puts it back into service. */
  | { readonly kind: "enable" };

export const HEALTHY: Health = { kind: "healthy" };

/** The reason of `codexlb account disable`: nothing but `enable` ends it. */
export const OPERATOR_REASON = "operator";

/** The reason of an account whose auth.json cannot be read. */
export const MISSING_AUTH = "missing-auth";

/** Reasons for being disabled that new credentials cure. An operator's own `disable` is not among them. */
const CREDENTIAL_REASONS: ReadonlySet<string> = new Set([
  MISSING_AUTH,
  "http-401",
  "http-403",
  "refresh-token-reused",
  "refresh-token-expired",
  "refresh-token-invalidated",
  "invalid-grant",
]);

/** A cooldown doubles with each fault in a row, up to this. */
const LONGEST_BACKOFF_MS = 5 * 60_000;
/** Faults further apart than this are not of one incident. */
const INCIDENT_MS = 10 * 60_000;

/**
 * How long an account cools down after a fault that named no time, ms: `baseMs` for the first, twice as long for each in a
 * row, and up to a fifth more by `random` (0..1).
 */
export function backoffMs(health: Health, baseMs: number, atMs: number, random: number): number {
  const doubled = baseMs * 2 ** (faultsInRow(health, atMs) - 1);
  return prolonged(Math.max(baseMs, Math.min(LONGEST_BACKOFF_MS, doubled)), random);
}

/** The next state; the table above. Returns the same object when nothing changes. */
export function transition(health: Health, event: HealthEvent): Health {
  switch (event.kind) {
    case "cool":
      return cooled(health, event);
    case "disable":
      return health.kind === "disabled" &&
        (event.reason !== OPERATOR_REASON || health.reason === OPERATOR_REASON)
        ? health
        : { kind: "disabled", reason: event.reason, sinceMs: event.atMs };
    case "renewed":
      return waitsForCredentials(health) ? HEALTHY : health;
    case "served":
      return health.kind === "cooling" && event.startedMs >= health.sinceMs ? HEALTHY : health;
    case "room":
      return roomFrom(health, event);
    case "enable":
      return HEALTHY;
    default:
      return event satisfies never;
  }
}

/** True for a disablement that new credentials in its auth.json would end. */
export function waitsForCredentials(health: Health): boolean {
  return health.kind === "disabled" && CREDENTIAL_REASONS.has(health.reason);
}

/** What `health` amounts to at `nowMs`: a cooldown whose time has passed reads as healthy. */
export function healthAt(health: Health, nowMs: number): Health {
  return health.kind === "cooling" && health.untilMs <= nowMs ? HEALTHY : health;
}

/** `health` for a model with its own limit: a refusal on the main limit does not apply to it. */
export function healthOnOwnLimit(health: Health): Health {
  return health.kind === "cooling" && health.cause === "limit" ? HEALTHY : health;
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
    faults: event.cause === "fault" ? faultsInRow(health, event.atMs) : 0,
  };
}

function roomFrom(health: Health, { asOfMs, fromMs }: HealthEvent & { kind: "room" }): Health {
  if (health.kind !== "cooling" || health.cause !== "limit" || asOfMs <= health.sinceMs) return health;
  if (fromMs === undefined) return HEALTHY;
  return fromMs < health.untilMs ? { ...health, untilMs: fromMs } : health;
}

/** Faults in a row with one at `atMs`. Those of requests that were under way together are one. */
function faultsInRow(health: Health, atMs: number): number {
  if (health.kind !== "cooling" || health.cause !== "fault") return 1;
  if (atMs < health.untilMs) return health.faults;
  return atMs - health.untilMs <= INCIDENT_MS ? health.faults + 1 : 1;
}
