// Keeps the usage up to date: asks the proxy again after turns have ended, at most every ten seconds, and never while the
// page is hidden or not connected.

import type { UsageAnswer } from "../messages.ts";
import { request } from "./session.ts";
import { type UsageChoice, usageParameters } from "./usage-choice.ts";

/** The last answer and the choice that it belongs to; `failure`: why the last request failed. */
export interface UsageState {
  readonly choice: UsageChoice | undefined;
  readonly answer: UsageAnswer | undefined;
  readonly failure: string | undefined;
}

export interface UsageFeed {
  /**
   * Asks for `choice`. `version` differs after turns have ended, and the feed then asks again. Undefined while the page
   * is not connected to the proxy: the feed asks nothing.
   */
  want(choice: UsageChoice, version: string | undefined): void;
  /** Asks nothing more. */
  stop(): void;
}

/** Starts a feed, which calls `show` after every answer. */
export function createUsageFeed(show: (state: UsageState) => void): UsageFeed {
  let state: UsageState = { choice: undefined, answer: undefined, failure: undefined };
  let wanted: { readonly choice: UsageChoice; readonly version: string | undefined } | undefined;
  let asked: { readonly choice: UsageChoice; readonly version: string; readonly atMs: number } | undefined;
  let current: AbortController | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const ask = async (choice: UsageChoice, version: string): Promise<void> => {
    const ending = new AbortController();
    current?.abort();
    current = ending;
    asked = { choice, version, atMs: performance.now() };
    try {
      const response = await request(`usage?${usageParameters(choice)}`, {
        signal: ending.signal,
      });
      state = { choice, answer: await response.json(), failure: undefined };
    } catch (error) {
      if (ending.signal.aborted) return;
      state = { ...state, failure: error instanceof Error ? error.message : String(error) };
      // No version is "", so the feed asks again.
      asked = { choice, version: "", atMs: performance.now() };
    }
    if (ending.signal.aborted) return;
    current = undefined;
    show(state);
    follow();
  };

  const follow = (): void => {
    clearTimeout(timer);
    if (wanted?.version === undefined || document.hidden) return;
    const { choice, version } = wanted;
    const isNew = asked === undefined || !isSameChoice(asked.choice, choice);
    if (isNew) return void ask(choice, version);
    if (asked === undefined || asked.version === version || current !== undefined) return;
    const waitMs = asked.atMs + GAP_MS - performance.now();
    if (waitMs > 0) timer = setTimeout(follow, waitMs);
    else void ask(choice, version);
  };

  document.addEventListener("visibilitychange", follow);
  return {
    want: (choice, version) => {
      wanted = { choice, version };
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

/** True if both ask for the same usage. */
export function isSameChoice(one: UsageChoice, other: UsageChoice): boolean {
  return String(usageParameters(one)) === String(usageParameters(other));
}

// --- internal ---

const GAP_MS = 10_000;
