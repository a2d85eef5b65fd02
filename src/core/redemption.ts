// Spending a reset credit: the request to the backend, the response, and whether there is anything to reset.

import { z } from "zod";
import { type LimitQuota, type QuotaView, remaining } from "./quota.ts";
import { presentOf } from "./windows.ts";

/**
 * A request to spend a credit. It is written to disk before it is sent, and stays there until its outcome is known. The
 * backend spends at most one credit for each `requestId`, so an unfinished request is repeated unchanged, for a day.
 */
export interface Redemption {
  readonly requestId: string;
  /** Undefined: the backend chooses the credit. */
  readonly creditId: string | undefined;
  /** When it was first sent, Unix ms. */
  readonly sinceMs: number;
}

/** Long before this, the list of credits shows what became of a request. The backend may forget its id some day. */
const LONGEST_REPEAT_MS = 24 * 3_600_000;

/** The request to repeat at `nowMs`; undefined if there is none, or if it is more than a day old. */
export function unfinishedAt(redemption: Redemption | undefined, nowMs: number): Redemption | undefined {
  return redemption !== undefined && nowMs - redemption.sinceMs < LONGEST_REPEAT_MS ? redemption : undefined;
}

/** Who spends a credit: the user with a command, the user in Codex, or `policy.auto_redeem`. */
export type Redeemer = "command" | "codex" | "auto";

/** The outcome of an attempt to spend a credit. */
export type RedeemResult =
  /** `repeated`: an earlier request had already spent it. `problem`: why the new credits could not be read. */
  | {
      readonly kind: "reset";
      readonly repeated: boolean;
      readonly windowsReset: number;
      readonly problem: string | undefined;
    }
  /** Nothing was spent. `unwanted`: there is no reason to spend it any more. */
  | { readonly kind: "refused"; readonly why: "no_credit" | "nothing_to_reset" | "unwanted" }
  /** `isOpen`: the request may have been carried out; repeating it is safe. Otherwise nothing was spent. */
  | { readonly kind: "failed"; readonly why: string; readonly isOpen: boolean };

/** The outcome of the check before a credit is spent. `unfinished`: an earlier request whose outcome is unknown. */
export type RedeemCheck =
  | { readonly kind: "possible"; readonly creditId: string | undefined }
  | { readonly kind: "unfinished"; readonly redemption: Redemption }
  | Exclude<RedeemResult, { kind: "reset" }>;

/** The backend's response to a request to spend a credit. */
export type RedeemAnswer = z.output<typeof RedeemAnswer>;
export const RedeemAnswer = z.looseObject({
  /** Codex 0.171 knows `reset`, `already_redeemed`, `nothing_to_reset` and `no_credit`. */
  code: z.string().max(100),
  windows_reset: z.number().int().min(0).catch(0).default(0),
});

/** True unless the figures of `limit` say that none of its windows has been used. */
export function hasUse({ windows }: Pick<LimitQuota, "windows">, view: QuotaView): boolean {
  const known = presentOf(windows);
  return known.length === 0 || known.some((window) => (remaining(window, view) ?? 0) < 1);
}
