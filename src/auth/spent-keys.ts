// What an API key has spent this month survives the removal of its account, so that a monthly cap cannot be reset by
// removing the key and adding it again. Also refuses a key that another account has.

import { advised } from "../advice.ts";
import { withoutUseless } from "../core/useless-options.ts";
import { CodexlbError } from "../errors.ts";
import type { AccountRecord } from "../state/account-record.ts";
import { setBilling, setOptions } from "../state/record-changes.ts";
import { MOST_SPENT_KEYS, type StoreState } from "../state/store-state.ts";
import type { Credentials } from "./auth-file.ts";
import { adoptIdentity, loginMarkOf } from "./identity.ts";

/**
 * Keeps what the key of `record` has spent, with the cost of its turns in flight. Does nothing for a ChatGPT account.
 * Entries of earlier months are dropped.
 */
export function keepSpent(state: StoreState, { billing, loginMark: mark }: AccountRecord): void {
  if (billing === undefined || mark === undefined || billing.month === "") return;
  const { month } = billing;
  const current = (state.spentKeys ?? []).filter((one) => one.month >= month);
  const before = current.find((one) => one.mark === mark)?.spentUsd ?? 0;
  const spentUsd = Math.max(before, billing.spentUsd + billing.reservedUsd);
  const others = current.filter((one) => one.mark !== mark);
  state.spentKeys = [...others, { mark, month, spentUsd }].slice(-MOST_SPENT_KEYS);
}

/**
 * Like `adoptIdentity`; what the former key has spent is kept, and what the new one has spent counts against the cap. A
 * key in place of a login loses its floors, and a login in place of a key its cap.
 */
export function adoptLogin(state: StoreState, record: AccountRecord, credentials: Credentials): void {
  if (record.loginMark !== loginMarkOf(credentials)) keepSpent(state, record);
  adoptIdentity(record, credentials);
  takeSpent(state, record);
  const options = withoutUseless(record.options, record.billing !== undefined);
  if (options !== record.options) setOptions(record, options);
}

/**
 * Throws `key_enrolled` for an API key that one of `accounts` other than `alias` has: each of them would have its own
 * cap.
 */
export function refuseSameKey(
  credentials: Credentials,
  alias: string,
  accounts: readonly AccountRecord[],
): void {
  if (credentials.apiBaseUrl === undefined) return;
  const mark = loginMarkOf(credentials);
  const other = accounts.find((one) => one.alias !== alias && one.billing && one.loginMark === mark);
  if (other === undefined) return;
  throw new CodexlbError("key_enrolled", `this API key is already enrolled, as ${other.alias}`, {
    next: `change its monthly cap with: ${advised("account set", other.alias, "--monthly-cap", "USD")}; to enrol it under another alias, first run: ${advised("account rm", other.alias)}`,
  });
}

// --- internal ---

/** Counts against the cap of `record` what its key had spent before, if that is more than what is known. */
function takeSpent(state: Pick<StoreState, "spentKeys">, record: AccountRecord): void {
  const { billing, loginMark } = record;
  const kept = state.spentKeys?.find(({ mark }) => mark === loginMark);
  if (billing === undefined || kept === undefined || kept.month < billing.month) return;
  const known = billing.month === kept.month ? billing.spentUsd : 0;
  setBilling(record, { ...billing, month: kept.month, spentUsd: Math.max(known, kept.spentUsd) });
}
