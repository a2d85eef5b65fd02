// Request bodies: read once, whole and bounded, so that they can be sent again; decoded only on a copy.

import { promisify } from "node:util";
import { constants, gunzip, inflate, zstdDecompress, zstdDecompressSync } from "node:zlib";
import { CodexlbError } from "../errors.ts";
import { createPieces, gatheringReader } from "../gathering-reader.ts";
import { BODY_BUDGET, type BodyBudget } from "./body-budget.ts";
import { firstBlockEnd } from "./zstd-start.ts";

/** The largest accepted request body. Long histories with images have a few MiB, uploads some tens. */
export const BODY_LIMIT_BYTES = 128 * 1024 * 1024;

/** The bytes to send. A large body is a blob, because each send would copy plain bytes. */
export type BodyContent = Uint8Array<ArrayBuffer> | Blob;

/** A request's body. It counts against the budget until it is released. */
export interface RequestBody {
  /** Throws after the release. */
  readonly content: BodyContent;
  /** Call it when the content is no longer needed. */
  release(): void;
}

/** A body of `content`; `release` is called when it is released. */
export function bodyOf(content: BodyContent, release = () => {}): RequestBody {
  // Other objects, such as the reply's stream, may refer to the body for longer. They must not keep 100 MiB in memory.
  let kept: BodyContent | undefined = content;
  return {
    get content() {
      if (kept === undefined) throw new Error("a request body was read after its release");
      return kept;
    },
    release: () => {
      kept = undefined;
      release();
    },
  };
}

/** Reads the whole body (empty if there is none). Throws `body_too_large`, or `busy` if the budget has no room. */
export async function readBody(request: Request, budget: BodyBudget): Promise<RequestBody> {
  const length = request.headers.get("content-length");
  if (length === null) {
    // Nothing else reads `body`, because reading it makes Bun create a stream and send every byte through it.
    const body = request.headers.has("transfer-encoding") ? request.body : null;
    return body === null ? bodyOf(new Uint8Array()) : readGrowing(body, request.signal, budget);
  }
  const bytes = Number(length);
  if (bytes > BODY_LIMIT_BYTES) throw tooLarge();
  // Until the body is read, its data stays with the client.
  const release = budget.tryTake(bytes) ?? (await budget.take(bytes, request.signal));
  if (release === undefined) throw busy();
  try {
    const isSmall = bytes <= BODY_BUDGET.smallBytes;
    const content = isSmall ? ((await request.bytes()) as Uint8Array<ArrayBuffer>) : await request.blob();
    return bodyOf(content, collecting(bytes, release));
  } catch (error) {
    release();
    throw error;
  }
}

/** The size of `content` in bytes. */
export function sizeOf(content: BodyContent): number {
  return content instanceof Blob ? content.size : content.byteLength;
}

/**
 * Wraps `release` for content of `bytes`. Large content is garbage-collected before its room in the budget is released;
 * otherwise the next body would add to memory that the collector has not freed yet.
 */
export function collecting(bytes: number, release: () => void): () => void {
  if (bytes < COLLECTED_BYTES) return release;
  return () =>
    void setTimeout(() => {
      Bun.gc(true);
      release();
    }, COLLECT_AFTER_MS);
}

/** The error for a request whose body does not fit into the budget now. */
export function busy(): CodexlbError {
  return new CodexlbError("busy", "the memory for request bodies is full, and no room became free in time", {
    next: "send the request again in a few seconds",
    retryAfterSeconds: RETRY_SECONDS,
  });
}

const COLLECTED_BYTES = 8 * 1024 * 1024;
/** Bun itself refers to a body for some milliseconds after the response has begun. */
const COLLECT_AFTER_MS = 50;
/** The longest decompressed text that is inspected: Codex sends histories of 16 MiB. */
const DECODED_LIMIT_BYTES = 20 * 1024 * 1024;
/** Real text compresses by a factor of 10 to 30. A higher ratio than this is an attempt to fill memory. */
const MOST_RATIO = 100;
/** Every body may decompress to this size, however small it is. */
const SMALL_DECODED_BYTES = 1024 * 1024;

