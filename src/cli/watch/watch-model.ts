// The model of `status --watch`: a state and an event give the next state and the effects. Pure.

import { oneLine } from "../../printable.ts";
import type { Viewport } from "../status/frame-crop.ts";
import { type AccountName, isNamed } from "./account-name.ts";
import { withSelection } from "./selection.ts";
import { stepOfKey } from "./watch-keys.ts";
import { type DrawnDetails, notice, type Step, type WatchEvent, type WatchState } from "./watch-state.ts";

/** The state after `event`, which happened at `nowMs` (Unix ms), and what is to be done. */
export function step(state: WatchState, event: WatchEvent, nowMs: number): Step {
  switch (event.kind) {
    case "key":
      return stepOfKey(state, event.key, nowMs);
    case "asked":
      return only({ ...state, askedMs: nowMs });
    case "answered":
      return afterReply(state, event.reply, nowMs);
    case "failed": {
      const { message, next, url } = event;
      const sinceMs = state.trouble?.sinceMs ?? nowMs;
      const trouble = { message: oneLine(message), next: next && oneLine(next), sinceMs };
      return only({ ...state, trouble, askedMs: undefined, expectedUrl: url ?? state.expectedUrl });
    }
    case "details":
      return only(withDetails(state, event.account, event.details));
    case "no details":
      if (!showsDetailsOf(state, event.account)) return only(state);
      return only({
        ...(hasDetails(state) ? state : { ...state, mode: LIST }),
        notice: notice("problem", event.problem, nowMs),
      });
    case "changed": {
      const text = [event.change.done, ...event.warnings].join("; ");
      return only({ ...state, isChanging: false, notice: notice("done", text, nowMs) });
    }
    case "not changed":
      return only({ ...state, isChanging: false, notice: notice("problem", event.problem, nowMs) });
    case "drawn":
      return only(withViewport(state, event.viewport));
    default:
      return event satisfies never;
  }
}

// --- internal ---

const LIST = { kind: "list" } as const;

function only(state: WatchState): Step {
  return { state, effects: [] };
}

/** An open account is requested again with each reply. */
function afterReply(
  state: WatchState,
  reply: Extract<WatchEvent, { kind: "answered" }>["reply"],
  nowMs: number,
): Step {
  const next = withSelection({
    ...state,
    known: { ...reply, answeredMs: nowMs },
    expectedUrl: reply.url,
    trouble: undefined,
    askedMs: undefined,
  });
  const { mode } = next;
  return {
    state: next,
    effects: mode.kind === "account" ? [{ kind: "request details", account: mode.account }] : [],
  };
}

function showsDetailsOf({ mode }: WatchState, account: AccountName): boolean {
  return mode.kind === "account" && isNamed(mode.account, account);
}

function hasDetails({ mode }: WatchState): boolean {
  return mode.kind === "account" && mode.details !== undefined;
}

/** Details that arrive after the user has left the page are dropped. */
function withDetails(state: WatchState, account: AccountName, details: DrawnDetails): WatchState {
  const { mode } = state;
  return mode.kind === "account" && showsDetailsOf(state, account)
    ? { ...state, mode: { ...mode, details } }
    : state;
}

function withViewport(state: WatchState, viewport: Viewport): WatchState {
  const { mode } = state;
  return mode.kind === "help" || mode.kind === "account"
    ? { ...state, mode: { ...mode, viewport } }
    : { ...state, viewport };
}
