// Reads the events of one turn, the same way for both transports. Returns the meaning of each event for the turn, and
// the event that the client gets instead. Learns about limits, replaces the account's figures with the pool's, credits
// the account for the first output, recognises compactions, and records what the turn used.
//
//   before the commit   hold                 hold the event back
//                       output, over         commit to the turn
//                       failed               another account can still serve the turn
//   after the commit    hold, output, over   forward the event
//                       failed               `answer` says what the client gets

import type { Failure } from "../../core/failure.ts";
import { eventType, isCompaction, readTurnSignal, type TurnSignal } from "../../core/turn.ts";
import type { Verdict } from "../../core/verdict.ts";
import type { Lease } from "../../upstream/leases.ts";
import { poolVersionEvent } from "../catalogues.ts";
import type { ProxyContext } from "../context.ts";
import type { Exchange } from "../exchange.ts";
import { poolLimitsEvent } from "../pool-limits.ts";
import { answerAfterOutput } from "./final-answer.ts";

/**
 * The meaning of an event. `changed`: the JSON that the client gets instead; undefined: it gets the event as received.
 */
export type EventMeaning =
  | { readonly kind: "hold" | "output" | "over"; readonly changed: string | undefined }
  | {
      readonly kind: "failed";
      readonly failure: Failure;
      readonly verdict: Verdict;
      /** After the commit: the client gets the event, or is disconnected so that it sends the turn again. */
      readonly answer: "pass" | "cut" | undefined;
    };

export interface TurnReader {
  /**
   * Reads the next event. `name` is its type if the transport names it. `json` returns its text, or undefined if it has
   * none and is only a sign of life.
   */
  read(name: string | undefined, json: () => string | undefined): EventMeaning;
  /** From now on the client gets the events. `by`: output arrived, or a bound of the commit barrier was reached. */
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

  const plainOutput = (): EventMeaning => {
    isUnfinished = true;
    return OUTPUT;
  };

  const failed = ({ failure }: TurnSignal & { kind: "failed" }): EventMeaning => {
    const verdict = lease.upstream.judge(failure, "turn");
    exchange.recorder?.failure(failure);
    if (!isCommitted) return { kind: "failed", failure, verdict, answer: undefined };
    // Another account cannot take over, because the client has seen output. The verdict helps the next request.
    lease.settle(verdict);
    if (verdict.kind !== "client") lease.broke();
    const answer = answerAfterOutput(verdict, lease.canLeave);
    exchange.recorder?.end(answer === "cut" ? "cut" : "failed");
    return { kind: "failed", failure, verdict, answer };
  };

  return {
    read: (name, json) => {
      // After the first output, further plain output changes nothing. Most messages of a turn are such.
      const isUnderWay = isCommitted && isCredited;
      if (isUnderWay && name !== undefined && isPlainOutput(name)) return plainOutput();
      const text = json();
      if (text === undefined) return HOLD;
      const type = eventType(text);
      if (isUnderWay && type !== undefined && isPlainOutput(type)) return plainOutput();
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
          exchange.recorder?.output();
          if (isCompaction(text)) lease.hold();
          if (isCommitted) credit();
          return OUTPUT;
        case "completed":
          exchange.recorder?.lastEvent(type, text);
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

const HOLD: EventMeaning = { kind: "hold", changed: undefined };
const OUTPUT: EventMeaning = { kind: "output", changed: undefined };
const OVER: EventMeaning = { kind: "over", changed: undefined };

/** Events of a response that are not plain output. */
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
