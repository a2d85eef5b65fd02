// The loop of `status --watch`: requests the status repeatedly, draws it, and does what the keys ask for.

import type { Deps } from "../../deps.ts";
import { fullMessageOf } from "../../errors.ts";
import { hasUtf8 } from "../terminal/glyphs.ts";
import { openScreen, type Screen } from "../terminal/screen.ts";
import { wantsColour } from "../terminal/terminal.ts";
import { step } from "./watch-model.ts";
import { INITIAL_STATE, type WatchEffect, type WatchEvent } from "./watch-state.ts";
import { pictureOf } from "./watch-view.ts";
import { ProxyFailure, type WatchedProxy } from "./watched-proxy.ts";

/** Options of `watchStatus`. */
export interface WatchOptions {
  readonly proxy: WatchedProxy;
  /** The pause between a reply and the next request, in ms. */
  readonly intervalMs: number;
  /** Show the columns of `--wide`. */
  readonly wide: boolean;
  readonly deps: Deps;
}

/**
 * Shows the status until the user or a signal ends it. Resolves to the exit code. Waits for a proxy that does not
 * answer; other errors of the first request are thrown before the screen is opened.
 */
export async function watchStatus({ proxy, intervalMs, wide, deps }: WatchOptions): Promise<number> {
  const { clock, env } = deps;
  const [colour, utf8] = [wantsColour(env), hasUtf8(env)];
  let state = INITIAL_STATE;
  let screen: Screen | undefined;
  const pause = createPause();
  /** The accounts whose details are under way. */
  const reading = new Set<string>();

  const dispatch = (event: WatchEvent): void => {
    const next = step(state, event, clock.now());
    state = next.state;
    for (const effect of next.effects) run(effect);
    screen?.redraw();
  };
  const run = (effect: WatchEffect): void => {
    switch (effect.kind) {
      case "end":
        return screen?.end(0);
      case "request details": {
        const { account } = effect;
        const name = JSON.stringify(account);
        // A slow proxy is not asked twice.
        if (reading.has(name)) return;
        reading.add(name);
        const failed = (error: unknown) =>
          dispatch({
            kind: "no details",
            account,
            problem: `opening ${account.alias}: ${fullMessageOf(error)}`,
          });
        return void proxy
          .details(account)
          .then((details) => dispatch({ kind: "details", account, details }), failed)
          .finally(() => reading.delete(name));
      }
      case "change": {
        const { change } = effect;
        const failed = (error: unknown) =>
          dispatch({ kind: "not changed", change, problem: `${change.doing}: ${fullMessageOf(error)}` });
        return void proxy
          .change(change)
          .then((warnings) => dispatch({ kind: "changed", change, warnings }), failed)
          .finally(pause.end);
      }
      default:
        return effect satisfies never;
    }
  };
  const ask = async (isFirst: boolean): Promise<WatchEvent> => {
    try {
      return { kind: "answered", reply: await proxy.status() };
    } catch (error) {
      if (!(error instanceof ProxyFailure)) throw error;
      if (isFirst && !error.isAbsence) throw error.cause;
      return { kind: "failed", message: error.message, next: error.next, url: error.url };
    }
  };
  let isOver = false;
  const keepAsking = async (): Promise<void> => {
    while (!isOver) {
      await pause.wait(state.trouble === undefined ? intervalMs : Math.min(intervalMs, RETRY_MS));
      if (isOver) return;
      dispatch({ kind: "asked" });
      dispatch(await ask(false));
    }
  };

  dispatch(await ask(true));
  screen = openScreen(
    ({ columns, rows }) => {
      const picture = pictureOf(state, { columns, rows, nowMs: clock.now(), colour, utf8, wide });
      state = step(state, { kind: "drawn", viewport: picture.viewport }, clock.now()).state;
      return picture.lines;
    },
    (key) => dispatch({ kind: "key", key }),
  );
  const ticking = setInterval(screen.redraw, TICK_MS);
  try {
    const { ended } = screen;
    return await Promise.race([ended, keepAsking().then(() => ended)]);
  } finally {
    isOver = true;
    clearInterval(ticking);
    pause.end();
    screen.close();
  }
}

// --- internal ---

/** How often the screen is drawn, in ms, because ages and times to a reset change between replies. */
const TICK_MS = 1_000;
/** The longest pause before a proxy that does not answer is asked again, in ms. */
const RETRY_MS = 2_000;

/** A pause that can be ended early. */
function createPause(): { wait(ms: number): Promise<void>; end(): void } {
  let end = () => {};
  return {
    wait: (ms) =>
      new Promise((resolve) => {
        const timer = setTimeout(resolve, ms);
        end = () => {
          clearTimeout(timer);
          resolve();
        };
      }),
    end: () => end(),
  };
}
