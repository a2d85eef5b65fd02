// Changes of a record by what is learned about its limits: figures, refusals, and resets. The caller marks the store for
// saving.

import { learnedFigures } from "../core/figures.ts";
import type { HealthEvent } from "../core/health.ts";
import {
  canServe,
  exhaustedUntilMs,
  isExhausted,
  mergeQuota,
  newestFigureMs,
  type Quota,
  type QuotaEvidence,
  type QuotaView,
  UNKNOWN_QUOTA,
  withoutExhausted,
} from "../core/quota.ts";
import type { AccountRecord, UpstreamRecord } from "./account-record.ts";
import { changeHealth } from "./record-changes.ts";
import { change, changeFigures } from "./record-writes.ts";

/** How figures are read. */
export interface FiguresView extends QuotaView {
  /** True if accounts with only credits left may spend them. */
  readonly useCredits: boolean;
}

/** Merges figures from traffic or a poll. Evidence of room ends a limit if it is newer than the limit. */
export function learn(record: UpstreamRecord, evidence: QuotaEvidence, view: FiguresView): void {
  const { quota, isRepeat } = learnedFigures(record.quota, evidence, view);
  if (isRepeat) change(record, { quota });
  else changeFigures(record, quota);
  if (evidence.main.completeAsOfMs > 0 && record.unheardTurns > 0) change(record, { unheardTurns: 0 });
  const { health } = record;
  if (health.kind !== "cooling" || health.cause !== "limit") return;
  const room = roomIn(quota, evidence, view);
  if (room !== undefined) changeHealth(record, room);
}

/** Merges what a refusal reports about a limit. It is no evidence of room. */
export function learnRefusal(record: UpstreamRecord, evidence: QuotaEvidence): void {
  changeFigures(record, mergeQuota(record.quota, evidence));
}

/** The usage endpoint answered at `atMs`, when `messages` turns had been sent. */
export function noteSync(record: AccountRecord, atMs: number, messages: number): void {
  change(record, { quotaSyncMs: atMs, quotaSyncMessages: messages, unheardTurns: 0 });
}

/** What the account's record says about reset credits. */
type Resets = Pick<AccountRecord, "resetCredits" | "redemption" | "autoRedeems">;

/** Replaces what is known about the account's reset credits, and about the requests to spend them. */
export function noteResets(record: AccountRecord, resets: Partial<Resets>): void {
  change<AccountRecord>(record, resets);
}

/** A reset credit was spent at `atMs`: neither an earlier limit nor figures of exhausted windows count any more. */
export function noteReset(record: AccountRecord, atMs: number): void {
  changeHealth(record, { kind: "room", asOfMs: atMs });
  changeFigures(record, withoutExhausted(record.quota));
}

/** The state of a child proxy has changed. `isReport`: its report includes the limits that refuse requests. */
export function noteSight(record: UpstreamRecord, isReport: boolean): void {
  changeFigures(record, isReport ? UNKNOWN_QUOTA : record.quota);
}

// --- internal ---

/** The room that figures show for an account that is cooling because of a limit: now, or from a time on; undefined if none. */
function roomIn(quota: Quota, evidence: QuotaEvidence, view: FiguresView): HealthEvent | undefined {
  const figuresMs = newestFigureMs(evidence.main);
  const creditsMs = evidence.spending.credits?.asOfMs ?? 0;
  const asOfMs = isExhausted(quota, quota.main, view) ? Math.max(figuresMs, creditsMs) : figuresMs;
  if (newestFigureMs(quota.main) > 0 && canServe(quota, quota.main, view, view.useCredits))
    return { kind: "room", asOfMs };
  const fromMs = exhaustedUntilMs(quota, quota.main, view);
  return fromMs === undefined ? undefined : { kind: "room", asOfMs, fromMs };
}
