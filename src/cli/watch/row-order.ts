// Which accounts the live status shows, and in which order. Pure.

import { type ShownState, shownState } from "../../core/account-state.ts";
import type { AccountAnswer, StatusAnswer } from "../../core/status-schema.ts";

/** `listed`: as the proxy lists them. `room`: most quota left first. `status`: ready first, then by the time they are back. */
export type SortOrder = "listed" | "room" | "status" | "name";

/** The order after each one. */
export const NEXT_ORDER: Readonly<Record<SortOrder, SortOrder>> = {
  listed: "room",
  room: "status",
  status: "name",
  name: "listed",
};

/** The orders in words. */
export const ORDER_WORDS: Readonly<Record<SortOrder, string>> = {
  listed: "not sorted",
  room: "sorted by quota left",
  status: "sorted by status and reset",
  name: "sorted by name",
};

/**
 * The positions of the accounts in `status` whose alias or e-mail address contains `filter`, in the order `sort`. Equal
 * accounts keep their order. `nowMs` is the time of the status.
 */
export function shownAccounts(
  status: StatusAnswer,
  { sort, filter }: { readonly sort: SortOrder; readonly filter: string },
  nowMs: number,
): readonly number[] {
  const wanted = filter.toLowerCase();
  const rows = status.accounts.flatMap((account, index) => {
    const isShown = [account.alias, account.email].some((text) => text.toLowerCase().includes(wanted));
    return isShown ? [{ account, index, state: shownState(account, status.proxy_name, nowMs) }] : [];
  });
  const compare = COMPARISONS[sort];
  return rows.toSorted((a, b) => compare(a, b) || a.index - b.index).map(({ index }) => index);
}

// --- internal ---

interface Row {
  readonly account: AccountAnswer;
  readonly state: ShownState;
}

const COMPARISONS: Readonly<Record<SortOrder, (a: Row, b: Row) => number>> = {
  listed: () => 0,
  room: (a, b) => rankOf(a) - rankOf(b) || roomOf(b.account) - roomOf(a.account),
  status: (a, b) => rankOf(a) - rankOf(b) || ascending(backAt(a), backAt(b)),
  name: (a, b) => ascending(a.account.alias.toLowerCase(), b.account.alias.toLowerCase()),
};

/** Accounts that serve, those that will serve again, and those that wait for the user. */
function rankOf({ state }: Row): number {
  if (state.canServe) return 0;
  return state.isDead || state.level === "off" ? 2 : 1;
}

/** What is left in the fullest of its known windows, in percent; -1 if none is known. */
function roomOf(account: AccountAnswer): number {
  const known = (["daily", "weekly", "monthly"] as const)
    .map((name) => account[`${name}_left_pct`])
    .filter((left) => left >= 0);
  return known.length === 0 ? -1 : Math.min(...known);
}

function backAt({ state }: Row): number {
  return state.backAtMs ?? (state.canServe ? 0 : Number.POSITIVE_INFINITY);
}

function ascending<T extends number | string>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
