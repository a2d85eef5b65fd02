// Events that carry the time of their creation, to measure the delay until a client reads them.

import { sharedNowMs } from "./clock.ts";
import { asSse } from "./protocol.ts";

/** The text before the time in a stamped event. The time is Unix ms in `STAMP_CHARS` characters. */
export const STAMP_MARK = '"sent":"';
export const STAMP_CHARS = 18;

/** An output event of 300 bytes that carries the time `atMs`. Default: now. */
export function stampedEvent(atMs: number = sharedNowMs()): string {
  return EVENT_HEAD + atMs.toFixed(4) + EVENT_TAIL;
}

/** The times in `text` (Unix ms), in order, and the index after the last one. */
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
