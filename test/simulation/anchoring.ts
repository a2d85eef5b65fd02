// Anchors the accounts of a simulated world by the rules of the real proxy.

import { countedAnchor } from "../../src/core/anchor/anchor-count.ts";
import type { TimeOfDay } from "../../src/core/anchor/anchor-times.ts";
import { dayOf } from "../../src/core/local-days.ts";
import { noteAnchors } from "../../src/state/record-changes.ts";
import type { Store } from "../../src/state/store.ts";
import { type AnchorSettings, createAnchorPlan } from "../../src/upstream/anchor-plan.ts";
import type { Pool } from "../../src/upstream/pool.ts";
import { DAY_MS, HOUR_MS, idOf, MINUTE_MS, type WorldAccount } from "./world.ts";

export interface AnchoringOptions {
  readonly pool: Pool;
  readonly store: Store;
  readonly accounts: readonly WorldAccount[];
  readonly times: Pick<AnchorSettings, "at" | "stagger">;
}

/** Time between two calls of the function that `createAnchoring` returns. */
export const ANCHOR_STEP_MS = 5 * MINUTE_MS;

/** Returns a function that anchors the accounts that are due at `nowMs`, and returns how many there were. */
export function createAnchoring({
  pool,
  store,
  accounts,
  times,
}: AnchoringOptions): (nowMs: number) => number {
  const plan = createAnchorPlan({
    pool,
    store,
    settings: () => ({ ...times, enabled: true, model: "small" }),
    offers: () => true,
    moments: utcMoments,
    delayMs: 0,
  });
  const byId = new Map(accounts.map((account) => [idOf(account.index), account]));
  return (nowMs) => {
    for (let sent = 0; ; ) {
      const step = plan.next(nowMs);
      if (step.kind === "wait") return sent;
      const { id } = step.account;
      const account = byId.get(id);
      if (account === undefined) throw new Error(`no account ${id}`);
      if (step.kind === "send") {
        sent++;
        noteAnchors(step.account, countedAnchor(step.account.anchors, dayOf(nowMs), step.momentMs));
        account.anchor(nowMs);
      }
      pool.learn(id, account.figures(nowMs, step.kind === "send" ? "headers" : "usage_api"));
    }
  };
}

// --- internal ---

/** The world has one time zone, so that the figures are the same on every machine. */
function utcMoments(at: readonly TimeOfDay[], nowMs: number): number[] {
  const midnightMs = Math.floor(nowMs / DAY_MS) * DAY_MS;
  return [midnightMs - DAY_MS, midnightMs].flatMap((dayMs) =>
    at.map(({ hours, minutes }) => dayMs + hours * HOUR_MS + minutes * MINUTE_MS),
  );
}
