// The file descriptors of this process: how many it may have, which are open, and which of those are accepted TCP
// connections. Bun accepts every connection and does not reveal its descriptor.

import { FFIType } from "bun:ffi";
import { fromCLibrary } from "./c-library.ts";

export interface Descriptors {
  /** How many this process may have open. Bun raises the soft limit to the hard limit when it starts. */
  readonly limit: number;
  /** Returns a fast check: true if no descriptor from `from` up to `to` (exclusive) is open. */
  noneOpenBetween(from: number, to: number): () => boolean;
  /** The open descriptors from `from` up to `to` (exclusive). */
  openBetween(from: number, to: number): number[];
  /** The `descriptors` that are connections accepted on `port`. */
  accepted(port: number, descriptors: readonly number[]): AcceptedConnection[];
  /** Shuts a connection down in both directions. Bun notices that and frees the descriptor. */
  shutDown(descriptor: number): void;
}

export interface AcceptedConnection {
  readonly descriptor: number;
  /** In the format of `peerKey`. */
  readonly peer: string;
}

/** Identifies the other end of a connection; `address` in the format that Bun uses. */
export function peerKey(address: string, port: number): string {
  const plain = address.replace(/%.*$/, "");
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(plain);
  if (mapped !== null) return `${mapped[1]}:${port}`;
  return plain.includes(":") ? `${new URL(`http://[${plain}]`).hostname}:${port}` : `${plain}:${port}`;
}

/** The real descriptors of this process. Throws on a system whose C library is unknown. */
export function systemDescriptors(): Descriptors {
  const { getrlimit, poll, getsockname, getpeername, shutdown } = fromCLibrary({
    getrlimit: { args: [FFIType.i32, FFIType.ptr], returns: FFIType.i32 },
    poll: { args: [FFIType.ptr, FFIType.u64, FFIType.i32], returns: FFIType.i32 },
    getsockname: { args: [FFIType.i32, FFIType.ptr, FFIType.ptr], returns: FFIType.i32 },
    getpeername: { args: [FFIType.i32, FFIType.ptr, FFIType.ptr], returns: FFIType.i32 },
    shutdown: { args: [FFIType.i32, FFIType.i32], returns: FFIType.i32 },
  });
  const address = new Uint8Array(ADDRESS_BYTES);
  const length = new Uint32Array(1);
  const readInto = (read: typeof getsockname, descriptor: number): boolean => {
    length[0] = ADDRESS_BYTES;
    return read(descriptor, address, length) === 0 && INTERNET_FAMILIES.has(familyOf(address));
  };
  const limits = new BigUint64Array(2);
  const soft = getrlimit(RLIMIT_NOFILE, limits) === 0 ? Number(limits[0]) : UNKNOWN_LIMIT;
  const limit = process.platform === "darwin" ? Math.min(soft, DARWIN_OPEN_MAX) : soft;
  return {
    limit,
    noneOpenBetween: (from, to) => {
      const entries = pollEntries(from, to);
      // `poll` returns the number of entries with something to report: the descriptors that are not open.
      return () => poll(entries, BigInt(to - from), 0) === to - from;
    },
    openBetween: (from, to) => {
      const entries = pollEntries(from, to);
      // If `poll` fails, no descriptor is known to be open, so no connection is closed by mistake.
      if (poll(entries, BigInt(to - from), 0) < 0) return [];
      const open: number[] = [];
      for (let index = 0; index < to - from; index++)
        if ((((entries[2 * index + 1] ?? 0) >> 16) & POLLNVAL) === 0) open.push(from + index);
      return open;
    },
    accepted: (port, candidates) => {
      const found: AcceptedConnection[] = [];
      for (const descriptor of candidates) {
        if (!readInto(getsockname, descriptor) || portOf(address) !== port) continue;
        // The listening socket has no peer, nor does a connection that is already shut down.
        if (readInto(getpeername, descriptor)) found.push({ descriptor, peer: peerIn(address) });
      }
      return found;
    },
    shutDown: (descriptor) => void shutdown(descriptor, SHUT_RDWR),
  };
}

// --- internal ---

const RLIMIT_NOFILE = process.platform === "darwin" ? 8 : 7;
/** Upper limit for a process, even if its limit is `unlimited`. */
const DARWIN_OPEN_MAX = 10_240;
/** The default of most systems, used if the limit cannot be read. */
const UNKNOWN_LIMIT = 1_024;
const SHUT_RDWR = 2;
/** What `poll` reports of a descriptor that is not open. */
const POLLNVAL = 0x20;
/** `sizeof(struct sockaddr_storage)`. */
const ADDRESS_BYTES = 128;
const AF_INET = 2;
const AF_INET6 = process.platform === "darwin" ? 30 : 10;
const INTERNET_FAMILIES: ReadonlySet<number> = new Set([AF_INET, AF_INET6]);
/** `::ffff:0:0/96`: an IPv4 peer of a socket that listens on IPv4 and IPv6. */
const MAPPED_PREFIX = "0:0:0:0:0:ffff:";

/** One `struct pollfd` each: the descriptor, and a word with the requested events (none) and the reported ones. */
function pollEntries(from: number, to: number): Int32Array {
  const entries = new Int32Array(2 * (to - from));
  for (let index = 0; index < to - from; index++) entries[2 * index] = from + index;
  return entries;
}

/** Linux stores two bytes in native order; macOS stores the length in the first and the family in the second. */
function familyOf(address: Uint8Array): number {
  return (process.platform === "darwin" ? address[1] : address[0]) ?? 0;
}

function portOf(address: Uint8Array): number {
  return wordAt(address, 2);
}

function peerIn(address: Uint8Array): string {
  const v4At = (offset: number) => address.subarray(offset, offset + 4).join(".");
  if (familyOf(address) === AF_INET) return peerKey(v4At(4), portOf(address));
  const groups = Array.from({ length: 8 }, (_, group) => wordAt(address, 8 + 2 * group).toString(16));
  const text = groups.join(":");
  return peerKey(text.startsWith(MAPPED_PREFIX) ? v4At(20) : text, portOf(address));
}

/** Two bytes in network order. */
function wordAt(address: Uint8Array, offset: number): number {
  return ((address[offset] ?? 0) << 8) | (address[offset + 1] ?? 0);
}
