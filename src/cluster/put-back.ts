// Accounts that an operator has put back into service. That changes no fact, so the others get it as a signal, which
// the replica's file keeps until the engine has it.

import type { AccountChange } from "../auth/account-ops.ts";
import type { AccountRecord } from "../state/account-record.ts";

/** When and how an account was put back into service. */
export interface PutBack {
  /** Unix ms. */
  readonly atMs: number;
  /** The mark of the login that was imported to do so; undefined after `enable`. */
  readonly login: string | undefined;
}

/** Accounts that were put back into service, by id, until the engine knows it. */
export interface PutBackNotes {
  all(): ReadonlyMap<string, PutBack>;
  /** Replaces the note about one account, on disk. Throws `file_unusable`. */
  note(accountId: string, putBack: PutBack): void;
  /** Removes the note about one account, on disk with the next flush of the file. Never throws. */
  forget(accountId: string): void;
}

export const NO_PUT_BACK: PutBackNotes = { all: () => new Map(), note: () => {}, forget: () => {} };

/** How an operator's change puts the account back into service; undefined if it does not. `atMs`: Unix ms. */
export function putBackBy(
  change: AccountChange,
  { health, loginMark }: Pick<AccountRecord, "health" | "loginMark">,
  atMs: number,
): PutBack | undefined {
  if (change === "enabled") return { atMs, login: undefined };
  return change === "imported" && health.kind === "healthy" ? { atMs, login: loginMark } : undefined;
}
