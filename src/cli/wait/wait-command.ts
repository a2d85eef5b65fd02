// `codexlb wait`: waits in a script until the pool can serve, or until a reset.

import { defineCommand } from "citty";
import { advised } from "../../advice.ts";
import { durationText } from "../../core/duration-text.ts";
import type { StatusAnswer } from "../../core/status-schema.ts";
import type { Clock, Deps } from "../../deps.ts";
import { CodexlbError } from "../../errors.ts";
import { printJson } from "../../print.ts";
import { ADMIN_TOKEN_FLAG, PROXY_URL_FLAG, ROOT_FLAG } from "../common-flags.ts";
import { contextOf } from "../context.ts";
import { durationFlag, usage } from "../flags.ts";
import { catchInterruption } from "../interruption.ts";
import { doorOf, locate } from "../proxy/locate-proxy.ts";
import { statusReply } from "../status/status-reply.ts";
import { startCountdown } from "./countdown.ts";
import { sleepUnless } from "./sleep.ts";
import { type WaitOutcome, waitFor } from "./wait-loop.ts";
import { nextReset, readiness, type WaitGoal, type WaitState, waitLine } from "./wait-target.ts";

/** The longest wait for one answer of the proxy, ms. */
const ANSWER_MS = 5_000;

export default defineCommand({
  meta: {
    name: "codexlb wait",
    description: "In a script: wait until an account can serve, or until the next reset",
  },
  args: {
    ...ROOT_FLAG,
    ...PROXY_URL_FLAG,
    ...ADMIN_TOKEN_FLAG,
    until: {
      type: "string",
      description:
        "ready: until an account can take a new session; reset: until the next reset of any window",
      default: "ready",
      valueHint: "ready|reset",
    },
    account: { type: "string", description: "Wait for this account (default: any)", valueHint: "ALIAS" },
    timeout: {
      type: "string",
      description: "Maximum wait, such as 6h (default: no limit); exits with 3 when it expires",
      valueHint: "DURATION",
    },
    json: { type: "boolean", description: "Print the outcome as JSON" },
  },
  run: async ({ args }) => {
    const goal = goalOf(args.until);
    const alias = args.account?.trim();
    if (alias === "")
      throw usage("wait: --account is empty", `leave it out, or name an account: ${advised("account list")}`);
    const timeoutMs = args.timeout === undefined ? undefined : timeoutOf(args.timeout);
    const context = contextOf(args.root);
    const { clock, log } = context.deps;
    const door = {
      ...doorOf(context, await locate(context, args, { clientKey: true })),
      timeoutMs: ANSWER_MS,
    };
    using interruption = catchInterruption();
    const { signal } = interruption;
    const beganMs = clock.now();
    let countdown: ReturnType<typeof startCountdown> | undefined;
    let shown = "";
    const outcome = await waitFor({
      clock,
      look: lookOf(goal, alias, clock, async () => (await statusReply(door)).status),
      timeoutMs,
      sleep: (ms) => sleepUnless(signal, ms),
      isInterrupted: () => signal.aborted,
      waits: (state) => {
        const line = waitLine(state, goal, clock.now());
        if (line !== shown) log.info(`waiting: ${line}`);
        shown = line;
        countdown ??= startCountdown(clock, process.stderr.isTTY === true);
        countdown.until(state.back?.atMs);
      },
    }).finally(() => countdown?.[Symbol.dispose]());
    const waitedSeconds = Math.round((clock.now() - beganMs) / 1000);
    if (args.json) printJson(documentOf(outcome, goal, waitedSeconds, clock.now()));
    if (outcome.kind === "interrupted")
      throw interruption.error("the wait has ended", "run the command again to wait longer");
    if (outcome.kind !== "done") throw failureOf(outcome, args.timeout);
    if (shown !== "") reportEnd(outcome.name, goal, waitedSeconds, log);
  },
});

// --- internal ---

function goalOf(text: string): WaitGoal {
  if (text === "ready" || text === "reset") return text;
  throw usage(
    `flag --until: ${JSON.stringify(text)} is neither ready nor reset`,
    "write --until ready or --until reset",
  );
}

/** The maximum wait, ms; with 0 the command checks once without waiting. Throws `usage`. */
function timeoutOf(text: string): number {
  const ms = durationFlag(text, "timeout");
  if (text.trim().startsWith("-"))
    throw usage(
      `flag --timeout: ${JSON.stringify(text)} is negative`,
      "write it as 90s, 6h or 2d; 0 checks once without waiting",
    );
  return ms;
}

/** The outcome for `--json`. */
function documentOf(
  outcome: WaitOutcome,
  goal: WaitGoal,
  waitedSeconds: number,
  nowMs: number,
): Record<string, unknown> {
  return {
    outcome: outcome.kind === "done" ? goal : outcome.kind,
    ...(outcome.kind === "done" && outcome.name !== undefined ? { account: outcome.name } : {}),
    ...(outcome.kind === "never" ? { why: outcome.why } : {}),
    ...(outcome.kind === "timeout" ? { why: waitLine(outcome.state, goal, nowMs) } : {}),
    waited_seconds: waitedSeconds,
  };
}

/** Looks at the status. A reset is known from the first look, so only the clock matters afterwards. */
function lookOf(
  goal: WaitGoal,
  alias: string | undefined,
  clock: Clock,
  status: () => Promise<StatusAnswer>,
): () => Promise<WaitState> {
  if (goal === "ready") return async () => readiness(await status(), alias, clock.now());
  let known: WaitState | undefined;
  return async () => {
    known ??= nextReset(await status(), alias, clock.now());
    const isOver = known.kind === "wait" && known.back !== undefined && known.back.atMs <= clock.now();
    return isOver ? { kind: "done", name: known.kind === "wait" ? known.back?.name : undefined } : known;
  };
}

/** `timeout`: the flag as the user wrote it, because a rounded duration could be longer than the wait was. */
function failureOf(
  outcome: WaitOutcome & { kind: "never" | "timeout" },
  timeout: string | undefined,
): CodexlbError {
  return outcome.kind === "timeout"
    ? new CodexlbError("wait_timeout", `timed out after ${timeout?.trim() ?? ""}`, {
        next: `to see when accounts are back, run: ${advised("status")}`,
      })
    : new CodexlbError("nothing_to_wait_for", `waiting does not help: ${outcome.why}`, {
        next: outcome.next ?? `to see what each account needs, run: ${advised("status")}`,
      });
}

function reportEnd(name: string | undefined, goal: WaitGoal, waitedSeconds: number, log: Deps["log"]): void {
  const what =
    goal === "ready" ? `${name ?? "an account"} can serve` : `a window of ${name ?? "an account"} was reset`;
  log.info(`${what}, after ${durationText(waitedSeconds)}`);
}