/** The text of a body, decompressed if needed; undefined if it cannot be read or exceeds the bounds. */
export async function decodeBody(content: BodyContent, encoding: string | null): Promise<string | undefined> {
  const unpack = UNPACKERS.get((encoding ?? "").trim().toLowerCase());
  if (unpack === undefined || sizeOf(content) > DECODED_LIMIT_BYTES) return undefined;
  const mostBytes = Math.max(SMALL_DECODED_BYTES, MOST_RATIO * sizeOf(content));
  try {
    const bytes = content instanceof Blob ? new Uint8Array(await content.arrayBuffer()) : content;
    const plain = await unpack(bytes, { maxOutputLength: Math.min(DECODED_LIMIT_BYTES, mostBytes) });
    return new TextDecoder().decode(plain);
  } catch {
    return undefined; // damaged or too large; the upstream will report what is wrong
  }
}

/** The text of the first kilobytes of a body; undefined if they cannot be read or exceed the bounds. */
export async function decodeStart(
  content: BodyContent,
  encoding: string | null,
): Promise<string | undefined> {
  const name = (encoding ?? "").trim().toLowerCase();
  const unpack = STARTERS.get(name);
  if (unpack === undefined) return undefined;
  const start = content.slice(0, name === "zstd" ? ZSTD_START_BYTES : START_BYTES);
  try {
    const bytes = start instanceof Blob ? new Uint8Array(await start.arrayBuffer()) : start;
    return new TextDecoder().decode((await unpack(bytes)).subarray(0, START_BYTES));
  } catch {
    return undefined; // the caller then reads the whole body and reports the damage
  }
}

// --- internal ---

const START_BYTES = 4_096;
/** The frame header and first block. Compression does not make a block larger. */
const ZSTD_START_BYTES = 128 * 1024 + 32;
/** Without the flush option, truncated input counts as damaged. */
const CUT_OFF = { maxOutputLength: 1024 * START_BYTES, finishFlush: constants.Z_SYNC_FLUSH };

/** Decompresses the start of a body, by content coding. */
const STARTERS: ReadonlyMap<string, (start: Uint8Array) => Promise<Uint8Array>> = new Map([
  ["", async (start) => start],
  ["identity", async (start) => start],
  ["gzip", (start) => promisify(gunzip)(start, CUT_OFF)],
  ["deflate", (start) => promisify(inflate)(start, CUT_OFF)],
  // Decompressing a block takes 0.1 ms, less than passing it to another thread.
  ["zstd", async (start) => zstdDecompressSync(start.subarray(0, firstBlockEnd(start)), ONE_BLOCK)],
]);
const ONE_BLOCK = { maxOutputLength: 128 * 1024, finishFlush: constants.ZSTD_e_flush };

const RETRY_SECONDS = 2;

type Unpack = (body: Uint8Array, options: { maxOutputLength: number }) => Promise<Uint8Array>;

/** Content codings (RFC 9110, 8.4.1) that clients of the backend use. Decompression runs in another thread. */
const UNPACKERS: ReadonlyMap<string, Unpack> = new Map([
  ["", async (body) => body],
  ["identity", async (body) => body],
  ["zstd", promisify(zstdDecompress)],
  ["gzip", promisify(gunzip)],
  ["deflate", promisify(inflate)],
]);

/** A body of unknown length takes room in steps: first enough for an ordinary turn, then larger ones. */
const FIRST_STEP_BYTES = BODY_BUDGET.smallBytes;
const STEP_BYTES = 8 * 1024 * 1024;

async function readGrowing(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  signal: AbortSignal,
  budget: BodyBudget,
): Promise<RequestBody> {
  const releases: (() => void)[] = [];
  const release = () => {
    for (const one of releases) one();
  };
  const pieces = createPieces();
  let size = 0;
  let room = 0;
  try {
    const reader = gatheringReader(body);
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      size += part.value.byteLength;
      if (size > BODY_LIMIT_BYTES) throw tooLarge();
      while (size > room) {
        // The budget never has more room than for one body of the largest size.
        const step = Math.min(room === 0 ? FIRST_STEP_BYTES : STEP_BYTES, BODY_LIMIT_BYTES - room);
        const more = budget.tryTake(step) ?? (await budget.take(step, signal));
        if (more === undefined) throw busy();
        releases.push(more);
        room += step;
      }
      pieces.add(part.value);
    }
    const parts = pieces.all();
    const content = size <= FIRST_STEP_BYTES ? Buffer.concat(parts, size) : new Blob(parts);
    return bodyOf(content, collecting(size, release));
  } catch (error) {
    release();
    throw error;
  }
}

function tooLarge(): CodexlbError {
  return new CodexlbError(
    "body_too_large",
    `the request body is larger than ${BODY_LIMIT_BYTES / 1024 / 1024} MiB`,
    { next: "compact the session, or attach smaller files" },
  );
}
