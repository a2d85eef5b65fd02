// Server-sent events on their way through: cuts a byte stream into whole events without changing a byte, and
// shows the `data` of each.

/** One event as it came, with its terminating blank line. */
export interface SseBlock {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** What the event's first line names it, read without decoding the rest; undefined when it names nothing. */
  name(): string | undefined;
  /** The event's data lines joined; undefined for comments and other blocks without data. */
  data(): string | undefined;
}

export interface SseSplitter {
  /** The events that `chunk` completes, in order. */
  push(chunk: Uint8Array<ArrayBuffer>): SseBlock[];
  /** What is left of an unfinished event; the splitter is empty afterwards. */
  rest(): Uint8Array<ArrayBuffer>;
}

/** An unfinished event beyond this size is passed on in pieces instead of being gathered. */
const BLOCK_LIMIT_BYTES = 8 * 1024 * 1024;

export function createSseSplitter(): SseSplitter {
  let pending: Uint8Array<ArrayBuffer> = EMPTY;
  return {
    push: (chunk) => {
      let bytes = pending.byteLength === 0 ? chunk : concat(pending, chunk);
      const blocks: SseBlock[] = [];
      // An end found earlier cannot lie in what was pending, except for its last three bytes.
      let from = Math.max(0, pending.byteLength - 3);
      for (let end = blockEnd(bytes, from); end >= 0; end = blockEnd(bytes, 0)) {
        blocks.push(block(bytes.subarray(0, end)));
        bytes = bytes.subarray(end);
        from = 0;
      }
      if (bytes.byteLength > BLOCK_LIMIT_BYTES) {
        blocks.push({ bytes, name: () => undefined, data: () => undefined });
        bytes = EMPTY;
      }
      pending = bytes;
      return blocks;
    },
    rest: () => {
      const left = pending;
      pending = EMPTY;
      return left;
    },
  };
}

/** An event as bytes, in the backend's own form; without a name when it has none. */
export function encodeSse(name: string | undefined, json: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${name === undefined ? "" : `event: ${name}\n`}data: ${json}\n\n`);
}

export function concat(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(a.byteLength + b.byteLength);
  joined.set(a);
  joined.set(b, a.byteLength);
  return joined;
}

// --- internal ---

const EMPTY = new Uint8Array();
const LF = 10;
const CR = 13;

function block(bytes: Uint8Array<ArrayBuffer>): SseBlock {
  let name: { readonly is: string | undefined } | undefined;
  return {
    bytes,
    name: () => {
      name ??= { is: nameOf(bytes) };
      return name.is;
    },
    data: () => dataOf(new TextDecoder().decode(bytes)),
  };
}

/** Names are short; what is longer is no name that matters. */
const NAME_LIMIT_BYTES = 80;

function nameOf(bytes: Uint8Array<ArrayBuffer>): string | undefined {
  const head = new TextDecoder().decode(bytes.subarray(0, NAME_LIMIT_BYTES));
  return /^event: ?([^\r\n]*)\r?\n/.exec(head)?.[1];
}

function dataOf(text: string): string | undefined {
  const lines = text
    .split(/\r?\n/)
    .filter((line) => line.startsWith("data:"))
    .map((line) => line.slice(line.startsWith("data: ") ? 6 : 5));
  return lines.length === 0 ? undefined : lines.join("\n");
}

/** Where the first event ends (just behind its blank line), looking from `from` on; -1 when it has not ended. */
function blockEnd(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(LF, from); at >= 0; at = bytes.indexOf(LF, at + 1)) {
    if (bytes[at + 1] === LF) return at + 2;
    if (bytes[at + 1] === CR && bytes[at + 2] === LF) return at + 3;
  }
  return -1;
}
