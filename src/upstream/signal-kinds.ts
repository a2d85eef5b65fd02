// The signals with which replicas share what they notice about accounts and sessions. The engine gets them sealed.

import { z } from "zod";
import type { SignalKind } from "../cluster/signals.ts";
import { FiguresFile } from "../state/store-shapes.ts";

const DAY_MS = 24 * 3_600_000;

/** The health of one account. `healthy`: since the time of the signal. */
const SharedHealth = z.discriminatedUnion("kind", [
  /**
   * `isEnabled`: the operator has put the account back into service. `login`: the mark of the login that was imported to
   * do so; only replicas where this login was rejected apply it. Undefined: it applies to every login.
   */
  z.object({ kind: z.literal("healthy"), isEnabled: z.boolean(), login: z.string().optional() }),
  z.object({
    kind: z.literal("cooling"),
    cause: z.enum(["limit", "fault"]),
    reason: z.string(),
    sinceMs: z.number(),
    untilMs: z.number(),
  }),
  /** `login`: the mark of the rejected login. */
  z.object({ kind: z.literal("disabled"), reason: z.string(), login: z.string().optional() }),
]);
export type SharedHealth = z.output<typeof SharedHealth>;

/**
 * By account. A weekly limit usually is the longest cooldown; the figures also show a monthly window that is exhausted.
 */
export const HEALTH: SignalKind<SharedHealth> = {
  kind: "health",
  schema: SharedHealth,
  // A limit ends at a time that the backend named, whatever the clocks of the replicas show.
  shift: (health, byMs) =>
    health.kind !== "cooling"
      ? health
      : {
          ...health,
          sinceMs: health.sinceMs + byMs,
          untilMs: health.cause === "limit" ? health.untilMs : health.untilMs + byMs,
        },
  lifetimeMs: 8 * DAY_MS,
  delayMs: 0,
};

/**
 * By account and replica: everything that the replica knows about the quota. Each window has its own time, and
 * receivers keep the newest of each, so one replica must not replace what another has sent.
 */
export const FIGURES: SignalKind<FiguresFile> = {
  kind: "figures",
  schema: FiguresFile,
  shift: shiftedFigures,
  lifetimeMs: DAY_MS,
  delayMs: 1_000,
};

/** By model: the limit because of which the backend refuses it. */
export const MODEL_LIMIT: SignalKind<{ readonly limit: string; readonly untilMs: number }> = {
  kind: "model-limit",
  schema: z.object({ limit: z.string(), untilMs: z.number() }),
  lifetimeMs: 8 * DAY_MS,
  delayMs: 0,
};

/** By replica: its requests in flight, by account. A replica that was killed is forgotten after the lifetime. */
export const IN_FLIGHT: SignalKind<Readonly<Record<string, number>>> = {
  kind: "in-flight",
  schema: z.record(z.string(), z.number().int().min(0)),
  lifetimeMs: 10_000,
  delayMs: 500,
};

/** By session, or key of other state (state-keys.ts). */
export const BINDING: SignalKind<{
  readonly upstream: string;
  readonly held: boolean;
  /** The upstreams that it was bound to before, the latest first. */
  readonly earlier: readonly string[];
}> = {
  kind: "binding",
  schema: z.object({ upstream: z.string(), held: z.boolean(), earlier: z.array(z.string()) }),
  lifetimeMs: 7 * DAY_MS,
  delayMs: 0,
};

// --- internal ---

/** `figures` on another clock. Resets stay, because the backend names them. */
function shiftedFigures(figures: FiguresFile, byMs: number): FiguresFile {
  const dated = <Part extends { readonly asOfMs: number } | undefined>(part: Part): Part =>
    part && { ...part, asOfMs: part.asOfMs + byMs };
  const limit = (one: FiguresFile["main"]): FiguresFile["main"] => ({
    ...one,
    short: dated(one.short),
    weekly: dated(one.weekly),
    monthly: dated(one.monthly),
    complete_as_of_ms: one.complete_as_of_ms === 0 ? 0 : one.complete_as_of_ms + byMs,
    refusal: one.refusal && { ...one.refusal, sinceMs: one.refusal.sinceMs + byMs },
  });
  const { spending } = figures;
  return {
    ...figures,
    main: limit(figures.main),
    additional: figures.additional.map(limit),
    spending: spending && {
      credits: dated(spending.credits),
      individual: dated(spending.individual),
      spendControl: dated(spending.spendControl),
      reachedType: dated(spending.reachedType),
      creditsRefused: dated(spending.creditsRefused),
    },
  };
}
