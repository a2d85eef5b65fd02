// Reads the events of one turn, the same way for both transports: what an event means for the turn, and what the client
// gets in its place. On the way it learns about limits, replaces the account's figures with the pool's, credits the
// account for the first output, and notices compactions.
//
//   before the commit   hold     nothing that the client waits for
//                       output   worth committing to; so is `over`
//                       failed   another account can still answer
//   after the commit    hold, output, over   pass on
//                       failed               `answer` says how the client hears about it

import type { Failure } from "../../core/failure.ts";
import { eventType, isCompaction, readTurnSignal, type TurnSignal } from "../../core/turn.ts";
import type { Verdict } from "../../core/verdict.ts";
import type { Lease } from "../../upstream/leases.ts";
import { poolVersionEvent } from "../catalogues.ts";
import type { ProxyContext } from "../context.ts";
import type { Exchange } from "../exchange.ts";
import { poolLimitsEvent } from "../pool-limits.ts";
import { answerAfterOutput } from "./final-answer.ts";

/** What an event means. `changed`: the JSON that the client gets instead; undefined: it gets the event as received. */
export type Reading =
  | { readonly kind: "hold" | "output" | "over"; readonly changed: string | undefined }
  | {
      readonly kind: "failed";
      readonly failure: Failure;
      readonly verdict: Verdict;
      /** After the commit: the client gets the event, or is cut off so that it sends the turn again. */
      readonly answer: "pass" | "cut" | undefined;
    };

export interface TurnReader {
  /**
   * Reads the next event. `name` is its type if the transport names it. `json` returns its text, or undefined if it has
   * none: such an event is a sign of life.
   */
  read(name: string | undefined, json: () => string | undefined): Reading;
  /** From now on events go to the client. `by`: output has arrived, or a bound of the commit barrier. */
  commit(by: "output" | "bound"): void;
  /** True while a response has begun and its last event has not arrived. */
  isUnfinished(): boolean;
}

/** A reader for the turn of `exchange` that `lease`'s upstream answers. */
export function createTurnReader(context: ProxyContext, exchange: Exchange, lease: Lease): TurnReader {
  const { deps, pool } = context;
  let isCommitted = false;
  let isCredited = false;
  let isUnfinished = false;

  const credit = (): void => {
    if (isCredited) return;
    isCredited = true;
    exchange.served(lease);
  };

  const failed = ({ failure }: TurnSignal & { kind: "failed" }): Reading => {
    const verdict = lease.upstream.judge(failure, "turn");
    if (!isCommitted) return { kind: "failed", failure, verdict, answer: undefined };
    // Too late for another account, because the client has seen output. The next request benefits.
    lease.settle(verdict);
    if (verdict.kind !== "client") lease.broke();
    return { kind: "failed", failure, verdict, answer: answerAfterOutput(verdict, lease.canLeave) };
  };

  return {
    read: (name, json) => {
      if (isCommitted && isCredited && name !== undefined && isPlainOutput(name)) {
        isUnfinished = true;
        return OUTPUT;
      }
      const text = json();
      if (text === undefined) return HOLD;
      const type = eventType(text);
      const signal = readTurnSignal(text, deps.clock.now(), type);
      if (type?.startsWith("response."))
        isUnfinished = signal.kind !== "completed" && signal.kind !== "failed";
      switch (signal.kind) {
        case "preamble": {
          const changed = poolVersionEvent(context, exchange.incoming, lease.upstream.id, text);
          return changed === undefined ? HOLD : { kind: "hold", changed };
        }
        case "quota":
          if (signal.evidence !== undefined) lease.learn(signal.evidence);
          return { kind: "hold", changed: poolLimitsEvent(signal, pool.usage()) };
        case "output":
          if (isCompaction(text)) lease.hold();
          if (isCommitted) credit();
          return OUTPUT;
        case "completed":
          if (isCommitted) credit();
          return OVER;
        case "failed":
          return failed(signal);
        default:
          return signal satisfies never;
      }
    },
    commit: (by) => {
      isCommitted = true;
      if (by === "output") credit();
    },
    isUnfinished: () => isUnfinished,
  };
}

// --- internal ---

const HOLD: Reading = { kind: "hold", changed: undefined };
const OUTPUT: Reading = { kind: "output", changed: undefined };
const OVER: Reading = { kind: "over", changed: undefined };

/** Events of a response that are more than output. */
const SPECIAL: ReadonlySet<string> = new Set([
  "response.created",
  "response.in_progress",
  "response.queued",
  "response.metadata",
  // May be a compaction.
  "response.output_item.done",
  "response.completed",
  "response.incomplete",
  "response.failed",
]);

function isPlainOutput(name: string): boolean {
  return name.startsWith("response.") && !SPECIAL.has(name);
}
