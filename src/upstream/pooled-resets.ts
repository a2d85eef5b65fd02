// The reset credits of the pool, as if it were one account. Codex shows them, and can spend one of them: it names the
// credit, and each credit belongs to one account.

import type { ResetSpender } from "../auth/redeem-ops.ts";
import { BoundedMap } from "../core/bounded-map.ts";
import { exhaustedUntilMs, isExhausted, type QuotaView } from "../core/quota.ts";
import type { RedeemResult } from "../core/redemption.ts";
import { type ResetCredit, resetCreditsAt } from "../core/reset-credits.ts";
import type { AccountRecord } from "../state/account-record.ts";
import type { Store } from "../state/store.ts";

/** A credit and the alias of its account. */
export interface PooledReset {
  readonly alias: string;
  readonly credit: ResetCredit;
}

export interface PooledResets {
  /** How many credits the accounts in service have; undefined while that is unknown for all of them. */
  count(onlyId?: string): number | undefined;
  /** The credits that the backend has listed, the soonest to expire first. `onlyId`: those of this account. */
  list(onlyId?: string): readonly PooledReset[];
  /**
   * Spends the credit `creditId` of the account that has it. Without an id, spends a credit of the exhausted account
   * whose reset is furthest away. A request with the same `requestId` is never carried out twice.
   */
  redeem(request: {
    readonly requestId: string;
    readonly creditId: string | undefined;
    readonly onlyId?: string | undefined;
  }): Promise<RedeemResult>;
}

export interface PooledResetsContext {
  readonly store: Pick<Store, "state">;
  readonly redeemer: ResetSpender;
  readonly view: () => QuotaView;
}

/** Codex repeats a request within minutes, and a person spends few credits. */
const MOST_REQUESTS = 64;

export function createPooledResets({ store, redeemer, view }: PooledResetsContext): PooledResets {
  /** The results of the clients' requests that spent a credit, by their id. */
  const spent = new BoundedMap<string, Extract<RedeemResult, { kind: "reset" }>>(MOST_REQUESTS);

  const serving = (onlyId: string | undefined): AccountRecord[] =>
    store.state.accounts.filter(
      ({ id, health }) => health.kind !== "disabled" && (onlyId === undefined || id === onlyId),
    );

  const listedBy = (record: AccountRecord): readonly ResetCredit[] =>
    record.resetCredits === undefined
      ? []
      : (resetCreditsAt(record.resetCredits, view().nowMs).credits ?? []);

  const countOf = ({ resetCredits }: AccountRecord): number =>
    resetCredits === undefined ? 0 : resetCreditsAt(resetCredits, view().nowMs).count;

  /** The exhausted account with a credit whose reset is furthest away; undefined if there is none. */
  const neediest = (onlyId: string | undefined): AccountRecord | undefined => {
    const now = view();
    const backMs = ({ quota }: AccountRecord) => exhaustedUntilMs(quota, quota.main, now) ?? 0;
    return serving(onlyId)
      .filter((record) => isExhausted(record.quota, record.quota.main, now) && countOf(record) > 0)
      .sort((a, b) => backMs(b) - backMs(a))[0];
  };

  return {
    count: (onlyId) => {
      const known = serving(onlyId).filter(({ resetCredits }) => resetCredits !== undefined);
      return known.length === 0 ? undefined : known.reduce((sum, record) => sum + countOf(record), 0);
    },
    list: (onlyId) =>
      serving(onlyId)
        .flatMap((record) => listedBy(record).map((credit) => ({ alias: record.alias, credit })))
        .sort((a, b) => expiryOf(a) - expiryOf(b)),
    redeem: async ({ requestId, creditId, onlyId }) => {
      const before = spent.get(requestId);
      if (before !== undefined) return { ...before, repeated: true };
      const unfinished = serving(onlyId).find(({ redemption }) => redemption?.requestId === requestId);
      const owner =
        unfinished ??
        (creditId === undefined
          ? neediest(onlyId)
          : serving(onlyId).find((record) => listedBy(record).some(({ id }) => id === creditId)));
      if (owner === undefined) {
        const hasCredit = creditId === undefined && serving(onlyId).some((record) => countOf(record) > 0);
        return { kind: "refused", why: hasCredit ? "nothing_to_reset" : "no_credit" };
      }
      const result = await redeemer.redeem(owner, { by: "codex", requestId, creditId });
      if (result.kind === "reset") spent.set(requestId, result);
      return result;
    },
  };
}

// --- internal ---

function expiryOf({ credit }: PooledReset): number {
  return credit.expiresAtMs ?? Number.POSITIVE_INFINITY;
}
