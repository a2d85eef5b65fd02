// What replicas share about background jobs: how often an account was anchored, what was attempted with its reset
// credits, and how many there are. So the next replica that does a job continues where the last one stopped.

import { z } from "zod";
import type { SignalKind, Signals } from "../cluster/signals.ts";
import { mergedAnchors } from "../core/anchor/anchor-count.ts";
import { mergedAttempts } from "../core/auto-redeem.ts";
import type { Deps } from "../deps.ts";
import { messageOf } from "../errors.ts";
import type { AccountRecord } from "../state/account-record.ts";
import { noteAnchors } from "../state/record-changes.ts";
import { noteResets } from "../state/record-figures.ts";
import type { Store } from "../state/store.ts";
import { ResetCreditsFile } from "../state/store-shapes.ts";
import { nameOf } from "./account-signal-values.ts";
import { createRepeatedJob, type RepeatedJob } from "./repeated-job.ts";

export interface SharedWorkContext {
  readonly deps: Pick<Deps, "clock" | "log">;
  readonly signals: Pick<Signals, "put" | "watch">;
  readonly store: Pick<Store, "state" | "touch">;
}

/** Time between two comparisons, ms. Far less than a lease lasts, so the next holder knows what the last one did. */
const TICK_MS = 1_000;

/**
 * Sends what changes here, and applies what the others send. It receives signals from now on, and applies them from
 * `start` on.
 */
export function shareWork({ deps, signals, store }: SharedWorkContext): RepeatedJob {
  /** What the others have sent and is not applied yet, by the account's name: it may arrive before its account. */
  const heard = new Map<string, AccountWork>();
  /** What the pool has, by the account's name. */
  const known = new Map<string, AccountWork>();

  const compare = (record: AccountRecord): void => {
    // Another login under the same alias has its own credits.
    const name = nameOf(record);
    const news = heard.get(name);
    if (news !== undefined) {
      heard.delete(name);
      known.set(name, news);
      if (take(record, news)) store.touch();
    }
    const before = known.get(name) ?? NO_WORK;
    const now = workOf(record, before);
    if (JSON.stringify(now) === JSON.stringify(before)) return;
    known.set(name, now);
    signals.put(ACCOUNT_WORK, name, now);
  };

  signals.watch(ACCOUNT_WORK, ({ name, value }) => void heard.set(name, value));
  return createRepeatedJob({
    clock: deps.clock,
    everyMs: TICK_MS,
    run: async () => {
      for (const record of store.state.accounts) compare(record);
    },
    failed: (error) =>
      deps.log.warn(`sharing the background jobs of accounts: ${messageOf(error)}; codexlb tries again`),
  });
}

// --- internal ---

type AccountWork = z.output<typeof AccountWork>;
const AccountWork = z.object({
  anchors: z
    .object({ day: z.string(), turns: z.number(), tokens: z.number(), momentMs: z.number() })
    .optional(),
  attempts: z.object({ day: z.string(), attempts: z.number(), redeemedMs: z.number() }).optional(),
  redemption: z
    .object({ requestId: z.string(), creditId: z.string().optional(), sinceMs: z.number() })
    .optional(),
  /** The request to spend a credit whose outcome became known last. */
  ended: z.string().optional(),
  credits: ResetCreditsFile.optional(),
});

const NO_WORK: AccountWork = {};

const ACCOUNT_WORK: SignalKind<AccountWork> = {
  kind: "account-work",
  schema: AccountWork,
  // The times of credits are the backend's.
  shift: ({ anchors, attempts, redemption, ended, credits }, byMs) => ({
    anchors: anchors && { ...anchors, momentMs: anchors.momentMs + byMs },
    attempts: attempts && {
      ...attempts,
      redeemedMs: attempts.redeemedMs === 0 ? 0 : attempts.redeemedMs + byMs,
    },
    redemption: redemption && { ...redemption, sinceMs: redemption.sinceMs + byMs },
    ended,
    credits: credits && { ...credits, asOfMs: credits.asOfMs + byMs },
  }),
  // Longer than any day.
  lifetimeMs: 26 * 3_600_000,
  delayMs: 0,
};

/** The state of the record's jobs, after `before`. */
function workOf(record: AccountRecord, before: AccountWork): AccountWork {
  const { anchors, autoRedeems, redemption, resetCredits } = record;
  const last = before.redemption?.requestId;
  return {
    anchors,
    attempts: autoRedeems,
    redemption: redemption && { ...redemption },
    ended: last !== undefined && redemption?.requestId !== last ? last : before.ended,
    credits: resetCredits && {
      ...resetCredits,
      credits: resetCredits.credits?.map((credit) => ({ ...credit })),
    },
  };
}

/** Takes what is newer in `work`. Returns true if the record has changed. */
function take(record: AccountRecord, work: AccountWork): boolean {
  const revision = record.revision;
  const anchors = work.anchors && mergedAnchors(record.anchors, work.anchors);
  if (anchors !== undefined && anchors !== record.anchors) noteAnchors(record, anchors);
  const attempts = work.attempts && mergedAttempts(record.autoRedeems, work.attempts);
  if (attempts !== undefined && attempts !== record.autoRedeems)
    noteResets(record, { autoRedeems: attempts });
  const { credits, redemption, ended } = work;
  if (credits !== undefined && credits.asOfMs > (record.resetCredits?.asOfMs ?? 0))
    noteResets(record, {
      resetCredits: {
        ...credits,
        credits: credits.credits?.map(({ expiresAtMs, title, ...credit }) => ({
          ...credit,
          expiresAtMs,
          title,
        })),
      },
    });
  // The backend carries out a request once, so an unfinished one may be repeated by every replica.
  const own = record.redemption?.requestId;
  if (own !== undefined && own === ended) noteResets(record, { redemption: undefined });
  else if (own === undefined && redemption !== undefined)
    noteResets(record, { redemption: { ...redemption, creditId: redemption.creditId } });
  return record.revision !== revision;
}
