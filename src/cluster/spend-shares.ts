// What API keys have spent on all replicas. Each replica shows what it has spent and reserved in the current month, and
// the others count it against the monthly cap.

import { z } from "zod";
import { committedUsd } from "../core/api-billing.ts";
import type { Clock } from "../deps.ts";
import type { AccountRecord } from "../state/account-record.ts";
import { setBilling } from "../state/record-changes.ts";
import { createCounters } from "./counters.ts";
import { IN_FLIGHT_MS } from "./key-shares.ts";
import type { SharedSpending } from "./shared-spending.ts";
import type { SignalKind, Signals } from "./signals.ts";

export interface SpendSharesContext {
  readonly clock: Pick<Clock, "now" | "after">;
  readonly signals: Pick<Signals, "put" | "watch">;
  /** The id of this replica. */
  readonly replica: string;
  /** How many replicas this one knows, with itself. */
  readonly replicas: () => number;
  /** True while the others cannot be heard. */
  readonly isCutOff: () => boolean;
}

export function createSpendShares(context: SpendSharesContext): SharedSpending {
  const { clock, signals, replica, replicas, isCutOff } = context;
  /** The accounts, by a hash of their API key: another key under the same alias has spent nothing yet. */
  const records = new Map<string, AccountRecord>();
  /** The keys whose reservations elsewhere are looked at again later. */
  const expiring = new Set<string>();

  const counters = createCounters<Spent>({
    clock,
    signals,
    kind: SPENT,
    replica,
    own: (mark) => {
      const billing = records.get(mark)?.billing;
      if (billing === undefined) return undefined;
      const { month, spentUsd, reservedUsd } = billing;
      return { at_ms: clock.now(), month, spent_usd: spentUsd, reserved_usd: reservedUsd };
    },
    isPassing: ({ reserved_usd }) => reserved_usd > 0,
    received: (mark) => apply(mark),
  });

  const apply = (mark: string): void => {
    const record = records.get(mark);
    const billing = record?.billing;
    if (record === undefined || billing === undefined || record.loginMark !== mark) return;
    const others = [...counters.others(mark).values()].map(({ value }) => value);
    const seen = counters.seen(mark);
    const month = [billing, ...others, ...(seen === undefined ? [] : [seen])].reduce(
      (latest, one) => (one.month > latest ? one.month : latest),
      "",
    );
    const current = others.filter((one) => one.month === month);
    const inFlight = others.filter(({ at_ms }) => isCutOff() || clock.now() - at_ms < IN_FLIGHT_MS);
    setBilling(record, {
      ...billing,
      elsewhere: {
        month,
        spentUsd: sum(current.map(({ spent_usd }) => spent_usd)),
        reservedUsd: sum(inFlight.map(({ reserved_usd }) => reserved_usd)),
        seenUsd: seen?.month === month ? seen.spent_usd + seen.reserved_usd : 0,
        replicas: replicas(),
      },
    });
    if (expiring.has(mark) || inFlight.every(({ reserved_usd }) => reserved_usd === 0)) return;
    expiring.add(mark);
    clock.after(IN_FLIGHT_MS, () => {
      expiring.delete(mark);
      apply(mark);
    });
  };

  return {
    counted: (record) => {
      const { billing, loginMark: mark } = record;
      if (billing === undefined || mark === undefined) return;
      records.set(mark, record);
      apply(mark);
      if (committedUsd(billing) > 0 || counters.shown(mark) !== undefined) counters.changed(mark, true);
    },
  };
}

// --- internal ---

/** What an API key has spent on one replica, as it shows that to the others. */
type Spent = z.output<typeof Spent>;
const Spent = z.object({
  /** When this was the state, Unix ms. */
  at_ms: z.number(),
  /** `2026-11`. */
  month: z.string(),
  spent_usd: z.number().nonnegative(),
  reserved_usd: z.number().nonnegative(),
});

const SPENT: SignalKind<Spent> = {
  kind: "spent",
  schema: Spent,
  shift: (spent, byMs) => ({ ...spent, at_ms: spent.at_ms + byMs }),
  // Longer than any month.
  lifetimeMs: 32 * 24 * 3_600_000,
  delayMs: 0,
};

function sum(amounts: readonly number[]): number {
  return amounts.reduce((total, amount) => total + amount, 0);
}
