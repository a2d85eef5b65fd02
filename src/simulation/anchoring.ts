// Anchors the accounts of a simulation by the rules of the real proxy.

import { countedAnchor } from "../core/anchor/anchor-count.ts";
import { dayOf } from "../core/local-days.ts";
import { noteAnchors } from "../state/record-changes.ts";
import type { Store } from "../state/store.ts";
import { type AnchorPlanContext, type AnchorSettings, createAnchorPlan } from "../upstream/anchor-plan.ts";
import type { Pool } from "../upstream/pool.ts";
import type { SimulatedAccount } from "./simulated-account.ts";

export interface AnchoringOptions {
  readonly pool: Pool;
  readonly store: Store;
  /** By their ids. */
  readonly accounts: ReadonlyMap<string, SimulatedAccount>;
  readonly settings: AnchorSettings;
  /** What an anchor turn costs, in units of cost. */
  readonly cost: number;
  readonly moments: AnchorPlanContext["moments"];
}

/** Time between two calls of the function that `createAnchoring` returns. */
export const ANCHOR_STEP_MS = 5 * 60_000;

/** Returns a function that anchors the accounts that are due at `nowMs`, and returns how many there were. */
export function createAnchoring({
  pool,
  store,
  accounts,
  settings,
  cost,
  moments,
}: AnchoringOptions): (nowMs: number) => number {
  const plan = createAnchorPlan({
    pool,
    store,
    settings: () => settings,
    offers: () => true,
    moments,
    delayMs: 0,
  });
  return (nowMs) => {
    for (let sent = 0; ; ) {
      const step = plan.next(nowMs);
      if (step.kind === "wait") return sent;
      const { id } = step.account;
      const account = accounts.get(id);
      if (account === undefined) throw new Error(`no account ${id}`);
      if (step.kind === "send") {
        sent++;
        noteAnchors(step.account, countedAnchor(step.account.anchors, dayOf(nowMs), step.momentMs));
        account.spend(cost, nowMs);
      }
      pool.learn(id, account.figures(nowMs, step.kind === "send" ? "headers" : "usage_api"));
    }
  };
}
