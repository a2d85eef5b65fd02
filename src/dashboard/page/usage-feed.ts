// Keeps the usage up to date: asks the proxy again after turns have ended, at most every ten seconds, and never while the
// page is hidden.

import type { UsageAnswer, UsagePeriod, UsageView } from "../messages.ts";
import { request, SessionEnded } from "./session.ts";

/** What the page asks for. */
export interface UsageChoice {
  readonly since: UsagePeriod;
  readonly by: UsageView;
}

/** The last answer and the choice that it belongs to; `failure`: why the last request failed. */
export interface UsageState {
  readonly choice: UsageChoice | undefined;
  readonly answer: UsageAnswer | undefined;
  readonly failure: string | undefined;
}

export interface UsageFeed {
  /** Asks for `choice`. `turns`: how many turns have ended; the answer is asked for again when it changes. */
  want(choice: UsageChoice, turns: number): void;
  /** Asks nothing more. */
  stop(): void;
}

/** Starts a feed, which calls `show` after every answer. */
export function createUsageFeed(show: (state: UsageState) => void): UsageFeed {
  let state: UsageState = { choice: undefined, answer: undefined, failure: undefined };
  let wanted: { readonly choice: UsageChoice; readonly turns: number } | undefined;
  let asked: { readonly choice: UsageChoice; readonly turns: number; readonly atMs: number } | undefined;
  let current: AbortController | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const ask = async (choice: UsageChoice, turns: number): Promise<void> => {
    const ending = new AbortController();
    current?.abort();
    current = ending;
    asked = { choice, turns, atMs: performance.now() };
    try {
      const response = await request(`usage?${new URLSearchParams({ ...choice })}`, {
        signal: ending.signal,
      });
      state = { choice, answer: await response.json(), failure: undefined };
    } catch (error) {
      if (ending.signal.aborted) return;
      state = { ...state, failure: error instanceof Error ? error.message : String(error) };
      // Only a new link helps then; otherwise the page asks again.
      if (!(error instanceof SessionEnded)) asked = { choice, turns: -1, atMs: performance.now() };
    }
    if (ending.signal.aborted) return;
    current = undefined;
    show(state);
    follow();
  };

  const follow = (): void => {
    clearTimeout(timer);
    if (wanted === undefined || document.hidden) return;
    const { choice, turns } = wanted;
    const isNew = asked === undefined || asked.choice.since !== choice.since || asked.choice.by !== choice.by;
    if (isNew) return void ask(choice, turns);
    if (asked === undefined || asked.turns === turns || current !== undefined) return;
    const waitMs = asked.atMs + GAP_MS - performance.now();
    if (waitMs > 0) timer = setTimeout(follow, waitMs);
    else void ask(choice, turns);
  };

  document.addEventListener("visibilitychange", follow);
  return {
    want: (choice, turns) => {
      wanted = { choice, turns };
      follow();
    },
    stop: () => {
      wanted = undefined;
      clearTimeout(timer);
      current?.abort();
      document.removeEventListener("visibilitychange", follow);
    },
  };
}

// --- internal ---

const GAP_MS = 10_000;
