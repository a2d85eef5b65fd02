// Streams of the benchmark's backend that send an event at a fixed interval. All streams share one timer, and their
// events are spread over the interval, so that the backend does not send them in bursts.

import { asSse } from "./backend-accounts.ts";
import { sharedNowMs } from "./clock.ts";

export interface Pace {
  /** Stamped events, the first of which is sent immediately. */
  readonly events: number;
  readonly everyMs: number;
}

/** Returns the body of a paced stream, between the first and the last event of the turn `frame`. */
export type Pacer = (frame: readonly string[], pace: Pace) => ReadableStream<Uint8Array>;

export function createPacer(): Pacer {
  const streams = new Set<PacedStream>();
  let timer: ReturnType<typeof setInterval> | undefined;
  let serial = 0;

  const tick = (): void => {
    const nowMs = performance.now();
    for (const stream of streams) if (stream.dueMs <= nowMs && !stream.send()) streams.delete(stream);
    if (streams.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };

  return (frame, { events, everyMs }) => {
    const ended = Promise.withResolvers<void>();
    const phase = (serial++ * GOLDEN_RATIO) % 1;
    let left = events;
    return new ReadableStream({
      type: "direct",
      pull: (controller) => {
        const send = (): boolean => {
          left--;
          controller.write(stampedEvent());
          if (left === 0) controller.write(frame.at(-1) ?? "");
          void controller.flush();
          stream.dueMs += everyMs;
          if (left > 0) return true;
          void controller.close();
          ended.resolve();
          return false;
        };
        const stream: PacedStream = { dueMs: performance.now() + everyMs * phase, send };
        controller.write(frame[0] ?? "");
        if (send()) streams.add(stream);
        timer ??= setInterval(tick, 1);
        return ended.promise;
      },
    });
  };
}

/** Precedes the time in a stamped event: Unix ms, `STAMP_CHARS` characters. */
export const STAMP_MARK = '"sent":"';
export const STAMP_CHARS = 18;

/** An event of output, of 300 bytes, that carries the time `atMs`. Default: now. */
export function stampedEvent(atMs: number = sharedNowMs()): string {
  return EVENT_HEAD + atMs.toFixed(4) + EVENT_TAIL;
}

/** The times in `text` (Unix ms), in order, and the index behind the last one. */
export function stampsIn(text: string): { readonly stamps: readonly number[]; readonly end: number } {
  const stamps: number[] = [];
  let end = 0;
  for (;;) {
    const mark = text.indexOf(STAMP_MARK, end);
    const start = mark + STAMP_MARK.length;
    if (mark < 0 || start + STAMP_CHARS > text.length) return { stamps, end };
    end = start + STAMP_CHARS;
    stamps.push(Number(text.slice(start, end)));
  }
}

// --- internal ---

interface PacedStream {
  dueMs: number;
  /** Sends the next event; false when it was the last. */
  send(): boolean;
}

/** Its multiples, modulo 1, are spread evenly for any number of streams. */
const GOLDEN_RATIO = (Math.sqrt(5) - 1) / 2;

const EVENT_BYTES = 300;

function eventText(deltaChars: number): string {
  const type = "response.output_text.delta";
  const at = { item_id: "msg_1", output_index: 1, content_index: 0 };
  return asSse(type, { type, ...at, sent: "0".repeat(STAMP_CHARS), delta: "x".repeat(deltaChars) });
}

const EVENT = eventText(EVENT_BYTES - eventText(0).length);
const STAMP_START = EVENT.indexOf(STAMP_MARK) + STAMP_MARK.length;
const EVENT_HEAD = EVENT.slice(0, STAMP_START);
const EVENT_TAIL = EVENT.slice(STAMP_START + STAMP_CHARS);
