// Where the next turn of a new session goes, in the words of every view.

import { shownState } from "./account-state.ts";
import { type FirstBack, outageOf } from "./outage.ts";
import { choiceWords } from "./reason-words.ts";
import type { StatusAnswer } from "./status-schema.ts";
import { FULL_REASON } from "./turn-limit.ts";

export interface NextTurn {
  /** The account or child proxy that serves the turn; undefined if none can. */
  readonly name: string | undefined;
  /**
   * Why it serves. If none can: `tries NAME` if the proxy tries an account all the same, `turns wait for a slot` if all
   * that could are full, and undefined otherwise.
   */
  readonly why: string | undefined;
  /** `name`; if none can: `no account can serve`, or `every available account is full` if turns wait for a slot. */
  readonly headline: string;
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
  if (name === undefined)
    return reason === FULL_REASON
      ? { name, headline: "every available account is full", why: "turns wait for a slot", back: undefined }
      : { name, headline: NONE_CAN, why: undefined, back };
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
    return served(key.alias, `${choiceWords("last-resort")}, after ${name}`);
  if (!canServe) return { name: undefined, headline: NONE_CAN, why: `tries ${name}`, back };
  return served(name, reason === "" ? undefined : choiceWords(reason));
}

// --- internal ---

const NONE_CAN = "no account can serve";

function served(name: string, why: string | undefined): NextTurn {
  return { name, headline: name, why, back: undefined };
}
