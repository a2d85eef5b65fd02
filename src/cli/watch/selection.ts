// The accounts that the live status shows, and the one that is selected. Pure.

import type { AccountAnswer } from "../../core/status-schema.ts";
import { type AccountName, isNamed, nameOf } from "./account-name.ts";
import { shownAccounts } from "./row-order.ts";
import type { WatchState } from "./watch-state.ts";

/** The accounts that `state` shows, in the order of their rows: positions in the status. */
export function shownIn({ known, sort, filter }: WatchState): readonly number[] {
  return known === undefined ? [] : shownAccounts(known.status, { sort, filter }, known.answeredMs);
}

/** The selected account, if it is shown. */
export function selectedIn(state: WatchState): AccountAnswer | undefined {
  const { known, selected } = state;
  if (known === undefined || selected === undefined) return undefined;
  const { status } = known;
  const index = shownIn(state).find((at) => isNamed(nameAt(state, at), selected));
  return index === undefined ? undefined : status.accounts[index];
}

/**
 * `state` with a selected account that is shown: the same one as before, otherwise the one at its position. If none is
 * shown, the selection stays as it was.
 */
export function withSelection(state: WatchState, position: number | undefined = undefined): WatchState {
  const names = shownIn(state).flatMap((index) => nameAt(state, index) ?? []);
  if (names.length === 0) return state;
  const same = names.findIndex((name) => isNamed(name, state.selected));
  const wanted = position ?? (same < 0 ? state.position : same);
  const at = Math.max(0, Math.min(wanted, names.length - 1));
  return { ...state, position: at, selected: names[at] };
}

// --- internal ---

function nameAt({ known }: WatchState, index: number): AccountName | undefined {
  const account = known?.status.accounts[index];
  return known === undefined || account === undefined ? undefined : nameOf(account, known.status);
}
