// Starts the 5h windows of accounts in the background, one account at a time. The turn is counted on disk before
// it is sent, so neither a restart nor the next proxy on the root sends it again.

import type { WorkLeases } from "../cluster/work-leases.ts";
import { anchorsOn, countedAnchor } from "../core/anchor/anchor-count.ts";
import type { AnchorResult } from "../core/anchor/anchor-result.ts";
import { chance } from "../core/jitter.ts";
import { dayOf } from "../core/local-days.ts";
import type { Deps } from "../deps.ts";
import { messageOf } from "../errors.ts";
import type { AccountRecord } from "../state/account-record.ts";
import type { EventLog } from "../state/events.ts";
import { noteAnchors } from "../state/record-changes.ts";
import type { Store } from "../state/store.ts";
import type { AnchorPlan } from "./anchor-plan.ts";
import type { Refresher } from "./refresher.ts";
import { createRepeatedJob } from "./repeated-job.ts";

export interface Anchorer {
  start(): void;
  /** Sends no more turns. */
  stop(): void;
}

export interface AnchorerContext {
  readonly deps: Pick<Deps, "clock" | "random" | "log">;
  readonly store: Store;
  readonly events: Pick<EventLog, "append">;
  readonly plan: AnchorPlan;
  readonly refresher: Pick<Refresher, "refresh">;
  readonly leases: Pick<WorkLeases, "take">;
  /** Sends the turn on this account only. Never throws. */
  readonly send: (accountId: string) => Promise<AnchorResult>;
}

/** One replica of a pool anchors all accounts, because their times depend on each other. */
const JOB = "anchor";
/** Time between two steps. */
const TICK_MS = 12_000;
/** The least pause after a turn; up to as much is added at random. */
const PAUSE_MS = 20_000;

export function createAnchorer(context: AnchorerContext): Anchorer {
  const { plan, refresher, leases } = context;
  const { clock, random, log } = context.deps;
  /** The end of the pause, monotonic ms. */
  let pausedUntil = 0;

  const isOwn = async (): Promise<boolean> => (await leases.take([JOB], "exclusive")).has(JOB);

  const step = async (): Promise<void> => {
    const next = plan.next(clock.now());
    switch (next.kind) {
      case "wait":
        return;
      case "look":
        if (!(await isOwn())) return;
        return refresher.refresh(next.account);
      case "send":
        if (clock.monotonic() < pausedUntil || !(await isOwn())) return;
        await anchor(context, next.account, next.momentMs);
        pausedUntil = clock.monotonic() + PAUSE_MS * (1 + chance(random));
        return;
      default:
        next satisfies never;
    }
  };

  return createRepeatedJob({
    clock,
    everyMs: TICK_MS,
    run: step,
    // The count could not be written, so no turn was sent.
    failed: (error) =>
      log.warn(`starting the 5h window of an account: ${messageOf(error)}; codexlb tries again`),
  });
}

// --- internal ---

/** Counts a turn on disk, then sends it. Throws if the count cannot be written; the turn is not sent then. */
async function anchor(
  { deps, store, events, send }: AnchorerContext,
  record: AccountRecord,
  momentMs: number,
): Promise<void> {
  const day = dayOf(deps.clock.now());
  noteAnchors(record, countedAnchor(record.anchors, day, momentMs));
  store.touch();
  store.flush();
  const result = await send(record.id);
  const named = { account_id: record.id };
  if (result.kind === "failed") {
    events.append("anchor.failed", { ...named, error: result.why });
    return;
  }
  const { tokens = 0, durationMs } = result;
  const { anchors } = record;
  if (anchors !== undefined)
    noteAnchors(record, { ...anchors, tokens: anchorsOn(anchors, day).tokens + tokens });
  store.touch();
  events.append("anchor.sent", { ...named, tokens: result.tokens, duration_ms: durationMs });
}
