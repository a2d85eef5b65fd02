// The beginning of a streamed turn: reads the response up to the commit barrier.

import type { Failure } from "../../core/failure.ts";
import type { Verdict } from "../../core/verdict.ts";
import type { Clock } from "../../deps.ts";
import { type BodyReader, type Chunk, gatheringReader } from "../../gathering-reader.ts";
import type { Timeouts } from "../context.ts";
import { createCommitBarrier, type Opening } from "../turn/commit-barrier.ts";
import type { TurnReader } from "../turn/turn-reader.ts";
import {
  blockData,
  blockName,
  changedBlock,
  createSseSplitter,
  type SseBlock,
  type SseSplitter,
} from "./sse.ts";

/** A turn that has begun: what was read of it, and the way to the rest. */
export interface OpenedTurn {
  /** The events for the client so far, with the pool's figures. */
  readonly held: readonly SseBlock[];
  /** Events of the last chunk that were not read before the barrier opened. */
  readonly unread: IterableIterator<SseBlock>;
  readonly splitter: SseSplitter;
  readonly body: BodyReader;
  /** A read that was in progress when the barrier opened by time. */
  readonly pendingRead: Promise<Chunk> | undefined;
  readonly reader: TurnReader;
  /** Why the turn failed, if that is the last of the events held. */
  readonly failure: Failure | undefined;
}

export type Opened =
  | { readonly kind: "begun"; readonly turn: OpenedTurn }
  | { readonly kind: "failed"; readonly turn: OpenedTurn; readonly verdict: Verdict }
  /** The stream ended, broke or fell silent before it contained anything of value. */
  | { readonly kind: "broken"; readonly why: string };

/** Reads `stream` until there is something to commit to, or a failure. */
export async function openTurn(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  reader: TurnReader,
  clock: Clock,
  timeouts: Pick<Timeouts, "idleMs">,
): Promise<Opened> {
  const body = gatheringReader(stream);
  const splitter = createSseSplitter();
  const opening = Promise.withResolvers<Opening>();
  const barrier = createCommitBarrier<SseBlock>(clock, timeouts, opening.resolve);
  let unread = splitter.push(new Uint8Array());
  let pendingRead: Promise<Chunk> | undefined;

  const turn = (failure?: Failure): OpenedTurn => ({
    held: barrier.held,
    unread,
    splitter,
    body,
    pendingRead,
    reader,
    failure,
  });
  const begun = (by: "output" | "bound"): Opened => {
    reader.commit(by);
    return { kind: "begun", turn: turn() };
  };

  /** Reads the chunk's events. Undefined: everything is held, and the barrier is closed. */
  const take = (chunk: Uint8Array<ArrayBuffer>): Opened | undefined => {
    unread = splitter.push(chunk);
    let hasOutput = false;
    for (let next = unread.next(); !next.done; next = unread.next()) {
      const block = next.value;
      const reading = reader.read(blockName(block), () => blockData(block));
      const changed = reading.kind === "failed" ? undefined : reading.changed;
      barrier.hold(changed === undefined ? block : changedBlock(block, changed), block.end - block.start);
      // Output in the same chunk as a failure has not been seen by the client either.
      if (reading.kind === "failed")
        return { kind: "failed", turn: turn(reading.failure), verdict: reading.verdict };
      hasOutput ||= reading.kind !== "hold";
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
