// Reads a body so that many small pieces cost little. A sender can split a body into chunks of one byte. If a read is
// always pending, Bun delivers each chunk alone, which takes 150 times the memory and blocks all other work.

/** The reader of a body, like the one that `ReadableStream.getReader()` returns. */
export interface BodyReader {
  read(): Promise<Chunk>;
  cancel(reason?: unknown): Promise<void>;
}

export type Chunk =
  | { readonly done: false; readonly value: Uint8Array<ArrayBuffer> }
  | { readonly done: true; readonly value?: Uint8Array<ArrayBuffer> | undefined };

/** Chunks further apart than this are read as they arrive, because there is nothing to join. */
const APART_MS = 1;

/**
 * A reader that lets the event loop run before it reads on if two chunks arrived within a millisecond. Bun joins the
 * chunks that arrive in the meantime, and other requests are served even if the sender is fast.
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

/** Keeps the pieces of a body. Joins small ones, because each piece takes a hundred bytes more than its content. */
export interface Pieces {
  add(piece: Uint8Array<ArrayBuffer>): void;
  /** All pieces, in order. Call it once, at the end. */
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
