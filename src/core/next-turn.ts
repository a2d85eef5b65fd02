// Where the next turn of a new session goes, in the words of every view.

import { shownState } from "./account-state.ts";
import { type FirstBack, outageOf } from "./outage.ts";
import { choiceWords } from "./reason-words.ts";
import type { StatusAnswer } from "./status-schema.ts";

export interface NextTurn {
  /** The account or child proxy that serves the turn; undefined if none can. */
  readonly name: string | undefined;
  /**
   * Why it serves. If none can: `tries NAME` if the proxy tries an account all the same, `turns wait for a slot` if one
   * is full, and undefined otherwise.
   */
  readonly why: string | undefined;
  /** If none can: the account that is back first. */
  readonly back: FirstBack | undefined;
}

/** The next turn of a new session; undefined for a proxy without accounts. */
export function nextTurnOf(status: StatusAnswer, nowMs: number): NextTurn | undefined {
  const { accounts, selected_account_id: id, selection_reason: reason = "" } = status;
  if (accounts.length === 0 && status.child_proxies.length === 0) return undefined;
  const selected = accounts.find(
    (account) => account.id === id && (account.proxy_name === "" || account.proxy_name === status.proxy_name),
  );
  const name = selected?.alias ?? status.selected_proxy_name ?? status.selected_proxy_url;
  const back = outageOf(status, nowMs)?.first;
  if (name === undefined) {
    const isFull = accounts.some(({ full_at }) => full_at !== undefined);
    return { name, why: isFull ? "turns wait for a slot" : undefined, back };
  }
  const canServe =
    selected === undefined ||
    // All accounts are cooling down, and the choice says so.
    reason === "least-bad" ||
    shownState({ ...selected, pinned: true }, status.proxy_name, nowMs).canServe;
  // The proxy tries an account whose figures say that it is exhausted before it spends money.
  const key = accounts.find(
    (account) =>
      account.api_key !== undefined &&
      account.proxy_name === selected?.proxy_name &&
      shownState(account, status.proxy_name, nowMs).canServe,
  );
  if (!canServe && key !== undefined)
    return { name: key.alias, why: `${choiceWords("last-resort")}, after ${name}`, back: undefined };
  if (!canServe) return { name: undefined, why: `tries ${name}`, back };
  return { name, why: reason === "" ? undefined : choiceWords(reason), back: undefined };
}
