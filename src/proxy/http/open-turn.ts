// Reads the beginning of a streamed turn, up to the commit barrier.

import type { Failure } from "../../core/failure.ts";
import type { Verdict } from "../../core/verdict.ts";
import type { Clock } from "../../deps.ts";
import { type BodyReader, type Chunk, gatheringReader } from "../../gathering-reader.ts";
import type { Timeouts } from "../context.ts";
import { type BarrierOpening, createCommitBarrier } from "../turn/commit-barrier.ts";
import type { TurnReader } from "../turn/turn-reader.ts";
import {
  blockData,
  blockName,
  changedBlock,
  createSseSplitter,
  type SseBlock,
  type SseSplitter,
} from "./sse.ts";

/** A turn that has begun: the events read so far, and the reader of the others. */
export interface StreamedTurn {
  /** The events for the client so far, with the pool's figures. */
  readonly held: readonly SseBlock[];
  /** Events of the last chunk that were not read before the barrier opened. */
  readonly unread: IterableIterator<SseBlock>;
  readonly splitter: SseSplitter;
  readonly body: BodyReader;
  /** A read that was in progress when the barrier opened by time. */
  readonly pendingRead: Promise<Chunk> | undefined;
  readonly reader: TurnReader;
  /** Why the turn failed, if the last event in `held` is a failure. */
  readonly failure: Failure | undefined;
}

export type OpenTurnResult =
  | { readonly kind: "begun"; readonly turn: StreamedTurn }
  | { readonly kind: "failed"; readonly turn: StreamedTurn; readonly verdict: Verdict }
  /** The stream ended, broke or fell silent before the barrier opened. */
  | { readonly kind: "broken"; readonly why: string };

/** Reads `stream` until the commit barrier opens, or the turn fails. */
export async function openTurn(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  reader: TurnReader,
  clock: Clock,
  timeouts: Pick<Timeouts, "idleMs">,
): Promise<OpenTurnResult> {
  const body = gatheringReader(stream);
  const splitter = createSseSplitter();
  const opening = Promise.withResolvers<BarrierOpening>();
  const barrier = createCommitBarrier<SseBlock>(clock, timeouts, opening.resolve);
  let unread = splitter.push(new Uint8Array());
  let pendingRead: Promise<Chunk> | undefined;

  const turn = (failure?: Failure): StreamedTurn => ({
    held: barrier.held,
    unread,
    splitter,
    body,
    pendingRead,
    reader,
    failure,
  });
  const begun = (by: "output" | "bound"): OpenTurnResult => {
    reader.commit(by);
    return { kind: "begun", turn: turn() };
  };

  /** Reads the chunk's events. Returns undefined while the barrier is closed. */
  const take = (chunk: Uint8Array<ArrayBuffer>): OpenTurnResult | undefined => {
    unread = splitter.push(chunk);
    let hasOutput = false;
    for (let next = unread.next(); !next.done; next = unread.next()) {
      const block = next.value;
      const meaning = reader.read(blockName(block), () => blockData(block));
      const changed = meaning.kind === "failed" ? undefined : meaning.changed;
      barrier.hold(changed === undefined ? block : changedBlock(block, changed), block.end - block.start);
      // The client has not seen output in the same chunk either.
      if (meaning.kind === "failed")
        return { kind: "failed", turn: turn(meaning.failure), verdict: meaning.verdict };
      hasOutput ||= meaning.kind !== "hold";
      if (barrier.isOpen()) break;
    }
    if (hasOutput) return begun("output");
    return barrier.isOpen() ? begun("bound") : undefined;
  };

  try {
    for (;;) {
      const reading = body.read();
      const arrived = await Promise.race([reading, opening.promise]);
      if ("kind" in arrived) {
        if (arrived.kind === "silent") return { kind: "broken", why: arrived.why };
        pendingRead = reading;
        return begun("bound");
      }
      if (arrived.done) return { kind: "broken", why: "the response ended before the turn began" };
      barrier.heard();
      const opened = take(arrived.value);
      if (opened !== undefined) return opened;
    }
  } catch (error) {
    return { kind: "broken", why: String(error) };
  } finally {
    barrier.stop();
  }
}
