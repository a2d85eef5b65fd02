// Decides which account is anchored next. A turn is sent only where the figures prove that the 5h window has not
// begun, and only on an account that could take any other turn as well.

import { mayAnchor } from "../core/anchor/anchor-count.ts";
import { dueMoment, staggerMs, type TimeOfDay } from "../core/anchor/anchor-times.ts";
import { createWindowWatch } from "../core/anchor/window-watch.ts";
import type { Candidate } from "../core/availability.ts";
import { dayOf } from "../core/local-days.ts";
import { limitFor } from "../core/meters.ts";
import { MAIN_LIMIT_ID } from "../core/quota.ts";
import { USUAL_SECONDS } from "../core/windows.ts";
import type { AccountRecord } from "../state/account-record.ts";
import type { Store } from "../state/store.ts";
import type { Pool } from "./pool.ts";

export interface AnchorSettings {
  readonly enabled: boolean;
  readonly at: readonly TimeOfDay[];
  readonly stagger: boolean;
  readonly model: string;
}

/** `look`: fetch the account's figures. `send`: send a turn on the account, for the time `momentMs` (Unix ms). */
export type AnchorStep =
  | { readonly kind: "wait" }
  | { readonly kind: "look"; readonly account: AccountRecord }
  | { readonly kind: "send"; readonly account: AccountRecord; readonly momentMs: number };

export interface AnchorPlan {
  /** The next step at `nowMs` (Unix ms). */
  next(nowMs: number): AnchorStep;
}

export interface AnchorPlanContext {
  readonly store: Pick<Store, "state">;
  readonly pool: Pick<Pool, "watched">;
  readonly settings: () => AnchorSettings;
  /** True if the account's catalogue lists `model`; undefined if the catalogue is unknown. */
  readonly offers: (accountId: string, model: string) => boolean | undefined;
  /** When it is `at` around `nowMs`, Unix ms. */
  readonly moments: (at: readonly TimeOfDay[], nowMs: number) => readonly number[];
  /** How long after their times accounts are anchored, ms. */
  readonly delayMs: number;
}

/** With less left of a longer window, an account is not anchored: the longer window then ends its use, not the short one. */
export const LEAST_LEFT_OF_WEEK = 0.2;
/** A turn is sent only on figures of at most this age. */
const FRESH_MS = 60_000;

export function createAnchorPlan(context: AnchorPlanContext): AnchorPlan {
  const { store, pool, settings, offers, moments, delayMs } = context;
  const watch = createWindowWatch();
  /** When the figures of each account were last asked for, Unix ms. */
  const lookedMs = new Map<string, number>();

  const stepFor = (
    record: AccountRecord,
    candidate: Candidate,
    momentMs: number,
    nowMs: number,
  ): AnchorStep => {
    const { model } = settings();
    const { short } = record.quota.main.windows;
    if (short === undefined || !canTakeTurn(candidate) || offers(record.id, model) === false) return WAIT;
    // The turn would count for another limit, and would not start this window.
    if (limitFor(record.quota, model, () => undefined).id !== MAIN_LIMIT_ID) return WAIT;
    if (!mayAnchor(record.anchors, dayOf(nowMs), momentMs, nowMs)) return WAIT;
    if (nowMs - short.asOfMs < FRESH_MS)
      return watch.hasNotBegun(record.id) ? { kind: "send", account: record, momentMs } : WAIT;
    const last = lookedMs.get(record.id);
    if (last !== undefined && nowMs >= last && nowMs - last < FRESH_MS) return WAIT;
    lookedMs.set(record.id, nowMs);
    return { kind: "look", account: record };
  };

  return {
    next: (nowMs) => {
      const { enabled, at, stagger } = settings();
      if (!enabled) return WAIT;
      const { accounts } = store.state;
      for (const { id, quota } of accounts) watch.see(id, quota.main.windows.short);
      const candidates = new Map(pool.watched().accounts.map(({ candidate }) => [candidate.id, candidate]));
      const inService = accounts.filter(
        ({ health, draining, quota }) =>
          health.kind !== "disabled" && !draining && quota.main.windows.short !== undefined,
      );
      // The delay differs after a restart, so it is no part of the times.
      const planMs = nowMs - delayMs;
      const times = moments(at, planMs);
      let look: AnchorStep = WAIT;
      for (const [rank, record] of inService.entries()) {
        const candidate = candidates.get(record.id);
        const laterMs = stagger ? staggerMs({ rank, count: inService.length }, shortWindowMs(record)) : 0;
        const due = dueMoment(
          times.map((time) => time + laterMs),
          planMs,
        );
        if (candidate === undefined || due === undefined) continue;
        const step = stepFor(record, candidate, due, nowMs);
        if (step.kind === "send") return step;
        if (step.kind === "look" && look.kind === "wait") look = step;
      }
      return look;
    },
  };
}

// --- internal ---

const WAIT: AnchorStep = { kind: "wait" };

function shortWindowMs({ quota }: AccountRecord): number {
  return (quota.main.windows.short?.windowSeconds ?? USUAL_SECONDS.short) * 1000;
}

/** True if the account is idle, has room above its floors, and enough left of its longer windows. */
function canTakeTurn({ condition, draining, inFlight, summary }: Candidate): boolean {
  if (condition !== "ready" || draining || inFlight > 0) return false;
  const { weekly, monthly } = summary.windows;
  return [weekly, monthly].every(
    (window) => window === undefined || (window.left !== undefined && window.left >= LEAST_LEFT_OF_WEEK),
  );
}
