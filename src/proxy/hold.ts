// The commit barrier for a streamed answer: reads and keeps events until one is worth committing to, so that a
// limit or an overload that arrives inside a 200 stream can still be answered by another account.

import type { QuotaEvidence } from "../core/quota.ts";
import { readTurnSignal } from "../core/turn.ts";
import type { Failure } from "../core/verdict.ts";
import type { Clock } from "../deps.ts";
import { type BodyReader, type Chunk, gatheringReader } from "../gathering-reader.ts";
import { blockData, createSseSplitter, type SseBlock, type SseSplitter } from "./sse.ts";
import { createIdleWatch } from "./timeouts.ts";

/** An opened answer: what was read, and the way to the rest. */
export interface HeldStream {
  readonly held: readonly SseBlock[];
  /** The events of the last chunk that were not read yet when the barrier opened. */
  readonly unread: IterableIterator<SseBlock>;
  readonly splitter: SseSplitter;
  readonly reader: BodyReader;
  /** A read that was under way when the barrier opened by time. */
  readonly pendingRead: Promise<Chunk> | undefined;
  readonly evidence: readonly QuotaEvidence[];
  readonly end: HoldEnd;
}

export type HoldEnd =
  /** Output came or the turn is over (`output`), or there was none within the bounds: commit. */
  | { readonly kind: "commit"; readonly by: "output" | "bound" }
  | { readonly kind: "failed"; readonly failure: Failure }
  /** The stream ended or broke before it was worth anything. */
  | { readonly kind: "broken"; readonly why: string };

/** After this long without output the client gets what there is: it may be waiting for a sign of life. */
export const HOLD_MS = 10_000;
/** Held events beyond this size are released. A preamble repeats the request's instructions: some tens of kB. */
const HOLD_LIMIT_BYTES = 1024 * 1024;
/** Held events are also released at this number: a preamble has three or four. */
export const HOLD_LIMIT_EVENTS = 256;

/** `idle`: how long a silence within the answer may last, ms, and what it is called when it lasts longer. */
export async function hold(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  clock: Clock,
  idle: { readonly ms: number; readonly why: string },
): Promise<HeldStream> {
  const reader = gatheringReader(body);
  const splitter = createSseSplitter();
  const held: SseBlock[] = [];
  const evidence: QuotaEvidence[] = [];
  let heldBytes = 0;
  let unread = splitter.push(new Uint8Array());
  const interrupted = Promise.withResolvers<"time" | "silence">();
  const cancelTimer = clock.after(HOLD_MS, () => interrupted.resolve("time"));
  // A silence that may last longer than anything is held does not matter here.
  const watch =
    idle.ms < HOLD_MS
      ? createIdleWatch(
          clock,
          () => idle.ms,
          () => interrupted.resolve("silence"),
        )
      : undefined;
  const opened = (end: HoldEnd, pendingRead?: Promise<Chunk>): HeldStream => {
    cancelTimer();
    watch?.stop();
    return { held, unread, splitter, reader, pendingRead, evidence, end };
  };

  for (;;) {
    const reading = reader.read();
    let chunk: Chunk | "time" | "silence";
    watch?.begin();
    try {
      chunk = await Promise.race([reading, interrupted.promise]);
    } catch (error) {
      return opened({ kind: "broken", why: String(error) });
    }
    if (chunk === "time") return opened({ kind: "commit", by: "bound" }, reading);
    if (chunk === "silence") return opened({ kind: "broken", why: idle.why });
    if (chunk.done) return opened({ kind: "broken", why: "the answer ended before it had begun" });
    let end: HoldEnd | undefined;
    unread = splitter.push(chunk.value);
    for (let next = unread.next(); !next.done; next = unread.next()) {
      const block = next.value;
      held.push(block);
      heldBytes += block.end - block.start;
      const told = endOf(block, clock.now(), evidence);
      // What came together with the first output has not been seen by the client either.
      if (end === undefined || told?.kind === "failed") end = told ?? end;
      if (held.length >= HOLD_LIMIT_EVENTS) break;
    }
    if (end !== undefined) return opened(end);
    if (heldBytes > HOLD_LIMIT_BYTES || held.length >= HOLD_LIMIT_EVENTS)
      return opened({ kind: "commit", by: "bound" });
  }
}

// --- internal ---

function endOf(block: SseBlock, nowMs: number, evidence: QuotaEvidence[]): HoldEnd | undefined {
  const data = blockData(block);
  if (data === undefined) return undefined; // a comment: a sign of life, no output
  const signal = readTurnSignal(data, nowMs);
  switch (signal.kind) {
    case "preamble":
      return undefined;
    case "quota":
      if (signal.evidence !== undefined) evidence.push(signal.evidence);
      return undefined;
    case "output":
    case "completed":
      return { kind: "commit", by: "output" };
    case "failed":
      return { kind: "failed", failure: signal.failure };
    default:
      return signal satisfies never;
  }
}
