// Shows on standard error what the turns of a run wait for: when a turn begins to wait, the time left on a terminal, and
// when the turn continues. A turn that has already ended, or was refused again, is not news.

import type { RunSeen, WaitingSummary } from "../../core/run-tag.ts";
import { resetAt } from "../../core/time-words.ts";
import { resetWords } from "../../core/waiting-words.ts";
import type { Deps } from "../../deps.ts";
import { type Countdown, startCountdown } from "../wait/countdown.ts";

export interface WaitProgress {
  /** The last answer of the proxy about the run; undefined if there was none. */
  last(): RunSeen | undefined;
  stop(): void;
}

export interface WaitProgressContext {
  readonly deps: Pick<Deps, "clock" | "log">;
  /** Asks the proxy about the run; undefined if it does not answer. */
  readonly traffic: () => Promise<RunSeen | undefined>;
  /** False if Codex itself uses the whole terminal: nothing is shown then. */
  readonly isShown: boolean;
  /** True if standard error is a terminal. */
  readonly isTerminal: boolean;
}

/** The time between two questions to the proxy. */
const ASK_MS = 2_000;
/** The same shortly before a turn continues, so that the line about that comes before Codex's output. */
const ASK_SOON_MS = 250;
/** The countdown disappears this long before a turn continues, so that it does not get into Codex's output. */
const QUIET_MS = 5_000;

/** Starts to ask the proxy about the turns of a run. */
export function showWaiting({ deps, traffic, isShown, isTerminal }: WaitProgressContext): WaitProgress {
  const { clock, log } = deps;
  let last: RunSeen | undefined;
  let shown: WaitingSummary | undefined;
  let countdown: Countdown | undefined;
  let isStopped = false;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const hideCountdown = (): void => {
    countdown?.[Symbol.dispose]();
    countdown = undefined;
  };

  const show = (waiting: WaitingSummary): void => {
    const { untilMs } = waiting;
    if (waiting.turns === 0 || untilMs === undefined) {
      if (shown === undefined) return;
      hideCountdown();
      shown = undefined;
      if ((waiting.resumed ?? 0) > 0) log.info("the wait is over; Codex continues");
      return;
    }
    if (shown?.untilMs !== untilMs || shown.account !== waiting.account) {
      hideCountdown();
      log.info(
        `every account is exhausted; waiting for ${resetWords(waiting)} ${resetAt(untilMs, clock.now())}`,
      );
    }
    shown = waiting;
    if (untilMs - clock.now() < QUIET_MS) return hideCountdown();
    countdown ??= startCountdown(clock, isTerminal);
    countdown.until(untilMs);
  };

  const ask = async (): Promise<void> => {
    const seen = await traffic();
    if (isStopped) return;
    if (seen !== undefined) {
      last = seen;
      if (isShown && seen.waiting !== undefined) show(seen.waiting);
    }
    const { untilMs = Number.POSITIVE_INFINITY } = shown ?? {};
    timer = setTimeout(() => void ask(), untilMs - clock.now() < QUIET_MS ? ASK_SOON_MS : ASK_MS);
  };
  timer = setTimeout(() => void ask(), ASK_MS);

  return {
    last: () => last,
    stop: () => {
      isStopped = true;
      clearTimeout(timer);
      hideCountdown();
    },
  };
}
