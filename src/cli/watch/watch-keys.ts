// What the keys of `status --watch` do. Pure.

import type { Key, NamedKey } from "../terminal/keyboard.ts";
import { changeKinds, changeOf } from "./account-change.ts";
import { nameOf } from "./account-name.ts";
import { NEXT_ORDER } from "./row-order.ts";
import { selectedIn, shownIn, withSelection } from "./selection.ts";
import { type Mode, notice, type Step, type WatchState } from "./watch-state.ts";

type PressedKey = Exclude<Key, "interrupt" | "suspend">;

/** The state and the effects after a key. */
export function stepOfKey(before: WatchState, key: PressedKey, nowMs: number): Step {
  // A message about an earlier key is over, except for the one about a change that is under way.
  const state = before.isChanging ? before : { ...before, notice: undefined };
  switch (state.mode.kind) {
    case "list":
      return listStep(state, key, nowMs);
    case "filter":
      return { state: filterState(state, key), effects: [] };
    case "confirm":
      return confirmStep(state, state.mode, key, nowMs);
    case "help":
    case "account":
      return pageStep(state, state.mode, key);
    default:
      return state.mode satisfies never;
  }
}

// --- internal ---

const LIST = { kind: "list" } as const;
const TOP = { first: 0, rows: 0 };
/** The keys that ask for a change. */
const CHANGES: ReadonlyMap<string, "pin" | "drain" | "enable"> = new Map([
  ["p", "pin"],
  ["d", "drain"],
  ["e", "enable"],
]);

function only(state: WatchState): Step {
  return { state, effects: [] };
}

/** How far a key moves by lines, if `rows` of `count` lines are visible; undefined for other keys. */
function distanceOf(key: PressedKey, rows: number, count: number): number | undefined {
  const word = typeof key === "string" ? key : (LETTERS[key.typed] ?? "");
  switch (word) {
    case "up":
      return -1;
    case "down":
      return 1;
    case "page-up":
      return -Math.max(1, rows);
    case "page-down":
      return Math.max(1, rows);
    case "home":
      return -count;
    case "end":
      return count;
    default:
      return undefined;
  }
}

const LETTERS: Readonly<Record<string, NamedKey>> = { j: "down", k: "up" };

function listStep(state: WatchState, key: PressedKey, nowMs: number): Step {
  const count = shownIn(state).length;
  const distance = distanceOf(key, state.viewport.rows, count);
  if (distance !== undefined) return only(withSelection(state, clamp(state.position + distance, count)));
  if (key === "enter") return openAccount(state, nowMs);
  if (key === "escape") return backStep(state);
  if (typeof key === "string") return only(state);
  const change = CHANGES.get(key.typed);
  if (change !== undefined) return askFor(state, change, nowMs);
  switch (key.typed) {
    case "s":
      return only(withSelection({ ...state, sort: NEXT_ORDER[state.sort] }));
    case "/":
      return only(state.known === undefined ? state : { ...state, mode: { kind: "filter" } });
    case "h":
      return only({ ...state, history: !state.history });
    case "?":
      return only({ ...state, mode: { kind: "help", viewport: TOP } });
    case "q":
    case "Q":
      return ended(state);
    default:
      return only(state);
  }
}

/** Goes back one step: removes the filter, closes the history, or ends. */
function backStep(state: WatchState): Step {
  if (state.filter !== "") return only(withSelection({ ...state, filter: "" }));
  return state.history ? only({ ...state, history: false }) : ended(state);
}

function ended(state: WatchState): Step {
  return { state, effects: [{ kind: "end" }] };
}

function clamp(position: number, count: number): number {
  return Math.max(0, Math.min(position, count - 1));
}

/** Returns why the proxy cannot be asked about the selected account; undefined if it can. */
function obstacleOf(state: WatchState): string | undefined {
  if (state.known === undefined || state.trouble !== undefined) return "the proxy does not answer";
  if (state.isChanging) return "the last change is not finished";
  return selectedIn(state) === undefined ? "no account is selected" : undefined;
}

function withNote(state: WatchState, text: string, nowMs: number): Step {
  return only({ ...state, notice: notice("note", text, nowMs) });
}

function openAccount(state: WatchState, nowMs: number): Step {
  const obstacle = obstacleOf(state);
  const [account, { known }] = [selectedIn(state), state];
  if (obstacle !== undefined || account === undefined || known === undefined)
    return withNote(state, `cannot open the account: ${obstacle}`, nowMs);
  const name = nameOf(account, known.status);
  return {
    state: { ...state, mode: { kind: "account", account: name, details: undefined, viewport: TOP } },
    effects: [{ kind: "request details", account: name }],
  };
}

function askFor(state: WatchState, key: "pin" | "drain" | "enable", nowMs: number): Step {
  const obstacle = obstacleOf(state);
  const [account, { known }] = [selectedIn(state), state];
  if (obstacle !== undefined || account === undefined || known === undefined)
    return withNote(state, `cannot change an account: ${obstacle}`, nowMs);
  const kind = changeKinds(account, known.status)[key];
  if (kind === undefined) return withNote(state, `${account.alias} is disabled; e enables it`, nowMs);
  const change = changeOf(kind, account, known.status, known.answeredMs);
  return only({ ...state, mode: { kind: "confirm", change } });
}

function confirmStep(
  state: WatchState,
  { change }: Extract<Mode, { kind: "confirm" }>,
  key: PressedKey,
  nowMs: number,
): Step {
  const answer = typeof key === "string" ? key : key.typed.toLowerCase();
  if (answer === "y")
    return {
      state: { ...state, mode: LIST, isChanging: true, notice: notice("note", `${change.doing} ...`, nowMs) },
      effects: [{ kind: "change", change }],
    };
  // Text that was meant for another window must not leave the question open until it contains a y.
  return withNote({ ...state, mode: LIST }, "nothing changed", nowMs);
}

function filterState(state: WatchState, key: PressedKey): WatchState {
  const filtered = (filter: string): WatchState => withSelection({ ...state, filter });
  if (typeof key !== "string") return filtered(`${state.filter}${key.typed}`);
  switch (key) {
    case "enter":
      return { ...state, mode: LIST };
    case "escape":
      return { ...filtered(""), mode: LIST };
    case "backspace":
      return filtered([...state.filter].slice(0, -1).join(""));
    case "erase-all":
      return filtered("");
    default: {
      const count = shownIn(state).length;
      const distance = distanceOf(key, state.viewport.rows, count);
      return distance === undefined ? state : withSelection(state, clamp(state.position + distance, count));
    }
  }
}

function pageStep(
  state: WatchState,
  mode: Extract<Mode, { kind: "help" | "account" }>,
  key: PressedKey,
): Step {
  // The view knows the number of lines and ends the movement there.
  const distance = distanceOf(key, mode.viewport.rows, Number.MAX_SAFE_INTEGER);
  if (distance !== undefined) {
    const first = Math.max(0, mode.viewport.first + distance);
    return only({ ...state, mode: { ...mode, viewport: { ...mode.viewport, first } } });
  }
  if (key === "enter" || key === "escape") return only({ ...state, mode: LIST });
  if (typeof key === "string") return only(state);
  if (key.typed === "q" || key.typed === "Q") return ended(state);
  return only(key.typed === "?" && mode.kind === "help" ? { ...state, mode: LIST } : state);
}
