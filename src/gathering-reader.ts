// Reads a body so that many small pieces cost little. A body can be sent in chunks of one byte each; if a read is always
// waiting, Bun delivers each of them alone, which takes 150 times the memory and keeps everything else from running.

/** The reader of a body, as `ReadableStream.getReader()` has it. */
export interface BodyReader {
  read(): Promise<Chunk>;
  cancel(reason?: unknown): Promise<void>;
}

export type Chunk =
  | { readonly done: false; readonly value: Uint8Array<ArrayBuffer> }
  | { readonly done: true; readonly value?: Uint8Array<ArrayBuffer> | undefined };

/** Pieces further apart than this are read as they come: there is nothing to join. */
const APART_MS = 1;

/**
 * A reader that lets the event loop run before it reads on if two pieces came within a millisecond. Bun joins what
 * arrives in the meantime, and other requests are served however fast the sender is.
 */
export function gatheringReader(body: ReadableStream<Uint8Array<ArrayBuffer>>): BodyReader {
  const reader = body.getReader();
  let arrivedMs = Number.NEGATIVE_INFINITY;
  let isFast = false;
  return {
    read: async () => {
      if (isFast) await new Promise((resolve) => setImmediate(resolve));
      const chunk = await reader.read();
      const nowMs = performance.now();
      isFast = nowMs - arrivedMs < APART_MS;
      arrivedMs = nowMs;
      return chunk;
    },
    cancel: (reason) => reader.cancel(reason),
  };
}

/** Keeps the pieces of a body. Small ones are copied together, because each piece takes a hundred bytes by itself. */
export interface Pieces {
  add(piece: Uint8Array<ArrayBuffer>): void;
  /** What was added, in order. To be called once, at the end. */
  all(): Uint8Array<ArrayBuffer>[];
}

export function createPieces(): Pieces {
  const whole: Uint8Array<ArrayBuffer>[] = [];
  let block = new Uint8Array();
  let used = 0;
  const endBlock = (): void => {
    if (used > 0) whole.push(block.subarray(0, used));
    block = block.subarray(used);
    used = 0;
  };
  return {
    add: (piece) => {
      if (piece.byteLength >= SMALL_BYTES) {
        endBlock();
        whole.push(piece);
        return;
      }
      if (piece.byteLength > block.byteLength - used) {
        endBlock();
        block = new Uint8Array(BLOCK_BYTES);
      }
      block.set(piece, used);
      used += piece.byteLength;
    },
    all: () => {
      endBlock();
      return whole;
    },
  };
}

// --- internal ---

const SMALL_BYTES = 1024;
const BLOCK_BYTES = 16 * 1024;
