// Streams that send an event at a fixed interval, for the benchmark's backend. All streams share one timer, and their
// events are spread over the interval, so that the backend does not send them in bursts.

import { stampedEvent } from "./stamps.ts";

export interface Pace {
  /** The number of stamped events. The first one is sent immediately. */
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

// --- internal ---

interface PacedStream {
  dueMs: number;
  /** Sends the next event. Returns false after the last one. */
  send(): boolean;
}

/** The multiples of this ratio, modulo 1, are spread evenly for any number of streams. */
const GOLDEN_RATIO = (Math.sqrt(5) - 1) / 2;
