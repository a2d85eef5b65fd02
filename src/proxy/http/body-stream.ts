// Streams a reply's body to the client. Reads only when the client can take more, so that a slow client slows the
// upstream, and releases the reply once, however the body ends.

import { type Chunk, gatheringReader } from "../../gathering-reader.ts";
import type { ProxyContext } from "../context.ts";
import { createIdleWatch } from "../timeouts.ts";
import type { StreamedTurn } from "./open-turn.ts";
import { blockBytes, blockData, blockName, changedBlock, joinBytes, type SseBlock } from "./sse.ts";

type Bytes = Uint8Array<ArrayBuffer>;
type Body = ReadableStream<Bytes>;
type BodyContext = Pick<ProxyContext, "deps" | "settings">;

/** How long a body may be silent, and the callbacks for its end. */
export interface BodyEnds {
  /** The longest silence, ms. `configuredMs` is the one in the settings. */
  readonly patienceMs: (configuredMs: number) => number;
  /** Called once when the body has ended, however it ended. */
  readonly release: () => void;
  /** Called before `release` if the body broke off. */
  readonly broke: () => void;
  /** Called before `release` if the client disconnected or stopped reading. */
  readonly left: () => void;
}

/** The body `source`, without reading its content. `abort` ends the upstream's request. */
export function passThrough(context: BodyContext, source: Body, abort: () => void, ends: BodyEnds): Body {
  const reader = gatheringReader(source);
  const next = async (): Promise<Piece> => {
    const { done, value } = await reader.read();
    return done ? { kind: "end", bytes: EMPTY } : { kind: "more", bytes: value };
  };
  return bodyOf(context, next, abort, ends);
}

/** The stream of a turn after the commit barrier: first the events held back, then all others. */
export function turnStream(
  context: BodyContext,
  turn: StreamedTurn,
  abort: () => void,
  ends: BodyEnds,
): Body {
  const { splitter, body, reader } = turn;
  let { held, unread, pendingRead } = turn;
  // The client gets a failed turn exactly as received.
  const pass = turn.failure === undefined ? passEvents : passUnread;

  const read = (): Promise<Chunk> => {
    const reading = pendingRead ?? body.read();
    pendingRead = undefined;
    return reading;
  };

  const next = async (): Promise<Piece> => {
    if (held.length > 0) {
      const bytes = joinBytes(runsOf(held));
      held = [];
      return { kind: "more", bytes };
    }
    for (;;) {
      const piece = pass(unread, reader);
      if (piece !== undefined) {
        // A full batch: the chunk may contain thousands of events more, so other requests run first.
        if (piece.isFull) await new Promise((resolve) => setImmediate(resolve));
        return piece;
      }
      const chunk = await read();
      if (!chunk.done) {
        unread = splitter.push(chunk.value);
        continue;
      }
      // A stream that ends before its turn is broken, even if it was closed properly.
      if (reader.isUnfinished()) ends.broke();
      return { kind: "end", bytes: splitter.rest() };
    }
  };
  return bodyOf(context, next, abort, ends);
}

// --- internal ---

/** The next bytes for the client. */
interface Piece {
  /** `cut`: the connection breaks after these bytes. */
  readonly kind: "more" | "end" | "cut";
  readonly bytes: Bytes;
  readonly isFull?: boolean;
}

const EMPTY: Bytes = new Uint8Array();

/** Events that are handled before other requests run: 30 ms for events about limits, less for all others. */
const BATCH_EVENTS = 1_024;

/**
 * A body made of the pieces that `next` returns. Errors reach the client as a broken connection, never as a proper end.
 * A client that reads nothing for as long as an upstream may be silent counts as gone.
 */
function bodyOf(
  context: BodyContext,
  next: () => Promise<Piece>,
  abort: () => void,
  { patienceMs, release, broke, left }: BodyEnds,
): Body {
  const { idleMs } = context.settings().timeouts;
  let isOver = false;
  /** Set while the client has not read all bytes that were written. */
  let unreadBy: ReadableStreamDirectController | undefined;
  const finish = (): void => {
    if (isOver) return;
    isOver = true;
    wait.stop();
    release();
  };
  const wait = createIdleWatch(
    context.deps.clock,
    () => (unreadBy === undefined ? patienceMs(idleMs) : idleMs),
    () => {
      // Aborting the request also ends a pending read.
      abort();
      if (unreadBy === undefined) return;
      left();
      finish();
      unreadBy.close(new Error(`the client read nothing for ${idleMs / 1000} s`));
    },
  );

  /** Resolves when the client can take more. */
  const write = async (
    controller: ReadableStreamDirectController,
    written: Promise<number>,
  ): Promise<void> => {
    unreadBy = controller;
    wait.begin();
    await written;
    unreadBy = undefined;
  };

  const pull = async (controller: ReadableStreamDirectController): Promise<void> => {
    try {
      for (;;) {
        wait.begin();
        const { kind, bytes } = await next();
        if (isOver) return;
        if (bytes.byteLength > 0) {
          const written = controller.write(bytes);
          controller.flush();
          if (typeof written !== "number") await write(controller, written);
          if (isOver) return;
        }
        if (kind === "cut") throw new Error("the turn failed after its first output");
        if (kind === "end") break;
      }
      finish();
      controller.end();
    } catch (error) {
      if (isOver) return;
      broke();
      finish();
      abort();
      controller.close(error instanceof Error ? error : new Error(String(error)));
    }
  };
  const cancel = (): void => {
    if (!isOver) left();
    finish();
    abort();
  };
  // A direct stream costs a fifth less CPU time for each event than one with a queue.
  return new ReadableStream<Bytes>({ type: "direct", pull, cancel });
}

/** The next events with the pool's figures; undefined if there are none. */
function passEvents(blocks: IterableIterator<SseBlock>, reader: StreamedTurn["reader"]): Piece | undefined {
  const passed: SseBlock[] = [];
  let kind: Piece["kind"] = "more";
  while (passed.length < BATCH_EVENTS) {
    const { done, value: block } = blocks.next();
    if (done) break;
    const meaning = reader.read(blockName(block), () => blockData(block));
    if (meaning.kind === "failed" && meaning.answer === "cut") {
      kind = "cut";
      break;
    }
    const changed = meaning.kind === "failed" ? undefined : meaning.changed;
    passed.push(changed === undefined ? block : changedBlock(block, changed));
  }
  if (passed.length === 0 && kind === "more") return undefined;
  return { kind, bytes: joinBytes(runsOf(passed)), isFull: passed.length === BATCH_EVENTS };
}

/** The next events as received; undefined if there are none. */
function passUnread(blocks: IterableIterator<SseBlock>): Piece | undefined {
  const passed = [...blocks];
  return passed.length === 0 ? undefined : { kind: "more", bytes: joinBytes(runsOf(passed)) };
}

/** The bytes of `blocks`. Adjacent events of one chunk stay one piece, which is not copied. */
function runsOf(blocks: readonly SseBlock[]): Bytes[] {
  const parts: Bytes[] = [];
  let run: { source: SseBlock["source"]; start: number; end: number } | undefined;
  for (const block of blocks) {
    if (run?.source === block.source && run.end === block.start) run.end = block.end;
    else {
      if (run !== undefined) parts.push(blockBytes(run));
      run = { ...block };
    }
  }
  if (run !== undefined) parts.push(blockBytes(run));
  return parts;
}
