// The operations that spend reset credits. The proxy uses them, or a command while no proxy runs.

import { advised } from "../advice.ts";
import { disabledText, waitsForCredentials } from "../core/health.ts";
import type { RedeemCheck, Redeemer, RedeemResult } from "../core/redemption.ts";
import { CodexlbError } from "../errors.ts";
import type { AccountRecord } from "../state/account-record.ts";
import type { StoreState } from "../state/store-state.ts";
import { findAccount } from "./enrol.ts";

export interface RedeemRequest {
  readonly by: Redeemer;
  /** The id of the request. Default: a new one. */
  readonly requestId?: string | undefined;
  /** The credit to spend. Default: the one that expires first. */
  readonly creditId?: string | undefined;
  /** Called with fresh figures immediately before the request is written; false: do not spend. Default: spend. */
  readonly isWanted?: (() => boolean) | undefined;
  /** Changes the record together with the request, before it is written. */
  readonly noteSpending?: (() => void) | undefined;
}

export interface ResetSpender {
  /** Fetches the account's figures and credits, and decides whether a credit can be spent. Never throws. */
  check(record: AccountRecord, creditId?: string): Promise<RedeemCheck>;
  /**
   * Spends one credit, or repeats the unfinished request of the account. Throws `file_unusable` if the request cannot be
   * written; then nothing is sent.
   */
  redeem(record: AccountRecord, request: RedeemRequest): Promise<RedeemResult>;
}

/** A credit that can be spent. */
export interface RedeemableAccount {
  readonly alias: string;
  /**
   * When an earlier request whose outcome is unknown was first sent, Unix ms. Repeating it spends at most one credit.
   */
  readonly unfinishedSinceMs: number | undefined;
}

/** A credit that was spent. */
export interface RedeemedAccount {
  readonly alias: string;
  /** True if an earlier request had already spent it. */
  readonly repeated: boolean;
  readonly windowsReset: number;
  /** How many credits the account has left; undefined if that is unknown. */
  readonly creditsLeft: number | undefined;
  /** Why the account's new credits could not be read. */
  readonly problem: string | undefined;
}

export interface RedeemOps {
  /** Checks with fresh figures whether a reset credit of the account can be spent. Throws as `redeem` does. */
  checkRedeem(name: string): Promise<RedeemableAccount>;
  /** Throws `redeem_refused` if none was spent, and `redeem_uncertain` if that is unknown. */
  redeem(name: string): Promise<RedeemedAccount>;
}

export interface RedeemOpsContext {
  readonly state: StoreState;
  readonly redeemer: ResetSpender;
}

export function createRedeemOps({ state, redeemer }: RedeemOpsContext): RedeemOps {
  const usable = (name: string): AccountRecord => {
    const record = findAccount(state, name);
    if (record.billing !== undefined)
      throw new CodexlbError(
        "redeem_refused",
        `${spending(record.alias)}: it uses an API key, which has no reset credits`,
        { next: "name a ChatGPT account" },
      );
    if (record.health.kind === "disabled") throw outOfService(record);
    return record;
  };
  return {
    checkRedeem: async (name) => {
      const record = usable(name);
      const { alias } = record;
      const check = await redeemer.check(record);
      switch (check.kind) {
        case "possible":
          return { alias, unfinishedSinceMs: undefined };
        case "unfinished":
          return { alias, unfinishedSinceMs: check.redemption.sinceMs };
        default:
          throw redeemError(alias, check);
      }
    },
    redeem: async (name) => {
      const record = usable(name);
      const { alias } = record;
      const result = await redeemer.redeem(record, { by: "command" });
      if (result.kind !== "reset") throw redeemError(alias, result);
      const { repeated, windowsReset, problem } = result;
      const creditsLeft = problem === undefined ? record.resetCredits?.count : undefined;
      return { alias, repeated, windowsReset, creditsLeft, problem };
    },
  };
}

/** The error for a request whose outcome is unknown. `why`: what went wrong. */
export function redeemUncertain(alias: string, why: string, cause?: unknown): CodexlbError {
  return new CodexlbError(
    "redeem_uncertain",
    `${spending(alias)}: ${why}; it is unknown whether the credit was spent`,
    {
      next: `repeat the request with: ${advised("account redeem", alias)} (that cannot spend a second credit)`,
      cause,
    },
  );
}

// --- internal ---

function outOfService({ alias, health }: AccountRecord): CodexlbError {
  const reason = health.kind === "disabled" ? health.reason : undefined;
  const command = waitsForCredentials(health) ? "account login" : "account enable";
  return new CodexlbError("redeem_refused", `${spending(alias)}: it is ${disabledText(reason)}`, {
    next: `put it back into service first: ${advised(command, alias)}`,
  });
}

function redeemError(alias: string, result: Exclude<RedeemResult, { kind: "reset" }>): CodexlbError {
  if (result.kind === "refused")
    return new CodexlbError("redeem_refused", `${spending(alias)}: ${REFUSALS[result.why]}`, {
      next: `see its limits and credits with: ${advised("account show", alias)}`,
    });
  if (result.isOpen) return redeemUncertain(alias, result.why);
  return new CodexlbError("redeem_refused", `${spending(alias)}: ${result.why}; none was spent`, {
    next: `try again in a moment; if that does not help, see: ${advised("account show", alias)}`,
  });
}

function spending(alias: string): string {
  return `spending a reset credit of ${alias}`;
}

const REFUSALS: Readonly<Record<Extract<RedeemResult, { kind: "refused" }>["why"], string>> = {
  no_credit: "it has none",
  nothing_to_reset: "its limits are unused, so there is nothing to reset",
  unwanted: "it is no longer necessary",
};
