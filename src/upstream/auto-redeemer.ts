// Spends reset credits in the background, if `policy.auto_redeem` says so. An attempt is counted on disk together with
// its request, so a restart does not make another one.

import type { ResetSpender } from "../auth/redeem-ops.ts";
import type { WorkLeases } from "../cluster/work-leases.ts";
import { type AutoRedeemSettings, autoRedeemId, withAttempt } from "../core/auto-redeem.ts";
import { dayOf } from "../core/local-days.ts";
import { type RedeemResult, unfinishedAt } from "../core/redemption.ts";
import { resetCreditsAt } from "../core/reset-credits.ts";
import type { Deps } from "../deps.ts";
import { messageOf } from "../errors.ts";
import type { AccountRecord } from "../state/account-record.ts";
import { noteResets } from "../state/record-figures.ts";
import type { Store } from "../state/store.ts";
import type { Pool } from "./pool.ts";
import { createRepeatedJob } from "./repeated-job.ts";

export interface AutoRedeemer {
  start(): void;
  /** Spends no more credits. */
  stop(): void;
}

export interface AutoRedeemerContext {
  readonly deps: Pick<Deps, "clock" | "log">;
  readonly store: Pick<Store, "state" | "touch">;
  readonly pool: Pick<Pool, "watched">;
  readonly redeemer: Pick<ResetSpender, "redeem">;
  readonly settings: () => AutoRedeemSettings;
  readonly leases: Pick<WorkLeases, "take" | "holds">;
}

/** One replica of a pool spends the credits of all accounts, because the daily limit is that of the pool. */
const JOB = "auto-redeem";
/** Time between two checks of the pool. */
const TICK_MS = 30_000;
/** Pause after an attempt. */
const PAUSE_MS = 10 * 60_000;

export function createAutoRedeemer(context: AutoRedeemerContext): AutoRedeemer {
  const { store, pool, redeemer, settings, leases } = context;
  const { clock, log } = context.deps;
  /** The end of the pause, monotonic ms. */
  let pausedUntil = 0;

  /**
   * The account on which a credit is spent now. A request without an outcome is repeated, however many attempts there
   * were.
   */
  const chosen = (): AccountRecord | undefined => {
    const { accounts } = store.state;
    const nowMs = clock.now();
    const watched = pool.watched();
    const records = new Map(accounts.map((record) => [record.id, record]));
    const candidates = watched.accounts.flatMap(({ candidate }) => {
      const record = records.get(candidate.id);
      if (record === undefined) return [];
      const credits = record.resetCredits && resetCreditsAt(record.resetCredits, nowMs);
      return [{ candidate, credits, attempts: record.autoRedeems }];
    });
    const unfinished = accounts.find(({ redemption }) => unfinishedAt(redemption, nowMs) !== undefined);
    const now = settings();
    const id = autoRedeemId(
      candidates,
      watched.children.map(({ candidate }) => candidate),
      {
        settings: unfinished === undefined ? now : { ...now, keep: 0, perDay: Number.POSITIVE_INFINITY },
        nowMs,
        day: dayOf(nowMs),
      },
    );
    return id === undefined ? undefined : (unfinished ?? records.get(id));
  };

  const step = async (): Promise<void> => {
    if (settings().when === "never") return;
    // During the pause the lease is kept, so that no other replica makes an attempt.
    const isPaused = clock.monotonic() < pausedUntil;
    if (!isPaused && chosen() === undefined) return;
    if (!(await leases.take([JOB], "exclusive")).has(JOB) || isPaused) return;
    // Another replica may have spent a credit in the meantime.
    const record = chosen();
    if (record === undefined) return;
    const result = await redeemer.redeem(record, {
      by: "auto",
      isWanted: () => !job.isStopped() && leases.holds(JOB) && chosen() === record,
      noteSpending: () =>
        noteResets(record, { autoRedeems: withAttempt(record.autoRedeems, dayOf(clock.now())) }),
    });
    pausedUntil = clock.monotonic() + PAUSE_MS;
    report(record, result);
  };

  const report = (record: AccountRecord, result: RedeemResult): void => {
    if (result.kind !== "reset") {
      const why = result.kind === "refused" ? result.why.replaceAll("_", " ") : result.why;
      log.warn(`policy.auto_redeem: spending a reset credit of ${record.alias} failed: ${why}`);
      return;
    }
    const { autoRedeems } = record;
    if (autoRedeems !== undefined)
      noteResets(record, { autoRedeems: { ...autoRedeems, redeemedMs: clock.now() } });
    store.touch();
    log.info(
      `policy.auto_redeem: spent a reset credit of ${record.alias}, because every account was exhausted`,
    );
  };

  const job = createRepeatedJob({
    clock,
    everyMs: TICK_MS,
    run: step,
    // The request could not be written, so it was not sent.
    failed: (error) => log.warn(`policy.auto_redeem: ${messageOf(error)}; codexlb tries again`),
  });
  return job;
}
