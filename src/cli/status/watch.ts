// The live picture of a proxy: asks it again and again, and goes on showing what it said last while it says nothing.

import type { Deps } from "../../deps.ts";
import { messageOf } from "../../errors.ts";
import { openScreen } from "../terminal/screen.ts";
import { wantsColour } from "../terminal/terminal.ts";
import { type Known, watchLines } from "./watch-frame.ts";

/** An answer of a proxy. */
export type Answer = Pick<Known, "status" | "url">;

export interface WatchOptions {
  /** The answer to begin with. */
  readonly first: Answer;
  /** Asks once more. What it throws is shown. */
  readonly ask: () => Promise<Answer>;
  /** From one answer to the next question, ms. */
  readonly intervalMs: number;
  readonly deps: Deps;
}

/** Shows it until the user or a signal ends that; resolves to the exit code. */
export async function watchStatus({ first, ask, intervalMs, deps }: WatchOptions): Promise<number> {
  const { clock, env } = deps;
  const colour = wantsColour(env);
  let known: Known = { ...first, answeredMs: clock.now(), trouble: undefined };
  let askedMs: number | undefined;
  const screen = openScreen((size) => {
    const nowMs = clock.now();
    const isOverdue = askedMs !== undefined && nowMs - askedMs > OVERDUE_MS;
    const trouble = known.trouble ?? (isOverdue ? "no answer yet" : undefined);
    return watchLines({ ...known, trouble }, { ...size, nowMs, colour });
  });
  const keepAsking = async (): Promise<never> => {
    for (;;) {
      await Bun.sleep(intervalMs);
      askedMs = clock.now();
      try {
        known = { ...(await ask()), answeredMs: clock.now(), trouble: undefined };
      } catch (error) {
        known = { ...known, trouble: messageOf(error) };
      }
      askedMs = undefined;
      screen.redraw();
    }
  };
  const ticking = setInterval(screen.redraw, TICK_MS);
  try {
    return await Promise.race([screen.ended, keepAsking()]);
  } finally {
    clearInterval(ticking);
    screen.close();
  }
}

// --- internal ---

/** Times to a reset and ages go on between answers. */
const TICK_MS = 1_000;
/** A proxy answers at once; one that has not by then is shown as one that may not. */
const OVERDUE_MS = 2_000;
