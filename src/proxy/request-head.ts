// Limits the head of a request (request line and headers). Codex sends a turn's metadata in headers, and in a long task
// they exceed Bun's default of 16 KiB.

import http from "node:http";
import { HOPS_HEADER } from "../core/hops.ts";
import { CodexlbError } from "../errors.ts";

/** The largest head that a client may send, in bytes. */
export const HEAD_LIMIT_BYTES = 64 * 1024;

/**
 * Raises Bun's own limit for every server that this process starts afterwards. Bun's limit is twice ours, so a head
 * between the two gets an error message; Bun answers larger ones with 431 and no body. Bun buffers a head as it
 * arrives, so idle connections do not cost more memory.
 */
export function raiseBunHeadLimit(): void {
  // The types declare a constant, but Bun reads this value whenever a server starts.
  Object.assign(http, { maxHeaderSize: 2 * HEAD_LIMIT_BYTES });
}

/** The path and the query (with its `?`, or "") of a request's URL, which Bun has normalised. */
export function targetOf(url: string): { readonly path: string; readonly search: string } {
  const fragment = url.indexOf("#");
  const end = fragment < 0 ? url.length : fragment;
  const scheme = url.indexOf("://");
  const start = url.indexOf("/", scheme < 0 ? 0 : scheme + 3);
  if (start < 0 || start > end) return { path: "/", search: "" };
  const query = url.indexOf("?", start);
  if (query < 0 || query > end) return { path: url.slice(start, end), search: "" };
  return { path: url.slice(start, query), search: query + 1 === end ? "" : url.slice(query, end) };
}

/**
 * The error for a request with too large a head; undefined if the size is fine. Headers that Bun removes, such as
 * Connection, do not count.
 */
export function headProblem({ method, url, headers }: Request): CodexlbError | undefined {
  const limit = headers.has(HOPS_HEADER) ? HEAD_LIMIT_BYTES + ROOM_FOR_PROXIES_BYTES : HEAD_LIMIT_BYTES;
  const { path, search } = targetOf(url);
  let bytes = method.length + path.length + search.length + LINE_BYTES;
  headers.forEach((value, name) => {
    bytes += name.length + value.length + FIELD_BYTES;
  });
  if (bytes <= limit) return undefined;
  return new CodexlbError(
    "head_too_large",
    `the request line and headers are larger than ${limit / 1024} KiB`,
    { next: "shorten the headers or the URL" },
  );
}

// --- internal ---

/** Room for the additions of proxies in front: their names, and this proxy's key instead of the client's. */
const ROOM_FOR_PROXIES_BYTES = 16 * 1024;

/** Two spaces, the version, and the line breaks after the request line and after the head. */
const LINE_BYTES = "  HTTP/1.1\r\n\r\n".length;
/** Colon, space and line break. */
const FIELD_BYTES = ": \r\n".length;
