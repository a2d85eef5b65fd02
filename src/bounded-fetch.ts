// Sends codexlb's own requests to other parties: a backend, a token endpoint, another proxy. Limits the size of the
// response and the time for it, whatever the other party sends.

import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { systemCodeOf } from "./errors.ts";
import { createPieces, gatheringReader } from "./gathering-reader.ts";

/** A response with its whole text. */
export interface Answer {
  readonly ok: boolean;
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

export interface FetchBounds {
  /** A longer response is an error. The limit applies to the decompressed length too. */
  readonly limitBytes: number;
  /** The response may be compressed with gzip. Default: false, because small responses gain nothing. */
  readonly gzip?: boolean;
  /** Longest wait for the whole response, ms; undefined: until `init.signal` is aborted. */
  readonly timeoutMs: number | undefined;
}

/**
 * Sends a request and reads the whole response as text. Redirects are not followed. Decompression is not left to
 * `fetch`, because a small response could decompress to gigabytes. Throws what `fetch` throws, a `TimeoutError` after
 * `timeoutMs`, a `ResponseTooLarge`, and what zlib throws for a damaged response.
 */
export async function boundedFetch(
  url: string | URL,
  init: BunFetchRequestInit,
  { limitBytes, gzip = false, timeoutMs }: FetchBounds,
): Promise<Answer> {
  const headers = new Headers(init.headers);
  headers.set("accept-encoding", gzip ? "gzip" : "identity");
  const signals = [
    ...(init.signal ? [init.signal] : []),
    ...(timeoutMs === undefined ? [] : [AbortSignal.timeout(timeoutMs)]),
  ];
  const response = await fetch(url, {
    ...init,
    headers,
    redirect: "manual",
    decompress: false,
    ...(signals.length === 0 ? {} : { signal: AbortSignal.any(signals) }),
  });
  const isPacked = gzip && response.headers.get("content-encoding") === "gzip";
  const text = await (isPacked ? unpackedText : boundedText)(response, limitBytes);
  return { ok: response.ok, status: response.status, headers: response.headers, text };
}

/** The text of an uncompressed response. Throws a `ResponseTooLarge`, and if the connection closes early. */
export async function boundedText(source: BodySource, limitBytes: number): Promise<string> {
  const { bytes, isWhole } = await readBounded(source, limitBytes);
  if (!isWhole) throw new ResponseTooLarge(limitBytes);
  return new TextDecoder().decode(bytes);
}

/** The response is longer than any that makes sense. */
export class ResponseTooLarge extends Error {
  constructor(limitBytes: number) {
    super(`the response is larger than ${limitBytes / 1024} KiB`);
    this.name = "ResponseTooLarge";
  }
}

/** The part of a body that was read. */
export interface BoundedBody {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** False if the body is longer; the rest is not read. */
  readonly isWhole: boolean;
}

/** Anything with a body: a request or a response. */
export interface BodySource {
  readonly headers: { get(name: string): string | null };
  readonly body: ReadableStream<Uint8Array<ArrayBuffer>> | null;
  bytes(): Promise<Uint8Array>;
}

/** Reads at most `limitBytes` of a body and cancels the rest. Throws if the connection closes early. */
export async function readBounded(source: BodySource, limitBytes: number): Promise<BoundedBody> {
  const length = source.headers.get("content-length");
  // The declared length is reliable, and reading in one go is cheaper.
  if (length !== null && /^\d{1,15}$/.test(length) && Number(length) <= limitBytes)
    return { bytes: (await source.bytes()) as Uint8Array<ArrayBuffer>, isWhole: true };
  if (source.body === null) return { bytes: new Uint8Array(), isWhole: true };
  const reader = gatheringReader(source.body);
  const pieces = createPieces();
  let size = 0;
  for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
    pieces.add(chunk.value);
    size += chunk.value.byteLength;
    if (size <= limitBytes) continue;
    // Not awaited, because for the body of a request this does not end while the client keeps sending.
    reader.cancel().catch(() => {});
    return { bytes: Buffer.concat(pieces.all(), limitBytes), isWhole: false };
  }
  return { bytes: Buffer.concat(pieces.all(), size), isWhole: true };
}

// --- internal ---

const unpack = promisify(gunzip);

async function unpackedText(source: BodySource, limitBytes: number): Promise<string> {
  const { bytes, isWhole } = await readBounded(source, limitBytes);
  if (!isWhole) throw new ResponseTooLarge(limitBytes);
  try {
    return new TextDecoder().decode(await unpack(bytes, { maxOutputLength: limitBytes }));
  } catch (error) {
    throw systemCodeOf(error) === "ERR_BUFFER_TOO_LARGE" ? new ResponseTooLarge(limitBytes) : error;
  }
}
