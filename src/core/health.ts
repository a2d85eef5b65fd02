// The health of one upstream as a state machine. A cooldown ends by time alone: readers of the health notice the end, and
// nothing is written.
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
import { reasonWords } from "./reason-words.ts";

/** Why an upstream is cooling. `limit`: it is exhausted until a reset. `fault`: it failed and may be tried again soon. */
export type CoolCause = "limit" | "fault";

export type Health =
  | { readonly kind: "healthy" }
  | {
      readonly kind: "cooling";
      readonly cause: CoolCause;
      readonly reason: string;
      readonly sinceMs: number;
      readonly untilMs: number;
      /** Faults in a row, including this one; 0 for a limit. */
      readonly faults: number;
    }
  | {
      readonly kind: "disabled";
      readonly reason: string;
      readonly sinceMs: number;
      /** The name of the replica on which the operator disabled it, if it is another one and known. */
      readonly on?: string | undefined;
    };

export type HealthEvent =
  | {
      readonly kind: "cool";
      readonly cause: CoolCause;
      readonly reason: string;
      readonly atMs: number;
      readonly untilMs: number;
    }
  | {
      readonly kind: "disable";
      readonly reason: string;
      readonly atMs: number;
      readonly on?: string | undefined;
    }
  /** The credentials were renewed or replaced. */
  | { readonly kind: "renewed" }
  /** A request that began at `startedMs` was served. */
  | { readonly kind: "served"; readonly startedMs: number }
  /** Figures of `asOfMs` show room in every window, now or from `fromMs` on. */
  | { readonly kind: "room"; readonly asOfMs: number; readonly fromMs?: number }
  /** The operator put the account back into service. */
  | { readonly kind: "enable" };

export const HEALTHY: Health = { kind: "healthy" };

/** The reason of `codexlb account disable`: only `enable` ends it. */
export const OPERATOR_REASON = "operator";

/** The reason of an account whose auth.json cannot be read. */
export const MISSING_AUTH = "missing-auth";

/** The reason of an account whose API key has spent an unknown amount this month. */
export const UNKNOWN_SPENDING = "unknown-spending";

/** Reasons for being disabled that new credentials resolve. The operator's `disable` is not among them. */
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
/** Faults further apart than this are separate incidents. */
const INCIDENT_MS = 10 * 60_000;

/**
 * The cooldown after a fault that named no time, ms: `baseMs` for the first, doubled for each further fault in a row, and
 * up to a fifth more by `random` (0..1).
 */
export function backoffMs(health: Health, baseMs: number, atMs: number, random: number): number {
  const doubled = baseMs * 2 ** (faultsInRow(health, atMs) - 1);
  return prolonged(Math.max(baseMs, Math.min(LONGEST_BACKOFF_MS, doubled)), random);
}

/** The next state, according to the table above. Returns the same object if nothing changes. */
export function transition(health: Health, event: HealthEvent): Health {
  switch (event.kind) {
    case "cool":
      return cooled(health, event);
    case "disable":
      return health.kind === "disabled" &&
        (event.reason !== OPERATOR_REASON || health.reason === OPERATOR_REASON)
        ? health
        : {
            kind: "disabled",
            reason: event.reason,
            sinceMs: event.atMs,
            ...(event.on === undefined ? {} : { on: event.on }),
          };
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

/** True if the upstream is disabled for a reason that new credentials in its auth.json resolve. */
export function waitsForCredentials(health: Health): boolean {
  return health.kind === "disabled" && CREDENTIAL_REASONS.has(health.reason);
}

/** Why an upstream is out of service, for people: `disabled: login expired`. */
export function disabledText(reason: string | undefined): string {
  if (reason === OPERATOR_REASON) return "disabled by you";
  if (reason === MISSING_AUTH) return "disabled: its auth.json cannot be read";
  return reason === undefined ? "disabled" : `disabled: ${reasonWords(reason)}`;
}

/** The health at `nowMs`: after the end of a cooldown it is healthy. */
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
  // A short cooldown must not shorten a longer one, whatever the causes.
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

/** Faults in a row, including one at `atMs`. Faults of requests that were in flight together count as one. */
function faultsInRow(health: Health, atMs: number): number {
  if (health.kind !== "cooling" || health.cause !== "fault") return 1;
  if (atMs < health.untilMs) return health.faults;
  return atMs - health.untilMs <= INCIDENT_MS ? health.faults + 1 : 1;
}
