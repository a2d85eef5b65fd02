// Splits a stream of server-sent events into whole events without changing a byte, and reads the name and data of those
// that matter. Every byte is examined once and copied at most once, whatever the sizes of events and chunks.

/** One unchanged event with its terminating blank line: the bytes of `source` from `start` to `end`. */
export interface SseBlock {
  readonly source: Uint8Array<ArrayBuffer>;
  readonly start: number;
  readonly end: number;
}

export interface SseSplitter {
  /** The events that `chunk` completes, in order, found lazily. Consume all of them before the next `push`. */
  push(chunk: Uint8Array<ArrayBuffer>): IterableIterator<SseBlock>;
  /** The bytes of the unfinished event; the splitter is empty afterwards. */
  rest(): Uint8Array<ArrayBuffer>;
}

/** A larger unfinished event is forwarded in pieces instead of being gathered. */
const BLOCK_LIMIT_BYTES = 8 * 1024 * 1024;

export function createSseSplitter(): SseSplitter {
  const pending = createGatherer();
  /** Length of the unfinished line, and its last byte, which matters if it is the only one. */
  let lineBytes = 0;
  let lineByte = 0;
  return {
    *push(chunk) {
      let start = 0;
      let lineStart = 0;
      for (let at = chunk.indexOf(LF); at >= 0; at = chunk.indexOf(LF, at + 1)) {
        const length = lineBytes + at - lineStart;
        const isBlank = length === 0 || (length === 1 && (at > lineStart ? chunk[at - 1] : lineByte) === CR);
        lineBytes = 0;
        lineStart = at + 1;
        if (!isBlank) continue;
        if (pending.size() === 0) yield { source: chunk, start, end: at + 1 };
        else {
          pending.add(chunk.subarray(start, at + 1));
          yield wholeOf(pending.take());
        }
        start = at + 1;
      }
      lineBytes += chunk.byteLength - lineStart;
      lineByte = chunk.at(-1) ?? lineByte;
      pending.add(chunk.subarray(start));
      if (pending.size() > BLOCK_LIMIT_BYTES) yield wholeOf(pending.take());
    },
    rest: pending.take,
  };
}

export function blockBytes({ source, start, end }: SseBlock): Uint8Array<ArrayBuffer> {
  return source.subarray(start, end);
}

/** The event's name from its first line, read without decoding the rest; undefined if that line names none. */
export function blockName({ source, start, end }: SseBlock): string | undefined {
  if (source[start] !== FIRST_OF_EVENT || end - start > BLOCK_LIMIT_BYTES) return undefined;
  const lineEnd = source.indexOf(LF, start);
  if (lineEnd < 0 || lineEnd >= end || lineEnd - start > NAME_LIMIT_BYTES) return undefined;
  return fieldValue(textOf(source, start, lineEnd), "event:");
}

/** The event's data lines, joined; undefined for comments, blocks without data, and incomplete events. */
export function blockData(block: SseBlock): string | undefined {
  const { source, start, end } = block;
  if (end - start > BLOCK_LIMIT_BYTES) return undefined;
  let data: string | undefined;
  // Decode line by line: nearly every event has one line of data, so its text is copied only once.
  for (let at = start; at < end; ) {
    const lf = source.indexOf(LF, at);
    const lineEnd = lf < 0 || lf >= end ? end : lf;
    const value = source[at] === FIRST_OF_DATA ? fieldValue(textOf(source, at, lineEnd), "data:") : undefined;
    if (value !== undefined) data = data === undefined ? value : `${data}\n${value}`;
    at = lineEnd + 1;
  }
  return data;
}

/** `block` with the data `json`, in the backend's own form. It keeps its name if it has one. */
export function changedBlock(block: SseBlock, json: string): SseBlock {
  const name = blockName(block);
  return wholeOf(ENCODER.encode(`${name === undefined ? "" : `event: ${name}\n`}data: ${json}\n\n`));
}

/** The bytes of `parts`, concatenated. */
export function joinBytes(parts: readonly Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> {
  const [first = EMPTY, ...others] = parts;
  if (others.length === 0) return first;
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.byteLength;
  }
  return joined;
}

// --- internal ---

/** Gathers bytes. Its buffer doubles, so that single bytes are not slower to gather than large chunks. */
function createGatherer() {
  let buffer: Uint8Array<ArrayBuffer> = EMPTY;
  let size = 0;
  return {
    size: () => size,
    add: (bytes: Uint8Array<ArrayBuffer>): void => {
      if (size + bytes.byteLength > buffer.byteLength) {
        const larger = new Uint8Array(Math.max(size + bytes.byteLength, 2 * buffer.byteLength));
        larger.set(buffer.subarray(0, size));
        buffer = larger;
      }
      buffer.set(bytes, size);
      size += bytes.byteLength;
    },
    /** Returns everything gathered; the gatherer is empty afterwards. */
    take: (): Uint8Array<ArrayBuffer> => {
      const gathered = buffer.subarray(0, size);
      buffer = EMPTY;
      size = 0;
      return gathered;
    },
  };
}

/** The text of a line without its CR. */
function textOf(source: Uint8Array<ArrayBuffer>, start: number, lineEnd: number): string {
  const end = lineEnd > start && source[lineEnd - 1] === CR ? lineEnd - 1 : lineEnd;
  return UTF8_SLICE.call(source, start, end);
}

/** The value of the field in `line`; undefined if the line has another field. */
function fieldValue(line: string, field: string): string | undefined {
  if (!line.startsWith(field)) return undefined;
  return line.slice(line[field.length] === " " ? field.length + 1 : field.length);
}

function wholeOf(source: Uint8Array<ArrayBuffer>): SseBlock {
  return { source, start: 0, end: source.byteLength };
}

const EMPTY = new Uint8Array();
const LF = 10;
const CR = 13;
/** The first byte of `event:`. Other first lines do not name the event. */
const FIRST_OF_EVENT = 0x65;
/** The first byte of `data:`. */
const FIRST_OF_DATA = 0x64;
/** All names that matter are shorter. */
const NAME_LIMIT_BYTES = 80;
/** Decodes without a view of the bytes, which takes as long as the decoding itself. */
const UTF8_SLICE: (this: Uint8Array, start: number, end: number) => string = Buffer.prototype.utf8Slice;
const ENCODER = new TextEncoder();
