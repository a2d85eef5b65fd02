// An outage: no account of a pool takes new sessions. Why that is, and when it ends.

import { type OutageCause, type ShownState, shownState } from "./account-state.ts";
import type { StatusAnswer } from "./status-schema.ts";
import { backAt } from "./time-words.ts";

/** The state of an account, and what people call it. */
export interface NamedState {
  readonly name: string;
  readonly state: ShownState;
}

/** The accounts of a pool, none of which takes new sessions. */
export interface Outage {
  readonly causes: readonly OutageCause[];
  /** The account that is back first, and when (Unix ms); undefined if none is back by itself. */
  readonly first: FirstBack | undefined;
}

export interface FirstBack {
  readonly name: string;
  readonly atMs: number;
}

/** The outage of the pool that `status` describes; undefined if it has no accounts, or can serve. */
export function outageOf(status: StatusAnswer, nowMs: number): Outage | undefined {
  // A child proxy may have accounts that it does not report.
  if (status.child_proxies.some(({ reachable, healthy }) => reachable && healthy)) return undefined;
  return outageAmong(
    status.accounts.map((account) => ({
      name: account.alias,
      state: shownState(account, status.proxy_name, nowMs),
    })),
  );
}

/** The outage of `accounts`; undefined if there are none, or one can serve. */
export function outageAmong(accounts: readonly NamedState[]): Outage | undefined {
  if (accounts.length === 0 || accounts.some(({ state }) => state.canServe)) return undefined;
  const back = accounts
    .flatMap(({ name, state: { backAtMs } }) => (backAtMs === undefined ? [] : [{ name, atMs: backAtMs }]))
    .sort((a, b) => a.atMs - b.atMs || compareNames(a.name, b.name));
  return { causes: accounts.map(({ state }) => state.cause ?? "failed"), first: back[0] };
}

/**
 * `both accounts have reached a limit; the first is back at 19:26 (alice)`, or with several causes `2 of 3 accounts
 * have reached a limit, 1 needs a new login; ...`.
 */
export function outageWords({ causes, first }: Outage, nowMs: number): string {
  const total = causes.length;
  const counts = CAUSES.flatMap((cause) => {
    const count = causes.filter((one) => one === cause).length;
    return count === 0 ? [] : [{ count, words: WORDS[cause] }];
  });
  const parts = counts.map(({ count, words: [one, many] }, index) => {
    if (count === total)
      return total === 1 ? `the only account ${one}` : `${allWords(total)} accounts ${many}`;
    const accounts = index === 0 ? ` of ${total} accounts` : "";
    return `${count}${accounts} ${count === 1 ? one : many}`;
  });
  return `${parts.join(", ")}${first === undefined ? "" : `; ${firstBackWords(first, total, nowMs)}`}`;
}

/** `the first is back at 19:26 (alice)`; with a single account `it is back at 19:26`. */
export function firstBackWords({ name, atMs }: FirstBack, total: number, nowMs: number): string {
  const back = backAt(atMs, nowMs);
  return total === 1 ? `it is ${back}` : `the first is ${back} (${name})`;
}

/** The order of two accounts that are back at the same time, the same in every view. */
export function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

// --- internal ---

/** All of several accounts: `both`, `all 3`. */
function allWords(total: number): string {
  return total === 2 ? "both" : `all ${total}`;
}

/** In the order in which they are counted. */
const CAUSES: readonly OutageCause[] = [
  "limit",
  "floor",
  "cooling",
  "login",
  "key",
  "failed",
  "off",
  "draining",
];

/** What is said of one account, and of several. */
const WORDS: Readonly<Record<OutageCause, readonly [string, string]>> = {
  limit: ["has reached a limit", "have reached a limit"],
  floor: ["is kept back by its floor", "are kept back by their floors"],
  cooling: ["is cooling down", "are cooling down"],
  login: ["needs a new login", "need a new login"],
  key: ["has an API key that was refused", "have API keys that were refused"],
  failed: ["is out of service", "are out of service"],
  off: ["is disabled by you", "are disabled by you"],
  draining: ["is draining", "are draining"],
};
