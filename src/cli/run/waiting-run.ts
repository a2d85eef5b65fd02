// A run with --wait. The proxy lets the turns of the run wait, so usually this only shows what they wait for. Two cases
// need more: an interactive Codex refuses to send a turn while its account is exhausted, so it starts only when an
// account can serve; and if a turn of `codex exec` was refused all the same, for example because the proxy was
// restarted, the thread is resumed when an account can serve.

import type { Ended } from "../../codex/run.ts";
import { flagDuration } from "../../core/duration.ts";
import { outageWords } from "../../core/outage.ts";
import type { RunOutage, RunSeen } from "../../core/run-tag.ts";
import { resetAt } from "../../core/time-words.ts";
import type { Deps } from "../../deps.ts";
import { catchInterruption } from "../interruption.ts";
import { startCountdown } from "../wait/countdown.ts";
import { sleepUnless } from "../wait/sleep.ts";
import { waitFor } from "../wait/wait-loop.ts";
import { comesBack, type WaitState } from "../wait/wait-target.ts";
import { resumedArgs } from "./resumed-args.ts";
import { runWithProgress } from "./run-with-progress.ts";

export interface WaitingRun {
  readonly deps: Pick<Deps, "clock" | "log">;
  /** The arguments for Codex. */
  readonly args: readonly string[];
  readonly isInteractive: boolean;
  /** The bound for all waits of this program together, ms. */
  readonly waitMs: number;
  /** Runs Codex with these arguments. */
  readonly start: (args: readonly string[]) => Promise<Ended>;
  /** Asks the proxy about the run; undefined if it does not answer. */
  readonly traffic: () => Promise<RunSeen | undefined>;
  /** The first of these threads that Codex has saved. */
  readonly savedThread: (threads: readonly string[]) => string | undefined;
  /** The command that runs Codex in the same home with these arguments. */
  readonly lineOf: (args: readonly string[]) => string;
}

/** Runs Codex. Throws `interrupted` if Ctrl-C ends a wait of this program, and what `start` throws. */
export async function runWaiting(run: WaitingRun): Promise<Ended> {
  const { deps, isInteractive, start, traffic, savedThread, lineOf } = run;
  const { clock, log } = deps;
  const deadlineMs = clock.now() + run.waitMs;
  if (isInteractive) await untilServing(run, deadlineMs, { result: "Codex was not started" });
  let { args } = run;
  for (;;) {
    const { ended, seen, isInterrupted } = await runWithProgress(
      { deps, traffic, isShown: !isInteractive },
      () => start(args),
    );
    // After Ctrl-C Codex fails as if no account could serve.
    if (isInteractive || isInterrupted || ended.kind === "signal" || ended.code === 0) return ended;
    const now = await traffic();
    // A proxy that was restarted does not know the threads of the run.
    const threads = now?.threads ?? seen?.threads ?? [];
    const outage = (now ?? seen)?.outage;
    if (outage === undefined) return ended;
    const late = lateReset(outage, deadlineMs);
    if (late !== undefined) {
      reportLate(run, late);
      return ended;
    }
    const thread = savedThread(threads);
    const resumed = thread === undefined ? undefined : resumedArgs(run.args, thread);
    if (resumed === undefined) return ended;
    const interrupted = {
      result: "the thread was not resumed",
      next: `resume with: ${lineOf(resumed)}`,
    };
    if (!(await untilServing(run, deadlineMs, interrupted))) return ended;
    log.info(`resuming thread ${thread}`);
    args = resumed;
  }
}

// --- internal ---

/** What the user reads after Ctrl-C. */
interface InterruptedWait {
  readonly result: string;
  readonly next?: string;
}

/** Waits until an account can serve the run. False if none can before `deadlineMs`. */
async function untilServing(
  run: WaitingRun,
  deadlineMs: number,
  interrupted: InterruptedWait,
): Promise<boolean> {
  const { deps, traffic } = run;
  const { clock, log } = deps;
  using interruption = catchInterruption();
  const { signal } = interruption;
  let shown = "";
  let countdown: ReturnType<typeof startCountdown> | undefined;
  let last: RunSeen | undefined;
  const outcome = await waitFor({
    clock,
    look: async () => {
      last = await traffic();
      return stateOf(last, clock.now(), deadlineMs);
    },
    timeoutMs: deadlineMs - clock.now(),
    sleep: (ms) => sleepUnless(signal, ms),
    isInterrupted: () => signal.aborted,
    waits: ({ why, back }) => {
      if (why !== shown) log.info(`waiting: ${why}`);
      shown = why;
      countdown ??= startCountdown(clock, process.stderr.isTTY === true);
      countdown.until(back?.atMs);
    },
  }).finally(() => countdown?.[Symbol.dispose]());
  if (outcome.kind === "interrupted") throw interruption.error(interrupted.result, interrupted.next);
  const late = outcome.kind === "never" && last?.outage ? lateReset(last.outage, deadlineMs) : undefined;
  if (late !== undefined) reportLate(run, late);
  return outcome.kind === "done";
}

/** The first reset, if it is later than the run may wait; Unix ms. */
function lateReset({ first }: RunOutage, deadlineMs: number): number | undefined {
  return first !== undefined && first.atMs > deadlineMs ? first.atMs : undefined;
}

function reportLate({ deps: { clock, log }, waitMs }: WaitingRun, atMs: number): void {
  const when = resetAt(atMs, clock.now());
  log.info(`not waiting: the first reset (${when}) is later than --wait=${flagDuration(waitMs)} allows`);
}

function stateOf(seen: RunSeen | undefined, nowMs: number, deadlineMs: number): WaitState {
  if (seen === undefined) return { kind: "wait", why: "the proxy does not answer", back: undefined };
  const { outage } = seen;
  if (outage === undefined) return { kind: "done", name: undefined };
  const { causes, first } = outage;
  // Without the causes this client must not learn which accounts exist.
  if (causes === undefined) return { kind: "wait", why: "no account can serve", back: undefined };
  const why = outageWords({ causes, first }, nowMs);
  const isInTime = lateReset({ first }, deadlineMs) === undefined;
  return comesBack(causes, first) && isInTime ? { kind: "wait", why, back: first } : { kind: "never", why };
}
